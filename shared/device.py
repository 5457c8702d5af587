"""What a framework computes on."""

from dataclasses import dataclass

# What a network can be told to compute in. Anything but fp32 is PyTorch's alone, and nothing is compared with it.
PRECISIONS = ("fp32", "tf32", "bf16")


@dataclass(frozen=True)
class Device:
    """What a framework computes on.

    kind: `cpu` or `gpu`. name: the GPU's name, None for a CPU. reason: why this one, in words.
    """

    kind: str
    name: str | None
    reason: str
