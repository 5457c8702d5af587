"""Files that `torch.save` writes, read without executing anything in them, and safetensors."""

import argparse
import collections
import datetime
import json
import pathlib
import pickletools
import re
import types
import warnings
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import safe_open

from shared.errors import UserError, reason_of
from shared.networks.stored import Stored

MOST_BYTES = 4 << 30  # of one file, unpacked
DEEPEST = 12  # dicts in dicts; a checkpoint's tensors stand at most in the fourth
DTYPES = {  # by safetensors' names; it has others, of fewer than 16 bits, which no network here is made of
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8"},
    **{"U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8"},
}


def read_torch(path: Path) -> dict[str, dict[str, Stored]]:
    """{key in the file: {name: tensor}}: every dict of tensors in a checkpoint, at whatever key a training script put it."""
    import torch

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise UserError(
                    f"it says that it holds more than {MOST_BYTES >> 30} GiB; no network of this family does"
                )
    try:
        with torch.serialization.safe_globals(_harmless()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        objects = _objects_in(path)
        if not objects:
            own = re.search(r"WeightsUnpickler error:\s*(.*)", str(error))  # behind a paragraph of advice
            reason = own[1] if own else reason_of(error)
            if reason.startswith("Unsupported operand"):
                reason += ", of a pickle protocol above 3; save it again with torch.save's own (2)"
            raise UserError(f"torch cannot load it without executing code: {reason}") from None
        raise UserError(_objects_refused(objects)) from None
    dicts = {}
    _collect(content, "", dicts, DEEPEST, set())
    return dicts


def _harmless():
    """What training scripts store beside tensors and what executes nothing when it is made: numbers, arguments, paths, dates."""
    plain = (bool, int, float, complex, str, list, tuple, dict, set, frozenset)
    plain += (argparse.Namespace, types.SimpleNamespace, collections.Counter)
    plain += (datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone)
    numpys, paths = ("numpy.core.multiarray", "numpy._core.multiarray"), ("pathlib", "pathlib._local")  # older, newer
    aliases = [(getattr(np.core.multiarray, name), numpys, name) for name in ("scalar", "_reconstruct")]
    aliases += [(pathlib.PurePosixPath, paths, name) for name in ("PosixPath", "PurePosixPath")]
    aliases += [(pathlib.PureWindowsPath, paths, name) for name in ("WindowsPath", "PureWindowsPath")]
    kinds = (
        "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 ? c8 c16 U1 S1 M8 m8 O".split()
    )  # O: what it holds is looked at like the rest
    dtypes = {type(np.dtype(kind)) for kind in kinds}
    return [
        *(np.ndarray, np.dtype, *dtypes, *plain),
        (_plain_dict, "collections.defaultdict"),  # torch puts nothing into the class itself
        *((it, f"__builtin__.{it.__name__}") for it in plain if it.__module__ == "builtins"),  # protocol 2 calls it so
        *((stand_in, f"{module}.{name}") for stand_in, modules, name in aliases for module in modules),
    ]


def _plain_dict(*_):
    return {}


def _objects_in(path):
    """The classes and functions that a file of pickles names and that torch does not take for tensors, in file order."""
    names = []
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                pickles = [archive.open(n) for n in archive.namelist() if n.endswith("data.pkl")]
        else:
            pickles = [path.open("rb")] * 4  # one behind the other in the same file: magic, version, system, content
        for file in pickles:
            names += _globals(file)
    except Exception:  # damaged from here on: what was found until then says enough
        pass
    known = ("torch._utils.", "torch._tensor.", "torch.serialization.", "collections.OrderedDict", "_codecs.encode")
    plain = [n for n in dict.fromkeys(names) if not n.startswith(known) and not n.endswith(("Storage", "torch.Size"))]
    harmless = {it[1] if isinstance(it, tuple) else f"{it.__module__}.{it.__qualname__}" for it in _harmless()}
    return [n for n in plain if n not in harmless and not (n.startswith("torch.") and n.count(".") == 1)]


def _globals(file):
    """`module.name` of everything that one pickle would import; nothing is imported."""
    strings, memo = [], {}
    for code, argument, _ in pickletools.genops(file):
        if code.name == "GLOBAL":
            yield argument.replace(" ", ".")
        elif code.name == "STACK_GLOBAL":
            yield ".".join(strings[-2:])
        elif code.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            memo[len(memo) if argument is None else int(argument)] = strings[-1] if strings else ""
        elif code.name in ("BINGET", "LONG_BINGET", "GET"):
            strings.append(memo.get(int(argument), ""))
        elif isinstance(argument, str):
            strings.append(argument)


def _objects_refused(objects):
    modules = any(name.startswith(("torch.nn.modules.", "torch.jit.")) for name in objects)
    what = "it is a whole pickled network, or holds modules of one" if modules else "it holds objects besides tensors"
    first = ", ".join(objects[:3]) + (f" and {len(objects) - 3} more" if len(objects) > 3 else "")
    tensors = "net.state_dict()" if modules else "checkpoint['state_dict']"
    return (
        f"{what} ({first}), and reading those would execute code. "
        f"Where it was made, save the tensors alone: torch.save({tensors}, 'weights.pth')"
    )


def _collect(node, key, dicts, depth, seen):
    """Enter every dict of tensors below `node` into `dicts`."""
    if isinstance(node, list | tuple):
        node = dict(enumerate(node))
    elif id(node) in seen:  # what contains itself
        return
    if depth == 0 or not isinstance(node, Mapping):
        return
    seen.add(id(node))
    tensors = {}
    for name, value in node.items():
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            tensors[str(name)] = Stored(value.shape, str(value.dtype), partial(np.asarray, value))
        elif hasattr(value, "layout") and hasattr(value, "detach"):
            tensors[str(name)] = _stored_tensor(value)
        else:
            _collect(value, f"{key}.{name}" if key else str(name), dicts, depth - 1, seen)
    if tensors:
        dicts[key] = tensors


def _stored_tensor(tensor):
    import torch

    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_quantized:
        return Stored(tuple(tensor.shape), f"{dtype} and {str(tensor.layout).removeprefix('torch.')}", lambda: None)
    if tensor.device.type == "meta":
        return Stored(tuple(tensor.shape), f"{dtype} without values (device 'meta')", lambda: None)
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:  # which NumPy does not have
        return Stored(tuple(tensor.shape), dtype, lambda: tensor.view(torch.int16).numpy().view(np.uint16))
    return Stored(tuple(tensor.shape), dtype, lambda: tensor.resolve_conj().resolve_neg().numpy())


def read_safetensors(path: Path) -> tuple[dict[str, Stored], dict[str, str]]:
    """The named tensors of a .safetensors file, and its metadata."""
    file = safe_open(str(path), framework="numpy")
    tensors = {}
    for name in file.keys():
        piece = file.get_slice(name)
        dtype = DTYPES.get(piece.get_dtype(), piece.get_dtype())
        read = _bits if dtype == "bfloat16" else _tensor
        tensors[name] = Stored(tuple(piece.get_shape()), dtype, partial(read, path, file, name))
    return tensors, file.metadata() or {}


def _tensor(path, file, name):
    return file.get_tensor(name)


def _bits(path, file, name):
    # NumPy has no bfloat16, so safetensors does not hand it over. A file is the length of a header, the header, the data.
    data = np.memmap(path, np.uint8, mode="r")
    length = int(data[:8].view("<u8")[0])
    start, end = json.loads(data[8 : 8 + length].tobytes())[name]["data_offsets"]
    return data[8 + length + start : 8 + length + end].view("<u2")
