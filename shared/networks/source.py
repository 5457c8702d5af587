"""A source network: an architecture, its tensors under canonical names, its class labels."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import UserError
from shared.networks.architecture import Architecture

HOTDOG = "hotdog"
# The book's Gluon tab takes row 713 of the ImageNet output layer for the hot dog. The number comes from an older tutorial
# (mxnet-the-straight-dope, chapter 8); in the class list that belongs to the weights MXNet downloads it is `photocopier`.
BOOK_ROW = 713
MINI_FILE = Path(__file__).with_name("source.safetensors")


@dataclass(frozen=True)
class Source:
    """A source network: `tensors` {canonical name: float32 array}, `classes` (labels of the output rows, or None).

    Without an output layer the architecture has 0 classes. notes: what was changed or left out when the file was read.
    """

    name: str
    architecture: Architecture
    tensors: dict
    classes: tuple[str, ...] | None
    fingerprint: str
    notes: tuple[str, ...] = ()

    def row(self, wanted: str | int = HOTDOG) -> int:
        """The output row labelled `wanted`, or `wanted` itself when it is a row number of this source.

        Raises UserError when the label is unknown or the number out of range.
        """
        rows = self.architecture.classes
        if rows == 0:
            raise UserError(f"{self.name} has no output layer, so there is no row to reuse; give its whole file")
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
