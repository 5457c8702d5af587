"""Tensor names: how each library names the layers of a residual network, to and from the project's canonical names.

A name is a layer and a leaf, `features.layer1.0.bn2` and `running_mean`. LAYOUTS says for each library what it calls the
layers; everything else in this file looks them up there. A basic block has the convolutions 1 and 2, a bottleneck 1 to 3.
The names that Gluon gave before MXNet 1.3 number the layers instead: `numbered_names.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from shared.errors import UserError

# What libraries call the four tensors of a batch normalisation, and the two of a convolution or output layer.
LEAVES = {
    **{"weight": "weight", "bias": "bias", "running_mean": "running_mean", "running_var": "running_var"},
    **{"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var"},
}
GLUON_LEAVES = {"weight": "gamma", "bias": "beta"}  # of a batch normalisation; the others are called the same
MOST_BLOCKS, MOST_CONVOLUTIONS = 64, 3  # per stage, per block; ResNet-152 has 36 and 3


@dataclass(frozen=True)
class Layout:
    """What one library calls the layers of a residual network; a layer that it has not is not listed.

    stem, tail, projection: {canonical: foreign}; block: name of block `b` (from 0) of stage `s` (from 1); conv, bn: names of
    the k-th convolution and batch normalisation in a block (from 1); output: name of the output layer when it is written.
    """

    writers: str
    stem: dict
    block: Callable[[int, int], str]
    projection: dict
    output: str
    conv: Callable[[int], str] = lambda k: f"conv{k}"
    bn: Callable[[int], str] = lambda k: f"bn{k}"
    tail: dict = field(default_factory=dict)


_TORCH_STEM = {"conv1": "conv1", "bn1": "bn1"}
_TWO = {"downsample.0": "downsample.0", "downsample.1": "downsample.1"}  # convolution and batch normalisation
_ONE = {"downsample": "downsample"}  # pre-activation: a convolution alone
# What an output layer is called, or the module that holds it and nothing else: `fc`, `fc.1` (behind dropout), `head.fc` ...
HEADS = ("output", "fc", "classifier", "head", "heads", "last_linear", "linear", "logits")

LAYOUTS = {
    "gluon v1": Layout(
        writers="Gluon's `resnet*_v1`: `save_parameters`",
        stem={"conv1": "features.0", "bn1": "features.1"},
        block=lambda s, b: f"features.{s + 3}.{b}",
        conv=lambda k: f"body.{3 * k - 3}",  # a ReLU stands between: convolution, batch normalisation, ReLU, convolution ...
        bn=lambda k: f"body.{3 * k - 2}",
        projection=_TWO,
        output="output",
    ),
    "gluon v2": Layout(
        writers="Gluon's `resnet*_v2`: `save_parameters`",
        stem={"bn0": "features.0", "conv1": "features.1", "bn1": "features.2"},
        block=lambda s, b: f"features.{s + 4}.{b}",
        projection=_ONE,
        tail={"bn2": "features.9"},
        output="output",
    ),
    # torchvision's ResNet in GluonCV, with Gluon's leaves: `layer1.0.bn1.gamma`, `fc.weight`
    "torchvision": Layout(
        writers="torchvision, timm; GluonCV's `resnet*_v1b`",
        stem=_TORCH_STEM,
        block=lambda s, b: f"layer{s}.{b}",
        projection=_TWO,
        output="fc",
    ),
    "canonical v1": Layout(
        writers="this project, version 1",
        stem={"conv1": "features.conv1", "bn1": "features.bn1"},
        block=lambda s, b: f"features.layer{s}.{b}",
        projection=_TWO,
        output="output",
    ),
    "canonical v2": Layout(
        writers="this project, version 2",
        stem={"bn0": "features.bn0", "conv1": "features.conv1", "bn1": "features.bn1"},
        block=lambda s, b: f"features.layer{s}.{b}",
        projection=_ONE,
        tail={"bn2": "features.bn2"},
        output="output",
    ),
    "numbered children": Layout(
        writers="torchvision's features: `nn.Sequential(*list(net.children())[:-1])`, fastai",
        stem={"conv1": "0", "bn1": "1"},
        block=lambda s, b: f"{s + 3}.{b}",
        projection=_TWO,
        output="fc",
    ),
    "transformers": Layout(
        writers="transformers: `ResNetForImageClassification`",
        stem={"conv1": "embedder.embedder.convolution", "bn1": "embedder.embedder.normalization"},
        block=lambda s, b: f"encoder.stages.{s - 1}.layers.{b}",
        conv=lambda k: f"layer.{k - 1}.convolution",
        bn=lambda k: f"layer.{k - 1}.normalization",
        projection={"downsample.0": "shortcut.convolution", "downsample.1": "shortcut.normalization"},
        output="classifier.1",
    ),
}
# By Architecture.version; "1b" is GluonCV's name for torchvision's bottleneck (stride in the 3x3 convolution, no biases).
GLUON_LAYOUTS = {1: "gluon v1", 2: "gluon v2", "1b": "torchvision"}


@cache
def layers_of(layout: str) -> dict[str, str]:
    """{canonical layer: foreign layer} of LAYOUTS[layout], for up to MOST_BLOCKS blocks in each of four stages."""
    it = LAYOUTS[layout]
    layers = {f"features.{ours}": theirs for ours, theirs in {**it.stem, **it.tail}.items()}
    for stage in range(1, 5):
        for block in range(MOST_BLOCKS):
            ours, theirs = f"features.layer{stage}.{block}", it.block(stage, block)
            for k in range(1, MOST_CONVOLUTIONS + 1):
                layers[f"{ours}.conv{k}"] = f"{theirs}.{it.conv(k)}"
                layers[f"{ours}.bn{k}"] = f"{theirs}.{it.bn(k)}"
            layers.update({f"{ours}.{a}": f"{theirs}.{b}" for a, b in it.projection.items()})
    return layers | {"output": it.output}


@cache
def canonical_layers(layout: str) -> dict[str, str]:
    """{foreign layer: canonical layer}: the inverse of `layers_of`."""
    return {theirs: ours for ours, theirs in layers_of(layout).items()}


@cache
def feature_layers(layout: str) -> dict[str, str]:
    """`canonical_layers` without the output, and with the names that `net.features` gives its own layers (`5.0.bn1`)."""
    layers = {theirs: ours for theirs, ours in canonical_layers(layout).items() if ours != "output"}
    return layers | {theirs.removeprefix("features."): ours for theirs, ours in layers.items()}


def components(name: str) -> list[str]:
    """`name` at its dots, without what wrappers put in: `module` (parallel training), `_orig_mod`, `_fsdp_wrapped_module` ..."""
    return [part for part in name.split(".") if part != "module" and not part.startswith("_")]


def is_batch_norm(layer: str) -> bool:
    """Whether the canonical `layer` is a batch normalisation."""
    return layer.rpartition(".")[2].startswith("bn") or layer.endswith("downsample.1")


def canonical_from_gluon(name: str, version: int | str) -> str:
    """The canonical name of a structural name (`features.5.0.bn1.gamma`), as `save_parameters` writes it.

    version: 1, 2, or "1b" for GluonCV's. Raises UserError where the network has no such tensor.
    """
    layer, _, leaf = name.rpartition(".")
    layers = canonical_layers(GLUON_LAYOUTS[version])
    if layer not in layers or leaf not in LEAVES:
        raise UserError(f"{name} is no tensor of a Gluon ResNet v{version}")
    return f"{layers[layer]}.{LEAVES[leaf]}"


def gluon_from_canonical(name: str, version: int | str) -> str:
    """Gluon's structural name of a canonical name: the inverse of `canonical_from_gluon`."""
    layer, _, leaf = name.rpartition(".")
    layers = layers_of(GLUON_LAYOUTS[version])
    if layer not in layers:
        raise UserError(f"{name} is no tensor of a Gluon ResNet v{version}")
    return f"{layers[layer]}.{GLUON_LEAVES.get(leaf, leaf) if is_batch_norm(layer) else leaf}"


def canonical_from_torchvision(name: str) -> str:
    """The canonical name of a torchvision state-dict key: `fc` is the output, everything else the features."""
    if name.startswith(("features.", "output.")):
        return name
    return f"output.{name[3:]}" if name.startswith("fc.") else f"features.{name}"


def torchvision_from_canonical(name: str) -> str:
    """The state-dict key of a canonical name: `fc` is the output. Version 2, which torchvision lacks, is named alike."""
    return f"fc.{name[7:]}" if name.startswith("output.") else name.removeprefix("features.")
