"""Which device PyTorch can use here, and why."""


def torch_reason(torch) -> tuple[bool, str]:
    """Whether the torch module can use a GPU here, and the reason in words."""
    if not torch.cuda.is_available():
        return False, "there is no GPU that this PyTorch can use"
    return True, torch.cuda.get_device_name(0)
