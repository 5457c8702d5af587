"""Batches that neither framework has touched: read with Pillow, augmented and normalised with NumPy, ordered by a seed.

Two frameworks that are given the same batches from the same weights run in lockstep; whatever differs then is not the data.

    for X, y in batches(dataset.train, size=64, batch_size=8, seed=0): ...
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from shared.datasets import Split, resized_side

# Mean and standard deviation per colour over ImageNet's training images, as in both implementations.
MEAN = np.array([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1)


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


def random_view(image: Image.Image, size: int, rng: np.random.Generator, dtype: str = "float64") -> np.ndarray:
    """A random region of an RGB image, scaled to (3, size, size), mirrored half of the time, normalised."""
    left, top, width, height = random_region(*image.size, rng)
    box = (left, top, left + width, top + height)
    view = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))
    return normalised(view[:, ::-1] if rng.random() < 0.5 else view, dtype)


def random_region(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, width and height of a region of 8 to 100 % of the area, its sides 3:4 to 4:3; the whole image after ten tries.

    Szegedy et al., "Going Deeper with Convolutions" (2014), section 6; both frameworks' RandomResizedCrop draw so.
    """
    for _ in range(10):
        area = width * height * rng.uniform(0.08, 1)
        ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h
    return 0, 0, width, height


def centre(image: Image.Image, size: int, dtype: str = "float64") -> np.ndarray:
    """The whole RGB image squashed to a square, its centre (3, size, size) cut out, normalised."""
    side = resized_side(size)
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
    start = (side - size) // 2
    return normalised(pixels[start : start + size, start : start + size], dtype)


def normalised(pixels: np.ndarray, dtype: str = "float64") -> np.ndarray:
    """(H, W, 3) uint8 -> (3, H, W): divided by 255, less the mean, over the standard deviation; computed in float64."""
    return ((pixels.transpose(2, 0, 1) / 255 - MEAN) / STD).astype(dtype)
