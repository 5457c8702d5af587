"""Source networks: an architecture, its tensors under canonical names, its class labels.

A source network is data here, not a network: a dict of NumPy arrays that either framework can put into a
network of its own. Canonical names are those of the PyTorch twins, below Gluon's two words `features` and `output`:
`features.layer1.0.conv1.weight`, `output.bias`.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import UserError, reason_of

HOTDOG = "hotdog"

# The book's Gluon tab takes row 713 of the ImageNet output layer for the hot dog. The number comes from an older tutorial
# (mxnet-the-straight-dope, chapter 8); in the class list that belongs to the weights MXNet downloads it is `photocopier`.
BOOK_ROW = 713

# What the classes without a reused row get, see `reused_output`.
OTHER_ROWS = ("mean", "nearest", "zero", "random")
NEAREST = 10

MINI_FILE = Path(__file__).parent / "mini" / "source.safetensors"


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


def canonical_from_gluon(name: str, version: int) -> str:
    """The canonical name of Gluon's structural name (`features.5.0.bn1.gamma`), as `save_parameters` writes it."""
    stem = {1: {0: "conv1", 1: "bn1"}, 2: {0: "bn0", 1: "conv1", 2: "bn1", 9: "bn2"}}[version]
    first_stage = {1: 4, 2: 5}[version]

    def child(match):
        index = int(match[1])
        return f"features.{stem.get(index) or f'layer{index - first_stage + 1}'}."

    name = re.sub(r"^features\.(\d+)\.", child, name)
    body = {"0": "conv1", "1": "bn1", "3": "conv2", "4": "bn2"}
    name = re.sub(r"\.body\.(\d)\.", lambda match: f".{body.get(match[1], match[1])}.", name)
    return re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))


def canonical_from_torchvision(name: str) -> str:
    """The canonical name of a torchvision state-dict key: `fc` is the output, everything else the features."""
    if name.startswith(("features.", "output.")):
        return name
    return re.sub(r"^fc\.", "output.", name) if name.startswith("fc.") else f"features.{name}"


@dataclass(frozen=True)
class Source:
    """A source network: `tensors` {canonical name: float32 array}, `classes` (labels of the output rows, or None)."""

    name: str
    architecture: Architecture
    tensors: dict
    classes: tuple[str, ...] | None
    fingerprint: str

    def row(self, wanted: str | int = HOTDOG) -> int:
        """The output row labelled `wanted`, or `wanted` itself when it is a row number of this source.

        Raises UserError when the label is unknown or the number out of range.
        """
        rows = self.architecture.classes
        if str(wanted).isdecimal():
            if int(wanted) < rows:
                return int(wanted)
            raise UserError(f"row {wanted} does not exist: the output layer of {self.name} has rows 0 to {rows - 1}")
        if self.classes is None:
            raise UserError(f"{self.name} has no class labels: give the row as a number, --row N")
        if wanted not in self.classes:
            raise UserError(f"no output row of {self.name} is labelled {wanted!r}: give --row N")
        return self.classes.index(wanted)

    def label(self, row: int) -> str:
        """The class label of output row `row`, or `row N` where the source has no labels."""
        return self.classes[row] if self.classes else f"row {row}"


def fingerprint(tensors: dict) -> str:
    """SHA-256 (16 hex digits) over names, shapes, dtypes and bytes of `tensors`, whatever file they came from."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def load_source(spec: str) -> Source:
    """The source network `spec` names: `mini`, `imagenet`, `torchvision`, or the path of a .pth, .params or .safetensors file.

    Raises UserError when the name or the file is unknown, cannot be read or is no residual network of basic blocks.
    """
    known = {"mini": _mini, "imagenet": _imagenet, "torchvision": _torchvision}
    readers = {
        ".pth": _read_pth,
        ".pt": _read_pth,
        ".params": _read_params,
        ".safetensors": _read_safetensors,
    }
    path = Path(spec)
    if spec in known:
        name, (tensors, classes) = spec, known[spec]()
    elif path.suffix not in readers:
        raise UserError(
            f"unknown source network {spec!r}: give {', '.join(known)} or the path of a file ending in {', '.join(readers)}"
        )
    elif not path.is_file():
        raise UserError(f"no such file: {spec} (a source network)")
    else:
        name = path.name
        try:
            tensors, classes = readers[path.suffix](path)
        except UserError:
            raise
        except Exception as error:  # each reader has its own kinds of error for a damaged file
            raise UserError(f"cannot read {spec} as a {path.suffix} file of tensors: {reason_of(error)}") from None
    architecture = recognise(tensors, name)
    if architecture.version == 2 and not (tensors["features.bn0.weight"] == 1).all():
        raise UserError(
            f"tensor features.bn0.weight of {name} is not 1 throughout: Gluon's ResNet v2 has no scale there and would ignore it"
        )
    if classes is None and architecture.classes == 1000:
        classes = imagenet_classes()
    if classes is not None and len(classes) != architecture.classes:
        raise UserError(f"{name} has {architecture.classes} output rows but {len(classes)} class labels")
    return Source(name, architecture, tensors, classes, fingerprint(tensors))


def imagenet_classes() -> tuple[str, ...]:
    """ImageNet's 1,000 class labels in row order, as torchvision carries them beside its weights."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def _mini():
    return _read_safetensors(MINI_FILE)


