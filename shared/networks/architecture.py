"""Residual networks as data: their names, their tensors' names and shapes, and what a set of tensors belongs to."""

from dataclasses import dataclass

import numpy as np

from shared.errors import UserError

# What stands between two shortcuts. basic: two 3x3 convolutions. bottleneck: 1x1, 3x3, 1x1, a quarter as wide inside, as Gluon
# has it: version 1 with the stride in the first 1x1 and biases in both 1x1, version 2 with the stride in the 3x3 and no bias.
# bottleneck_v1b: version 1 as torchvision and GluonCV's `v1b` have it, stride in the 3x3 and no bias.
BLOCKS = ("basic", "bottleneck", "bottleneck_v1b")
# Width of the stem, then of every stage.
WIDTHS = {"basic": (64, 64, 128, 256, 512), "bottleneck": (64, 256, 512, 1024, 2048)}
WIDTHS["bottleneck_v1b"] = WIDTHS["bottleneck"]


@dataclass(frozen=True)
class Architecture:
    """A residual network: `version` 1 (post-activation) or 2 (pre-activation).

    `layers`: blocks in each of the four stages; `channels`: width of the stem, then of every stage; `classes`: rows of the
    output layer, 0 for features alone; `block`: one of BLOCKS.
    """

    version: int
    layers: tuple[int, ...] = (2, 2, 2, 2)
    channels: tuple[int, ...] = WIDTHS["basic"]
    classes: int = 1000
    block: str = "basic"

    def __post_init__(self):
        if self.version not in (1, 2):
            raise ValueError(f"version is {self.version}; a residual network is version 1 or 2")
        if self.block not in BLOCKS or (self.version, self.block) == (2, "bottleneck_v1b"):
            raise ValueError(f"version {self.version} has no block {self.block!r}; blocks are {', '.join(BLOCKS)}")
        if len(self.layers) != 4 or len(self.channels) != 5:
            raise ValueError(f"layers {self.layers} and widths {self.channels} are not those of a stem and four stages")
        if any(a == b for a, b in zip(self.channels[1:], self.channels[2:], strict=False)):
            # Gluon gives a block a projection only where the width changes; a strided block without one cannot add up.
            raise ValueError(f"two neighbouring stages have the same width in {self.channels}; each must differ")
        if self.block != "basic" and any(width % 4 for width in self.channels[1:]):
            raise ValueError(
                f"a bottleneck is a quarter as wide inside; {self.channels[1:]} are not all multiples of 4"
            )

    @property
    def name(self) -> str:
        """`resnet18_v2` for the standard widths, `resnet18_v2(16,16,32,64,128)` for others, `resnet50_v1b` for torchvision's."""
        depth = (2 if self.block == "basic" else 3) * sum(self.layers) + 2
        variant = "b" if self.block == "bottleneck_v1b" else ""
        widths = "" if self.standard_widths else f"({','.join(map(str, self.channels))})"
        return f"resnet{depth}_v{self.version}{variant}{widths}"

    @property
    def standard_widths(self) -> bool:
        """Whether the zoos have this network; others are thinner or wider."""
        return self.channels == WIDTHS[self.block]


def family() -> dict[str, Architecture]:
    """{name: architecture} of the residual networks that the zoos have, with 1,000 classes."""
    made = [
        Architecture(version, layers, WIDTHS[block], block=block)
        for block, depths in (
            ("basic", ((2, 2, 2, 2), (3, 4, 6, 3))),
            ("bottleneck", ((3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3))),
            ("bottleneck_v1b", ((3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3))),
        )
        for layers in depths
        for version in ((1,) if block == "bottleneck_v1b" else (1, 2))
    ]
    return {architecture.name: architecture for architecture in made}


def tensor_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Canonical names and shapes of all tensors of `architecture`, in the order in which both frameworks hold them.

    Source: Gluon's `model_zoo/vision/resnet.py` and torchvision's `models/resnet.py`, whose orders are the same.
    """
    shapes = {}

    def conv(name, out, into, kernel, bias=False):
        shapes[f"{name}.weight"] = (out, into, kernel, kernel)
        if bias:
            shapes[f"{name}.bias"] = (out,)

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
            for i, (into, between, kernel, bias) in enumerate(_convolutions(architecture, width, out), 1):
                if not v1:
                    batch_norm(f"{name}.bn{i}", into)
                conv(f"{name}.conv{i}", between, into, kernel, bias)
                if v1:
                    batch_norm(f"{name}.bn{i}", between)
            if out != width:
                conv(f"{name}.downsample.0" if v1 else f"{name}.downsample", out, width, 1)
                if v1:
                    batch_norm(f"{name}.downsample.1", out)
            width = out
    if not v1:
        batch_norm("features.bn2", width)
    if architecture.classes:
        shapes["output.weight"] = (architecture.classes, width)
        shapes["output.bias"] = (architecture.classes,)
    return shapes


def _convolutions(architecture, width, out):
    """(in, out, kernel, bias) of a block's convolutions, from `width` to `out` channels."""
    if architecture.block == "basic":
        return (width, out, 3, False), (out, out, 3, False)
    bias = (architecture.version, architecture.block) == (1, "bottleneck")
    return (width, out // 4, 1, bias), (out // 4, out // 4, 3, False), (out // 4, out, 1, bias)


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

    Without an output layer it is that of features alone, with `classes` 0. Raises UserError when they are no residual network
    of this family, naming the first tensor that does not fit.
    """
    try:
        version = 2 if "features.bn0.running_mean" in tensors else 1
        layers, channels = [], [tensors["features.conv1.weight"].shape[0]]
        block = "basic"
        if "features.layer1.0.conv3.weight" in tensors:
            # The same names and shapes but for the biases, yet another function: the stride is in another convolution.
            torchvisions = version == 1 and "features.layer1.0.conv1.bias" not in tensors
            block = "bottleneck_v1b" if torchvisions else "bottleneck"
        last = "conv2" if block == "basic" else "conv3"
        while f"features.layer{len(layers) + 1}.0.conv1.weight" in tensors:
            stage, blocks = len(layers) + 1, 0
            while f"features.layer{stage}.{blocks}.conv1.weight" in tensors:
                blocks += 1
            layers.append(blocks)
            channels.append(tensors[f"features.layer{stage}.0.{last}.weight"].shape[0])
        headless = not any(name.startswith("output.") for name in tensors)
        classes = 0 if headless else tensors["output.weight"].shape[0]
        architecture = Architecture(version, tuple(layers), tuple(channels), classes, block)
    except KeyError as missing:
        raise UserError(
            f"{what} is no residual network this project knows: it has no tensor {missing.args[0]}"
        ) from None
    except ValueError as wrong:
        raise UserError(f"{what} is no residual network this project knows: {wrong}") from None
    check_tensors(tensors, tensor_shapes(architecture), np.float32, f"{architecture.name} ({what})")
    return architecture
