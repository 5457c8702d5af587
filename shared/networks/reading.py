"""Source networks: an architecture, its tensors under canonical names, its class labels.

A source network is data here, not a network: a dict of NumPy arrays that either framework can put into a
network of its own. Canonical names are those of the PyTorch twins, below Gluon's two words `features` and `output`:
`features.layer1.0.conv1.weight`, `output.bias`.
"""

import json
import re
from pathlib import Path

from shared.errors import UserError, reason_of
from shared.networks.architecture import Architecture, recognise, tensor_shapes
from shared.networks.names import canonical_from_gluon, canonical_from_torchvision
from shared.networks.source import MINI_FILE, Source, fingerprint


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
    from shared.networks import numpy_aliases

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
    from shared.networks import numpy_aliases

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