def _imagenet():
    from gluon_impl import numpy_aliases

    numpy_aliases.restore()  # before MXNet is imported
    from mxnet.gluon.model_zoo.model_store import get_model_file

    try:
        file = get_model_file("resnet18_v2")
    except Exception as error:
        raise UserError(
            "MXNet could not download resnet18_v2 (its model zoo checks the file's SHA-1, which begins with a81db45f): "
            f"{reason_of(error)} Give a local file with --source instead."
        ) from None
    return _read_params(Path(file))


def _torchvision():
    from torchvision.models import ResNet18_Weights

    weights = ResNet18_Weights.IMAGENET1K_V1
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:
        raise UserError(
            f"torchvision could not download {weights.url}: {reason_of(error)} Give a local file with --source instead."
        ) from None
    return _from_state_dict(state)


def _read_pth(path):
    import torch

    # weights_only: a pickle from elsewhere may hold code; tensors are all that is wanted.
    return _from_state_dict(torch.load(path, map_location="cpu", weights_only=True))


def _from_state_dict(state):
    state = state.get("state_dict", state)
    tensors = {
        canonical_from_torchvision(name): value.detach().cpu().numpy()
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }
    return tensors, None


def _read_params(path):
    from gluon_impl import numpy_aliases

    numpy_aliases.restore()  # before MXNet is imported
    import mxnet

    with mxnet.util.np_shape(True):  # reads files saved with and without it
        arrays = {re.sub(r"^(arg|aux):", "", name): array.asnumpy() for name, array in mxnet.nd.load(str(path)).items()}
    names = list(arrays)
    # Version 2 begins with a BatchNorm over the three colours, version 1 with the convolution.
    version = 2 if arrays[names[0]].ndim == 1 else 1
    if version == 2:
        arrays[names[0]][:] = 1  # scale=False: whatever is stored there, Gluon computes with 1
    if "." in names[0]:
        return {canonical_from_gluon(name, version): arrays[name] for name in names}, None
    # Before MXNet 1.3 files carried the network's full names; their order is that of the network.
    spec = tensor_shapes(Architecture(version))
    if len(spec) != len(names):
        raise UserError(
            f"{path.name} holds {len(names)} tensors under old-style names; resnet18_v{version} has {len(spec)}"
        )
    return dict(zip(spec, arrays.values(), strict=True)), None


def _read_safetensors(path):
    from safetensors import safe_open

    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata() or {}
        tensors = {canonical_from_torchvision(name): file.get_tensor(name) for name in file.keys()}
    classes = json.loads(metadata["classes"]) if "classes" in metadata else None
    return tensors, tuple(classes) if classes else None


def reused_output(source: Source, row: int, slot: int, new: dict, other_row: str = "mean") -> dict:
    """The output layer `new` of a target network with the source's row `row` in `slot`, and in its other rows `other_row`:

    mean: the mean of all other rows of the source. The logit of `slot` then beats the others exactly where the source network
    scores row `row` above the average of its other rows. nearest: the mean of the ten rows that are most like row `row` (cosine).
    zero: nothing, so that the row has to beat 0. random: what `new` has there.

    new, and what is returned: {"output.weight": (classes, width), "output.bias": (classes,)} in float32; copies.
    """
    weight, bias = source.tensors["output.weight"], source.tensors["output.bias"]
    others = np.delete(np.arange(len(bias)), row)
    if other_row == "nearest":
        alike = weight[others] @ weight[row] / np.linalg.norm(weight[others], axis=1)
        others = others[np.argsort(-alike, kind="stable")[:NEAREST]]
    new_weight, new_bias = new["output.weight"].copy(), new["output.bias"].copy()
    if other_row == "zero":
        new_weight[:], new_bias[:] = 0, 0
    elif other_row != "random":
        new_weight[:], new_bias[:] = weight[others].mean(axis=0), bias[others].mean()
    new_weight[slot], new_bias[slot] = weight[row], bias[row]
    return {"output.weight": new_weight, "output.bias": new_bias}
