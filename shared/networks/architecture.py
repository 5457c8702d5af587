"""Residual networks as data: their names, their tensors' names and shapes, and what a set of tensors belongs to."""

from dataclasses import dataclass

import numpy as np

from shared.errors import UserError


@dataclass(frozen=True)
class Architecture:
    """A residual network of basic blocks: `version` 1 (post-activation) or 2 (pre-activation).

    `layers`: blocks in each of the four stages; `channels`: width of the stem, then of every stage; `classes`: rows of the
    output layer.
    """

    version: int
    layers: tuple[int, ...] = (2, 2, 2, 2)
    channels: tuple[int, ...] = (64, 64, 128, 256, 512)
    classes: int = 1000

    def __post_init__(self):
        if self.version not in (1, 2):
            raise ValueError(f"version is {self.version}; a residual network is version 1 or 2")
        if len(self.layers) != 4 or len(self.channels) != 5:
            raise ValueError(f"layers {self.layers} and widths {self.channels} are not those of a stem and four stages")
        if any(a == b for a, b in zip(self.channels[1:], self.channels[2:], strict=False)):
            # Gluon gives a block a projection only where the width changes; a strided block without one cannot add up.
            raise ValueError(f"two neighbouring stages have the same width in {self.channels}; each must differ")

    @property
    def name(self) -> str:
        """`resnet18_v2` for the standard widths, `resnet18_v2(16,16,32,64,128)` for others."""
        depth = 2 * sum(self.layers) + 2
        standard = self.channels == (64, 64, 128, 256, 512)
        return f"resnet{depth}_v{self.version}" + ("" if standard else f"({','.join(map(str, self.channels))})")


def tensor_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Canonical names and shapes of all tensors of `architecture`, in the order in which both frameworks hold them.

    Source: Gluon's `model_zoo/vision/resnet.py` and torchvision's `models/resnet.py`, whose orders are the same.
    """
    shapes = {}

    def conv(name, out, into, kernel):
        shapes[f"{name}.weight"] = (out, into, kernel, kernel)

    def batch_norm(name, width):
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{leaf}"] = (width,)

    v1 = architecture.version == 1
    width = architecture.channels[0]
    if not v1:
        batch_norm("features.bn0", 3)
    conv("features.conv1", width, 3, 7)
    batch_norm("features.bn1", width)
    for stage, (blocks, out) in enumerate(zip(architecture.layers, architecture.channels[1:], strict=True), 1):
        for block in range(blocks):
            name = f"features.layer{stage}.{block}"
            if v1:
                conv(f"{name}.conv1", out, width, 3)
                batch_norm(f"{name}.bn1", out)
                conv(f"{name}.conv2", out, out, 3)
                batch_norm(f"{name}.bn2", out)
                if out != width:
                    conv(f"{name}.downsample.0", out, width, 1)
                    batch_norm(f"{name}.downsample.1", out)
            else:
                batch_norm(f"{name}.bn1", width)
                conv(f"{name}.conv1", out, width, 3)
                batch_norm(f"{name}.bn2", out)
                conv(f"{name}.conv2", out, out, 3)
                if out != width:
                    conv(f"{name}.downsample", out, width, 1)
            width = out
    if not v1:
        batch_norm("features.bn2", width)
    shapes["output.weight"] = (architecture.classes, width)
    shapes["output.bias"] = (architecture.classes,)
    return shapes


def check_tensors(tensors: dict, expected: dict, dtype, what: str = "the network"):
    """Raise UserError naming the first of `tensors` whose name, shape or dtype is not what `expected` {name: shape} says.

    `dtype` is the NumPy dtype that every tensor must have; `what` names the receiver in the message.
    """
    for name in expected:
        if name not in tensors:
            raise UserError(f"tensor {name} is missing: {what} has {len(expected)} tensors, {len(tensors)} were given")
    for name, array in tensors.items():
        if name not in expected:
            raise UserError(f"tensor {name} is not one of the {len(expected)} tensors of {what}")
        if tuple(array.shape) != tuple(expected[name]):
            raise UserError(f"tensor {name} has shape {tuple(array.shape)}; {what} has {tuple(expected[name])} there")
        if np.dtype(array.dtype) != np.dtype(dtype):
            raise UserError(f"tensor {name} is {array.dtype}; {what} holds {np.dtype(dtype)}")


def recognise(tensors: dict, what: str = "the file") -> Architecture:
    """The architecture that `tensors` (canonical names) belong to, found from their names and shapes.

    Raises UserError when they are not a residual network of basic blocks, naming the first tensor that does not fit.
    """
    try:
        version = 2 if "features.bn0.running_mean" in tensors else 1
        layers, channels = [], [tensors["features.conv1.weight"].shape[0]]
        while f"features.layer{len(layers) + 1}.0.conv1.weight" in tensors:
            stage, blocks = len(layers) + 1, 0
            while f"features.layer{stage}.{blocks}.conv1.weight" in tensors:
                blocks += 1
            layers.append(blocks)
            channels.append(tensors[f"features.layer{stage}.0.conv1.weight"].shape[0])
        architecture = Architecture(version, tuple(layers), tuple(channels), tensors["output.weight"].shape[0])
    except KeyError as missing:
        raise UserError(
            f"{what} is no residual network this project knows: it has no tensor {missing.args[0]}"
        ) from None
    except ValueError as wrong:
        raise UserError(f"{what} is no residual network this project knows: {wrong}") from None
    check_tensors(tensors, tensor_shapes(architecture), np.float32, f"{architecture.name} ({what})")
    return architecture
