"""What a framework computes on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """What a framework computes on.

    kind: `cpu` or `gpu`. name: the GPU's name, None for a CPU. reason: why this one, in words.
    """

    kind: str
    name: str | None
    reason: str
