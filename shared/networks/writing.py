"""Source networks written as other programs' files: MXNet's and GluonCV's `.params`, torchvision's `.pth` and `.safetensors`.

`names_for` says which names the tensors get, `how_to_open` the lines that open the file again without this project.
"""

import json
from pathlib import Path

import numpy as np

from shared.networks.architecture import Architecture, family
from shared.networks.names import gluon_from_canonical, is_batch_norm, torchvision_from_canonical
from shared.networks.source import Source

TORCH_ENDINGS = (".pth", ".safetensors")
CLASSES_ENDING = ".classes.json"


def in_torchvision(architecture: Architecture) -> bool:
    """Whether torchvision has this network: version 1, its own bottleneck, and the widths that it has no arguments for."""
    return architecture.version == 1 and architecture.block != "bottleneck" and architecture.standard_widths


def in_gluon(architecture: Architecture) -> bool:
    """Whether MXNet's model zoo has this network, of whatever widths: all but torchvision's bottleneck."""
    return architecture.block != "bottleneck_v1b"


def names_for(architecture: Architecture, ending: str, names) -> dict[str, str]:
    """{canonical name: name in a file with `ending`} for the canonical `names`, in their order.

    .params: as `save_parameters` of MXNet's model zoo writes them, GluonCV's for torchvision's bottleneck. .pth, .safetensors:
    torchvision's where it has the network; canonical ones, which the module beside the file has, where it has not.
    """
    if ending == ".params":
        layout = architecture.version if in_gluon(architecture) else "1b"
        return {name: gluon_from_canonical(name, layout) for name in names}
    if in_torchvision(architecture):
        return {name: torchvision_from_canonical(name) for name in names}
    return {name: name for name in names}


def write_params(source: Source, file: Path):
    """Write `source` as Gluon's `save_parameters` does without NumPy semantics: `load_parameters` opens that in either mode."""
    from shared.networks import numpy_aliases

    numpy_aliases.restore()  # before MXNet is imported
    import mxnet

    names = names_for(source.architecture, ".params", source.tensors)
    with mxnet.util.np_array(False), mxnet.util.np_shape(False):  # in this order: arrays cannot do without shapes
        arrays = {names[name]: mxnet.nd.array(tensor, dtype=tensor.dtype) for name, tensor in source.tensors.items()}
        mxnet.nd.save(str(file), arrays)


def write_pth(source: Source, file: Path):
    """Write `source` as `torch.save(net.state_dict(), file)` does."""
    import torch

    state = {name: torch.from_numpy(tensor.copy()) for name, tensor in _torch_state(source).items()}
    torch.save(state, file)


def write_safetensors(source: Source, file: Path):
    """Write `source` under the names of its `.pth`; class labels and architecture are in the metadata."""
    from safetensors.numpy import save_file

    metadata = {"format": "pt", "architecture": source.architecture.name}
    if source.classes:
        metadata["classes"] = json.dumps(source.classes)
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in _torch_state(source).items()}, file, metadata)


WRITERS = {".params": write_params, ".pth": write_pth, ".safetensors": write_safetensors}


def _torch_state(source):
    """{name: array} of a PyTorch state dict: with the counter of batches that a batch normalisation has there, at zero."""
    names, state = names_for(source.architecture, ".pth", source.tensors), {}
    for name, tensor in source.tensors.items():
        state[names[name]] = tensor
        layer, _, leaf = name.rpartition(".")
        if leaf == "running_var" and is_batch_norm(layer):
            state[names[name].replace("running_var", "num_batches_tracked")] = np.array(0)
    return state


def classes_file(file: Path) -> Path:
    """Where the class labels of `file` lie, for formats that have no room for them: `net.classes.json` beside `net.pth`."""
    return file.with_suffix(CLASSES_ENDING)


def how_to_open(architecture: Architecture, file: Path, module: str | None = None) -> list[str]:
    """Lines of Python that open an exported file without this project, leaving the network in `net`.

    module: name of the module that was written beside the file, where the zoo of its framework lacks the network.
    """
    if file.suffix == ".onnx":
        return [
            "import onnxruntime",
            f'net = onnxruntime.InferenceSession("{file.name}")',
            'probabilities = net.run(["probabilities"], {"images": images})[0]',
        ]
    if module:
        made = [f"from {module} import network", f"net = network(classes={architecture.classes})"]
    elif file.suffix == ".params":
        made = _from_gluon(architecture)
    else:
        made = _from_torchvision(architecture)
    if file.suffix == ".params":
        return [*made, f'net.load_parameters("{file.name}")']
    library, state = {
        ".pth": ("import torch", f'torch.load("{file.name}", weights_only=True)'),
        ".safetensors": ("from safetensors.torch import load_file", f'load_file("{file.name}")'),
    }[file.suffix]
    return [library, *made, f"net.load_state_dict({state})", "net.eval()"]


def _from_gluon(architecture):
    kind = {"basic": "BasicBlock", "bottleneck": "Bottleneck"}[architecture.block]
    version, layers, channels = architecture.version, list(architecture.layers), list(architecture.channels)
    call = f"ResNetV{version}(vision.{kind}V{version}, {layers}, {channels}, classes={architecture.classes})"
    if architecture.name in family():
        call = f"{architecture.name}(classes={architecture.classes})"
    return ["from mxnet.gluon.model_zoo import vision", f"net = vision.{call}"]


def _from_torchvision(architecture):
    if architecture.name in family():
        name = architecture.name.partition("_")[0]
        return [f"from torchvision.models import {name}", f"net = {name}(num_classes={architecture.classes})"]
    block = "BasicBlock" if architecture.block == "basic" else "Bottleneck"
    return [
        f"from torchvision.models.resnet import {block}, ResNet",
        f"net = ResNet({block}, {list(architecture.layers)}, num_classes={architecture.classes})",
    ]
