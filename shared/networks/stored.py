"""Tensors in a file that are not read yet, and what becomes of them: float32, with values that a network can have."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shared.errors import UserError

CONVERTED = ("float16", "bfloat16", "float64")  # float types that files use besides float32


@dataclass(frozen=True)
class Stored:
    """A tensor in a file: its shape, the name of its dtype, and a function that reads it (bfloat16 as its bits, uint16)."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]

    @property
    def counts(self) -> bool:
        """Whether it only counts, as `n_averaged` and most `num_batches_tracked` do: one whole number."""
        return int(np.prod(self.shape)) == 1 and len(self.shape) < 2 and "int" in self.dtype


def read_float32(stored: dict[str, Stored], called: dict[str, str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The tensors of `stored` {canonical name: tensor} as float32 arrays of their own, and what was converted, in sentences.

    called: the names that they have in their file. Raises UserError naming the first tensor that is of no float type or holds
    a value that no network can have: NaN, infinity, a negative variance.
    """
    tensors, converted = {}, Counter()
    for name, tensor in stored.items():
        if tensor.dtype not in ("float32", *CONVERTED):
            raise UserError(
                f"tensor {called[name]} is {tensor.dtype}: a quantised or otherwise converted network cannot be trained here; "
                "give its float32 file"
            )
        array = tensor.read()
        if tensor.dtype == "bfloat16":
            array = (array.astype(np.uint32) << 16).view(np.float32)  # the upper half of a float32
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused below
            tensors[name] = np.array(array, np.float32, order="C").reshape(
                tensor.shape
            )  # a copy: the file can be closed
        if tensor.dtype != "float32":
            converted[tensor.dtype] += 1
        _check_values(name, tensors[name], called[name])
    return tensors, [
        f"{n} of {len(stored)} tensors were {dtype}; converted to float32" for dtype, n in converted.items()
    ]


def _check_values(name, array, called):
    faults = {"NaN": np.isnan(array), "infinite values (in float32)": np.isinf(array)}
    if name.endswith("running_var"):
        faults["negative variances"] = array < 0
    for fault, at in faults.items():
        if at.any():
            raise UserError(
                f"tensor {called} holds {fault}: {at.sum()} of {array.size}; the file is damaged or training failed"
            )
