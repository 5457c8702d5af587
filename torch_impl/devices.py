"""Which device PyTorch can use here, and why."""

import os
import re
import warnings

import torch

from shared.device import Device
from shared.errors import reason_of
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
