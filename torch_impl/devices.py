"""Which device PyTorch can use here, and why."""

import contextlib
import os
import re
import warnings

import torch

from shared.device import Device
from shared.errors import UserError, reason_of
from shared.nvidia import nvidia_card


def find_gpu() -> Device:
    """The GPU that this PyTorch would use (`cuda:0`), or the CPU and why there is no such GPU."""
    return _judged(torch)


def _judged(torch) -> Device:
    if not (torch.version.cuda or torch.version.hip):
        card = nvidia_card()
        other = card.doubt if not card.found else f"the {card.name or 'GPU'} needs a build for CUDA"
        return Device("cpu", None, f"the installed PyTorch {torch.__version__} is a CPU-only build; {other}")
    try:
        with warnings.catch_warnings():  # it would print what is asked for below
            warnings.simplefilter("ignore")
            available = torch.cuda.is_available()
            if not available:
                torch.cuda.init()
                return Device("cpu", None, "PyTorch says that no GPU is available")
            name, capability = torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0)
    except Exception as error:  # RuntimeError, AssertionError, and some of the queued calls' own
        return Device("cpu", None, _why_not(torch, str(error), reason_of(error)))
    codes = [re.fullmatch(r"(sm|compute)_(\d+)(\d)[af]?", code) for code in torch.cuda.get_arch_list()]
    runs = [
        (major, minor) <= capability and (kind == "compute" or major == capability[0])
        for kind, major, minor in ((code[1], int(code[2]), int(code[3])) for code in codes if code)
    ]
    if runs and not any(runs):
        major, minor = capability
        return Device(
            "cpu", None, f"PyTorch {torch.__version__} has no code for the {name} (compute capability {major}.{minor})"
        )
    return Device("gpu", name, name)


def _why_not(torch, text, reason):
    card, visible = nvidia_card(), os.environ.get("CUDA_VISIBLE_DEVICES")
    if "no NVIDIA driver" in text:
        if not card.found:
            return card.doubt
        return f"PyTorch finds no NVIDIA driver (libcuda.so.1) for the {card.name}" + f" ({card.doubt})" * bool(
            card.doubt
        )
    if old := re.search(r"driver .*too old \(found version (\d+)\)", text):
        given = f"{int(old[1]) // 1000}.{int(old[1]) % 1000 // 10}"
        return (
            f"the NVIDIA driver is too old: it gives CUDA {given}, and this PyTorch was built for CUDA "
            f"{torch.version.cuda}; update the driver"
        )
    if "No CUDA GPUs are available" in text:
        hidden = f"CUDA_VISIBLE_DEVICES={visible!r} leaves none visible" if visible is not None else card.doubt
        return "there is an NVIDIA driver but no GPU that PyTorch may use" + f"; {hidden}" * bool(hidden)
    return f"PyTorch cannot use a GPU here: {reason}"


def check_precision(precision, device):
    """Raise UserError where `device` has no units for `precision` (`tf32` or `bf16`): it would be slower, and nothing gained."""
    if precision == "tf32" and (device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 0)):
        raise UserError("--precision tf32 needs an NVIDIA GPU of compute capability 8.0 or above; leave it out")
    if precision == "bf16" and not _computes_bf16(torch, device):
        raise UserError(f"--precision bf16: this {device.type} has no bf16 units, so it would be slower; leave it out")


@contextlib.contextmanager
def low_precision(precision, net, device):
    """While it lasts, `net` computes in `precision` on `device`: `tf32` or `bf16`. Weights, losses and updates stay float32."""
    flags = (torch.backends.cudnn, torch.backends.cuda.matmul) if precision == "tf32" else ()
    parts = (net.features, net.output) if precision == "bf16" else ()
    before = [flag.allow_tf32 for flag in flags]
    try:
        for flag in flags:
            flag.allow_tf32 = True
        for part in parts:
            part.forward = _in_bf16(part.forward, device)
        yield
    finally:
        for flag, allowed in zip(flags, before, strict=True):
            flag.allow_tf32 = allowed
        for part in parts:
            part.__dict__.pop("forward", None)  # its class's own again


def _in_bf16(forward, device):
    def low(*given):
        # Entered anew for every batch: autocast keeps its bf16 copies of the weights until it is left, updated or not.
        with torch.autocast(device.type, torch.bfloat16):
            return forward(*given).float()

    return low


def _computes_bf16(torch, device):
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
