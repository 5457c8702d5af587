"""Images with their class indices, split into those to train on and those to test on."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import UserError

HOTDOG_CLASS = "hotdog"


@dataclass(frozen=True)
class Split:
    """Some of the images of one folder `<class>/<file>`.

    folder: what the frameworks' image-folder classes are given. names: paths of the images below `folder`. labels: their class
    indices.
    """

    folder: Path
    names: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self):
        return len(self.names)

    @property
    def items(self) -> list[tuple[str, int]]:
        """(path, class index) of every image: what both frameworks' image folders keep."""
        return [(str(self.folder / name), label) for name, label in zip(self.names, self.labels, strict=True)]

    def take(self, positions) -> "Split":
        """The images at `positions` of this split."""
        return Split(self.folder, *(tuple(values[i] for i in positions) for values in (self.names, self.labels)))


@dataclass(frozen=True)
class Dataset:
    """Training and test images of the same classes; `fingerprint` is a SHA-256 (16 digits) over names and contents."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    fingerprint: str

    @property
    def hotdog_slot(self) -> int:
        """The index of the class `hotdog`. Raises UserError when there is none."""
        if HOTDOG_CLASS not in self.classes:
            raise UserError(
                f"{self.name} has no class folder named {HOTDOG_CLASS!r} (it has {', '.join(self.classes)}), "
                "so no output row can be reused for it"
            )
        return self.classes.index(HOTDOG_CLASS)


def stratified(split, limit):
    """Positions of `limit` images of `split`, the classes in equal parts, in split order; the same ones every time."""
    rng = np.random.default_rng(0)
    by_class = [
        list(rng.permutation([i for i, label in enumerate(split.labels) if label == wanted]))
        for wanted in sorted(set(split.labels))
    ]
    chosen = []
    while len(chosen) < limit and any(by_class):
        for positions in by_class:
            if positions and len(chosen) < limit:
                chosen.append(int(positions.pop()))
    return sorted(chosen)


def describe(dataset: Dataset) -> str:
    """`hotdog: 2000 training and 800 test images; hotdog 1000 + 400, not-hotdog 1000 + 400`."""
    train, test = Counter(dataset.train.labels), Counter(dataset.test.labels)
    classes = (f"{name} {train[i]} + {test[i]}" for i, name in enumerate(dataset.classes))
    return f"{dataset.name}: {len(dataset.train)} training and {len(dataset.test)} test images; " + ", ".join(classes)
