"""The files that weights come in: which are read, which are refused and why. README's table is made of these rules.

A file is told by its first bytes, and a zip by what it holds; its ending says nothing. (`imagenet.params` may be MXNet's list of
arrays, MXNet 2's zip, or a web page that says that the file is gone.)
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.errors import UserError
from shared.networks.gluon_files import LIST, read_ndarray_list, read_npz
from shared.networks.names import LAYOUTS, feature_layers
from shared.networks.torch_files import read_safetensors, read_torch


@dataclass(frozen=True)
class Format:
    """A kind of file. `fits(start, names)`: whether it is one, from its first 512 bytes and the names in it if it is a zip.

    Read by `read(path)` -> ({key: {name: tensor}}, metadata); where that is missing, refused with `remedy`.
    """

    what: str
    endings: str
    fits: Callable[[bytes, list[str]], bool]
    read: Callable[[Path], tuple] | None = None
    remedy: str = ""


def _holds(*ends):
    return lambda start, names: any(name.endswith(ends) for name in names)


def _begins(*starts):
    return lambda start, names: start.lstrip().startswith(starts)


def _is_safetensors(start, names):
    return len(start) > 9 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 27


# The first that fits. What a file of the same beginning could also be stands before it.
FORMATS = (
    Format("an empty file", "any", lambda start, names: not start, remedy="get it again"),
    Format(
        "MXNet 0.x to 1.9: `save_parameters`, `save_params`, `export`, `ParameterDict.save`, `nd.save` of a dict, Module",
        ".params",
        _begins(LIST.to_bytes(8, "little")),
        lambda path: ({"": read_ndarray_list(path)}, {}),
    ),
    Format(
        "an exported PyTorch program (`torch.export`, AOTInductor)",
        ".pt2",
        _holds("archive_format", "serialized_exported_program.json", ".so"),
        remedy="it holds a program besides tensors: torch.save(torch.export.load(FILE).state_dict, 'weights.pth')",
    ),
    Format(
        "a TorchScript program (`torch.jit.save`)",
        ".pt .pth",
        _holds("/constants.pkl", "/code/__torch__.py", "/model.json"),
        remedy="it holds code besides tensors: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')",
    ),
    Format(
        "PyTorch: `torch.save` of a state dict, or of a checkpoint that holds one",
        ".pth .pt .bin .ckpt .tar .pth.tar .pkl",
        _holds("/data.pkl"),
        lambda path: (read_torch(path), {}),
    ),
    Format(
        "MXNet 2: `save_parameters`, `export`; `numpy.savez`",
        ".params .npz",
        _holds(".npy"),
        lambda path: ({"": read_npz(path)}, {}),
    ),
    Format(
        "PyTorch before 1.6: `torch.save`",
        ".pth .pt .tar",
        _begins(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."),
        lambda path: (read_torch(path), {}),
    ),
    Format(
        "safetensors, timm, the Hugging Face hub",
        ".safetensors",
        _is_safetensors,
        lambda path: (lambda tensors, metadata: ({"": tensors}, metadata))(*read_safetensors(path)),
    ),
    Format(
        "a pickle, such as the optimizer states that Gluon's `Trainer.save_states` and Module write",
        ".states .pkl",
        _begins(b"\x80"),
        remedy="reading it could execute code, and it holds no weights of a network in a form known here: give the .params or .pth",
    ),
    Format(
        "a zip of other files",
        ".zip .params",
        lambda start, names: bool(names),
        remedy="unpack it and give the file of weights in it",
    ),
    Format("a zip that is cut short or damaged", ".pth .params", _begins(b"PK\x03\x04"), remedy="get it again"),
    Format(
        "a tar archive, or a file of PyTorch 0.1",
        ".tar",
        lambda start, names: start[257:262] == b"ustar" or b"\0sys_info\0" in start or start[:9] == b"sys_info\0",
        remedy="unpack it and give the file of weights in it; PyTorch 1.0 to 2.5 can load and save such an old file anew",
    ),
    Format(
        "a compressed archive",
        ".gz .bz2 .xz .7z .rar .zst",
        _begins(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd"),
        remedy="unpack it and give the file of weights in it",
    ),
    Format(
        "a web page",
        "any",
        _begins(b"<"),
        remedy="the download did not bring the file; get it again",
    ),
    Format(
        "a Git LFS pointer, not the file itself",
        "any",
        _begins(b"version https://git-lfs"),
        remedy="git lfs pull brings the file",
    ),
    Format(
        "a text file, such as the description of a network or an index of weights",
        ".json",
        _begins(b"{", b"["),
        remedy="it holds no weights; give the file of weights beside it (for MXNet's net-symbol.json: net-0000.params)",
    ),
    Format("a Keras or HDF5 file", ".h5 .hdf5", _begins(b"\x89HDF"), remedy="TensorFlow's networks are not read"),
    Format("a TensorFlow Lite file", ".tflite", lambda start, names: start[4:8] == b"TFL3", remedy="not read"),
    Format(
        "an ONNX network",
        ".onnx",
        lambda start, names: start[:1] == b"\x08" and (b"pytorch" in start or b"onnx" in start or b"mxnet" in start),
        remedy="it holds a program besides tensors; give the file of weights it was made from",
    ),
)


def format_of(path: Path) -> Format:
    """The kind of file that `path` is. Raises UserError when it is none of FORMATS."""
    with path.open("rb") as file:
        start = file.read(512)
    names = []
    if start.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except zipfile.BadZipFile:
            pass
    for kind in FORMATS:
        if kind.fits(start, names):
            return kind
    raise UserError(f"it begins with {start[:16]!r} and is no kind of file known here; hotdog reads {readable()}")


def readable() -> str:
    """The endings of files that are read, in one line."""
    endings = [ending for kind in FORMATS if kind.read for ending in kind.endings.split()]
    return ", ".join(dict.fromkeys(endings))


def formats_table() -> tuple[list[str], list[list[str]]]:
    """Header and lines of the table of files: what wrote them, how they usually end, what is done with them."""
    lines = [[f"`{kind.endings}`" if kind.endings != "any" else "any", kind.what, _done(kind)] for kind in FORMATS]
    return ["usual ending", "what it is", "here"], sorted(lines, key=lambda line: line[2] != "read")


def _done(kind):
    return "read" if kind.read else f"refused: {kind.remedy}"


def names_table() -> tuple[list[str], list[list[str]]]:
    """Header and lines of the table of names: who writes them, and what one layer and the output are called."""
    layer, lines = "features.layer2.0.conv2", []
    for key, layout in LAYOUTS.items():
        theirs = next(theirs for theirs, ours in feature_layers(key).items() if ours == layer)
        lines.append([layout.writers, f"`{theirs}.weight`", f"`{layout.output}.weight`"])
    numbered = "Gluon up to MXNet 1.9: `export`, Module, `ParameterDict.save`, `save_params`, with or without `arg:` and `aux:`"
    lines.append([numbered, "`resnetv20_stage2_conv1_weight`", "`resnetv20_dense0_weight`"])
    return ["names", "second convolution of stage 2", "output layer"], lines
