"""Images with their class indices, split into those to train on and those to test on."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from shared.errors import UserError, printable
from shared.images.checks import ONLY_TORCH

HOTDOG_CLASS = "hotdog"
SPLIT_SEED = 0  # of the share of every class that is split off for testing; one for all, so that runs can be compared
MANY_CLASSES = 20  # more than these are not listed one by one
IMBALANCE = 3  # how many times as many images of one class as of another are pointed out


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
    """Training and test images of the same classes; `fingerprint` is a SHA-256 (16 digits) over names and contents.

    split: where the images came without a split, the share of every class that is tested on, and the seed that chose it.
    left_out: how many entries of each kind (`.db`, `hidden`, `.webp`) lie beside the images and are not read. notes: what else
    is to be known about the layout, in sentences.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    fingerprint: str
    split: dict | None = None
    left_out: Counter = field(default_factory=Counter, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def trained_on(self, count: int | None) -> "Dataset":
        """With at most `count` of the training images, the classes in equal parts, the same ones every time; None: with all."""
        if count is None or count >= len(self.train):
            return self
        if count < len(self.classes):
            raise UserError(f"{self.name} has {len(self.classes)} classes; {count} training images are not one of each")
        return replace(self, train=self.train.take(stratified(self.train, count)))

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


def split_off(split: Split, share: float, classes, seed: int = SPLIT_SEED) -> tuple[Split, Split]:
    """(what is left, what is split off): the `share` of every class, at least one image of it, drawn by `seed` class by class.

    Raises UserError for a class of one image.
    """
    off = []
    for label, name in enumerate(classes):
        own = [i for i, y in enumerate(split.labels) if y == label]
        if len(own) < 2:
            raise UserError(f"{split.folder} has only one image of {name}: at least two are needed to split them")
        number = min(max(round(share * len(own)), 1), len(own) - 1)
        off += np.random.default_rng([seed, label]).permutation(own)[:number].tolist()
    return split.take(sorted(set(range(len(split))) - set(off))), split.take(sorted(off))


def class_weights(split: Split) -> np.ndarray:
    """Weight of every class, (classes,) float64: inversely proportional to its number of images, on average 1 over the images.

    The n images of K classes, c of them of one class, give that class n / (K c): every class then weighs the same in all.
    """
    counts = np.bincount(split.labels)
    if not counts.all():
        raise UserError(f"{split.folder} has no image of class {int(counts.argmin())}, so no weight for it")
    return len(split) / (len(counts) * counts)


def describe(dataset: Dataset) -> str:
    """`hotdog: 2000 training and 800 test images; hotdog 1000 + 400, not-hotdog 1000 + 400`."""
    train, test = Counter(dataset.train.labels), Counter(dataset.test.labels)
    classes = [f"{name} {train[i]} + {test[i]}" for i, name in enumerate(dataset.classes)]
    if len(classes) > MANY_CLASSES:
        ranked = sorted(range(len(classes)), key=lambda i: -train[i])
        classes = [f"{len(classes)} classes, from {classes[ranked[0]]} to {classes[ranked[-1]]}"]
    return printable(
        f"{dataset.name}: {len(dataset.train)} training and {len(dataset.test)} test images; {', '.join(classes)}"
    )


def remarks(dataset: Dataset) -> list[str]:
    """What a user should know about these images before training on them, a line each: what was left out, split, unbalanced."""
    lines = [*dataset.notes, *left_out_lines(dataset.left_out)]
    counts = Counter(dataset.train.labels)
    most, least = max(counts, key=counts.get), min(counts, key=counts.get)
    if counts[most] > IMBALANCE * counts[least]:
        lines.append(
            f"Unbalanced: {counts[most]} training images of {dataset.classes[most]}, {counts[least]} of "
            f"{dataset.classes[least]}; --balance weighs the classes so that each counts as much."
        )
    return [printable(line) for line in lines]


def left_out_lines(left_out: Counter) -> list[str]:
    """What lies beside the images and is not read, in up to two sentences: what one framework would read, and what neither."""
    alone = {kind: n for kind, n in left_out.items() if kind in ONLY_TORCH}
    others = {kind: n for kind, n in left_out.items() if kind not in ONLY_TORCH}
    lines = []
    if alone:
        lines.append(
            f"Left out: {_counted(alone)}, which PyTorch would read and Gluon would not; save them as .png or .jpg to use them."
        )
    if others:
        lines.append(f"Left out, as neither framework reads them: {_counted(others)}.")
    return lines


def _counted(kinds):
    return ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
