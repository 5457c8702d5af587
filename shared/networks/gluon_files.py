"""Files that MXNet writes, read without MXNet: its list of arrays (0.x to 1.9), and the zip of .npy files of 2.0.

MXNet itself reads such a list in one of two modes, each of which refuses files of the other, and ends the process on some damaged
ones. The layout is short (`NDArray::Save` and `Load` in src/ndarray/ndarray.cc): all numbers little-endian,

    list    uint64 0x112, uint64 reserved, uint64 number of arrays, the arrays, uint64 number of names, the names
    name    uint64 length, its bytes
    array   uint32 magic, int32 storage type (V2, V3), shape, int32 device type, int32 device number, int32 dtype, the data
    shape   uint32 number of dimensions, the dimensions: int64 (V1, V2, V3), uint32 (without magic, where the number comes first)

V3 is written under NumPy shape semantics (since 1.6), V2 without (since 0.12), V1 and files without a magic are older.
"""

import math
import struct
import zipfile
from pathlib import Path

import numpy as np

from shared.errors import UserError
from shared.networks.stored import Stored

LIST = 0x112
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
# mshadow's type flags
DTYPES = dict(
    enumerate("float32 float64 float16 uint8 int32 int8 int64 bool int16 uint16 uint32 uint64 bfloat16".split())
)
MOST_DIMENSIONS, LONGEST_NAME = 32, 4096
MOST_BYTES = 4 << 30  # of one network: sixteen times ResNet-152


class _Bytes:
    """A file from front to back; whatever reaches beyond its end is refused."""

    def __init__(self, path):
        self.data = np.memmap(path, np.uint8, mode="r")
        self.at = 0

    def skip(self, count, what):
        if count < 0 or count > len(self.data) - self.at:
            raise UserError(
                f"it is cut short or damaged: {what} needs {count} bytes at {self.at}, the file has {len(self.data)}"
            )
        self.at += count
        return self.at - count

    def bytes(self, count, what):
        start = self.skip(count, what)
        return self.data[start : start + count]

    def numbers(self, format, what):
        format = f"<{format}"
        return struct.unpack(format, self.bytes(struct.calcsize(format), what).tobytes())


def read_ndarray_list(path: Path) -> dict[str, Stored]:
    """The named tensors of a list of arrays as `save_parameters`, `export`, `nd.save` and Module write it, in file order."""
    file = _Bytes(path)
    _, _, count = file.numbers("QQQ", "the header")
    if count > len(file.data) // 4:
        raise UserError(f"it is damaged: its header speaks of {count} arrays")
    arrays = [_read_array(file, f"array {i + 1} of {count}") for i in range(count)]
    (names,) = file.numbers("Q", "the number of names")
    if names != count:
        raise UserError(
            f"it holds {count} arrays and {names} names; without names nobody can tell which array is which: "
            "save a dict, mx.nd.save(file, {name: array})"
        )
    tensors = {}
    for i, array in enumerate(arrays):
        (length,) = file.numbers("Q", f"the length of name {i + 1}")
        if length > LONGEST_NAME:
            raise UserError(f"it is damaged: name {i + 1} has {length} bytes")
        name = file.bytes(length, f"name {i + 1}").tobytes().decode("utf-8", "backslashreplace")
        if name in tensors:
            raise UserError(f"it holds two arrays that are called {name}")
        tensors[name] = array
    return tensors


def _read_array(file, what):
    (magic,) = file.numbers("I", what)
    if magic in (V2, V3):
        (storage,) = file.numbers("i", what)
        if storage != 0:
            raise UserError(f"{what} is stored as a sparse array; save it with .tostype('default')")
    size = "q" if magic in (V1, V2, V3) else "I"
    (dimensions,) = file.numbers("i", what) if size == "q" else (magic,)
    if dimensions == (-1 if magic == V3 else 0):
        return Stored((), "nothing (an array without shape)", lambda: None)  # ends here, nothing is stored
    if not 0 <= dimensions <= MOST_DIMENSIONS:
        raise UserError(f"it is damaged: {what} has {dimensions} dimensions")
    shape = file.numbers(f"{dimensions}{size}", what)
    if min(shape, default=0) < 0:
        raise UserError(f"it is damaged: {what} has the shape {shape}")
    _, _, flag = file.numbers("iii", what)  # on which device it was does not matter
    if flag not in DTYPES:
        raise UserError(f"it is damaged: {what} has the type {flag}, which MXNet has not")
    dtype = DTYPES[flag]
    stored_as = np.dtype("uint16" if dtype == "bfloat16" else dtype).newbyteorder("<")
    count = math.prod(shape)
    start = file.skip(count * stored_as.itemsize, what)
    return Stored(shape, dtype, lambda: np.frombuffer(file.data, stored_as, count, start).reshape(shape))


def read_npz(path: Path) -> dict[str, Stored]:
    """The tensors of a zip of .npy files: MXNet 2's `save_parameters` and `export` (as .params), `numpy.savez` (as .npz)."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > MOST_BYTES:
            raise UserError(f"it says that it holds more than {MOST_BYTES >> 30} GiB; no network of this family does")
        tensors = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in tensors:
                raise UserError(f"it holds two arrays that are called {name}")
            with archive.open(member) as file:
                tensors[name] = _read_npy(file, member.file_size, path, member, name)
    return tensors


def _read_npy(file, size, path, member, name):
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        shape, fortran, dtype = readers[np.lib.format.read_magic(file)](file)
    except (ValueError, KeyError):
        raise UserError(f"{member.filename} in it is no .npy file of an array") from None
    start = file.tell()
    if dtype.hasobject:
        raise UserError(f"{name} holds Python objects; reading them could execute code")
    if math.prod(shape) * dtype.itemsize != size - start:
        raise UserError(f"it is damaged: {name} of shape {shape} does not fit its {size} bytes")

    def read():
        with zipfile.ZipFile(path) as archive:
            data = archive.read(member)[start:]
        return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")

    return Stored(tuple(shape), dtype.name, read)
