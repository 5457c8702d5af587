"""Which device Gluon can use here, and why."""

import mxnet

from shared.device import Device
from shared.errors import reason_of
from shared.nvidia import Card, nvidia_card

# The published CUDA wheels of MXNet 1.9.1 hold machine code for these and no PTX: nothing outside this range runs them.
MXNET_CAPABILITIES = ((5, 0), (8, 9))


def find_gpu() -> Device:
    """The GPU that this MXNet would use (`mx.gpu()`), or the CPU and why there is no such GPU."""
    return _judged(nvidia_card(), mxnet)


def _judged(card: Card, mx) -> Device:
    def cpu(reason):
        return Device("cpu", None, reason + doubt)

    doubt = f"; {card.doubt}" if card.doubt and card.found else ""
    if card.found is False:
        return cpu(card.doubt)
    name = card.name or "GPU"
    low, high = MXNET_CAPABILITIES
    if card.capability and not low <= card.capability <= high:
        major, minor = card.capability
        return cpu(
            f"MXNet's published wheels have no code for the {name} (compute capability {major}.{minor}; "
            f"they run on {low[0]}.{low[1]} to {high[0]}.{high[1]})"
        )
    if not mx.runtime.Features().is_enabled("CUDA"):
        if card.found is None:
            return cpu(f"the installed MXNet is the CPU build; {card.doubt}")
        return cpu(f"the installed MXNet is the CPU build; the {name} needs an mxnet-cu11x wheel")
    try:
        count, why = mx.context.num_gpus(), "CUDA 11, cuDNN 8 and NCCL must be loadable"
    except Exception as error:  # MXNet's own, where the driver is not as it should be
        count, why = 0, reason_of(error)
    if count == 0:
        return cpu(f"MXNet finds no GPU ({why})" + (f" beside the {name}" if card.found else f"; {card.doubt}"))
    name = card.name or "an NVIDIA GPU whose name cannot be found out"
    if card.capability is None:
        doubt += "; its compute capability cannot be found out, and outside of "
        doubt += f"{low[0]}.{low[1]} to {high[0]}.{high[1]} MXNet's published wheels fail (--device cpu does without)"
    return Device("gpu", name, name + doubt)
