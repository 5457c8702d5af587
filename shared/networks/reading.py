"""Source networks: an architecture, its tensors under canonical names, its class labels.

A source network is data here, not a network: a dict of NumPy arrays that either framework can put into a
network of its own. Canonical names are those of the PyTorch twins, below Gluon's two words `features` and `output`:
`features.layer1.0.conv1.weight`, `output.bias`. What kind of file it is says `formats.py`, which of its tensors are the network
`finding.py`.
"""

import json

from shared.errors import UserError, reason_of
from shared.files import read_regular, user_path
from shared.networks import zoos
from shared.networks.finding import find_network
from shared.networks.formats import format_of, readable
from shared.networks.source import MINI_FILE, Source, fingerprint
from shared.networks.writing import classes_file

KNOWN = {"mini": lambda: MINI_FILE, "imagenet": zoos.gluon_file, "torchvision": zoos.torchvision_file}


def load_source(spec: str) -> Source:
    """The source network `spec` names: `mini`, `imagenet`, `torchvision`, or the path of a file of weights.

    Raises UserError when the name or the file is unknown, cannot be read or is no residual network known here.
    """
    if spec in KNOWN:
        return _read(KNOWN[spec](), spec)
    path = user_path(spec)
    if path.is_dir():
        inside = [p.name for p in sorted(path.iterdir()) if p.is_file() and p.suffix in readable().split(", ")]
        raise UserError(
            f"{spec} is a folder; give the file of weights in it" + (f": {', '.join(inside)}" if inside else "")
        )
    if not path.is_file():
        if path.exists():
            raise UserError(f"{spec} is no regular file, so it is not read (a source network)")
        if path.suffix in readable().split(", ") or len(path.parts) > 1:
            raise UserError(f"no such file: {spec} (a source network)")
        raise UserError(
            f"unknown source network {spec!r}: give {', '.join(KNOWN)} or the path of a file of weights ({readable()})"
        )
    return _read(path, path.name)


def _read(path, name):
    try:
        kind = format_of(path)
        if kind.read is None:
            raise UserError(f"it is {kind.what}: {kind.remedy}")
        dicts, metadata = kind.read(path)
        architecture, tensors, notes = find_network(dicts, name)
        classes = _classes(metadata, classes_file(path))
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith(name) else f"cannot read {path}: {text}") from None
    except Exception as error:  # the libraries have their own kinds of error for a damaged file
        raise UserError(f"cannot read {path}: {reason_of(error)}") from None
    if architecture.version == 2 and not (tensors["features.bn0.weight"] == 1).all():
        raise UserError(
            f"tensor features.bn0.weight of {name} is not 1 throughout: Gluon's ResNet v2 has no scale there and would ignore it"
        )
    if classes is None and architecture.classes == 1000:
        classes = imagenet_classes()
    if classes is not None and len(classes) != architecture.classes:
        raise UserError(f"{name} has {architecture.classes} output rows but {len(classes)} class labels")
    return Source(name, architecture, tensors, classes, fingerprint(tensors), tuple(notes))


def _classes(metadata, beside):
    """The class labels in a file's metadata, or in the file that `hotdog export` puts beside it, or None."""
    text = metadata.get("classes")
    if text is None and beside.is_file():
        text = read_regular(beside)
    if text is None:
        return None
    try:
        classes = json.loads(text)
    except ValueError:
        classes = None
    if not isinstance(classes, list) or not all(isinstance(label, str) for label in classes):
        raise UserError("its class labels are no JSON list of texts")
    return tuple(classes) or None


def imagenet_classes() -> tuple[str, ...]:
    """ImageNet's 1,000 class labels in row order, as torchvision carries them beside its weights."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
