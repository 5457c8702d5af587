"""Batches that neither framework has touched: read with Pillow, augmented and normalised with NumPy, ordered by a seed.

Two frameworks that are given the same batches from the same weights run in lockstep; whatever differs then is not the data.

    for X, y in batches(dataset.train, size=64, batch_size=8, seed=0): ...
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from shared.images.splits import Split
from shared.images.views import centre, random_view


@dataclass(frozen=True)
class Batches:
    """Batches of `split`, the same ones each time they are gone through, and others for another `epoch`.

    Gives X (N, 3, size, size) of `dtype`, y (N,) int64; the last batch is short where the numbers do not divide.
    augment: a random region, mirrored half of the time, in random order; otherwise the centre, in the split's own order.
    """

    split: Split
    size: int
    batch_size: int
    seed: int
    epoch: int = 0
    augment: bool = True
    dtype: str = "float64"

    def __len__(self):
        return math.ceil(len(self.split) / self.batch_size)

    def __iter__(self):
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.split)) if self.augment else np.arange(len(self.split))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            X = [self._image(self.split.folder / self.split.names[i], rng) for i in chosen]
            yield np.stack(X), np.array([self.split.labels[i] for i in chosen], dtype=np.int64)

    def _image(self, file, rng):
        with Image.open(file) as image:
            image = image.convert("RGB")
        return random_view(image, self.size, rng, self.dtype) if self.augment else centre(image, self.size, self.dtype)


def batches(split: Split, size: int, batch_size: int, seed: int, steps: int, dtype: str = "float64") -> list:
    """The first `steps` augmented batches of as many epochs of `split` as that takes, in one list of (X, y)."""
    found = []
    for epoch in range(steps):
        found += itertools.islice(Batches(split, size, batch_size, seed, epoch, dtype=dtype), steps - len(found))
        if len(found) >= steps:
            return found[:steps]
    return found
