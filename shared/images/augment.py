"""Stronger augmentation of a training view, with Pillow, the same for both frameworks: Gluon lacks most of it.

Colour jitter and a small rotation, then two of the operations of RandAugment (E. D. Cubuk et al., "RandAugment: Practical automated
data augmentation with a reduced search space", 2019).
"""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

JITTER = 0.4  # brightness, contrast and colour are multiplied by 0.6 to 1.4
DEGREES = 15.0
OPERATIONS = 2  # of RandAugment, one after the other
MEAN_COLOUR = (124, 116, 104)  # ImageNet's mean: what is black before normalisation is far from anything seen


def _shear(image, amount):
    return image.transform(image.size, Image.Transform.AFFINE, (1, amount, 0, 0, 1, 0), fillcolor=MEAN_COLOUR)


RANDAUGMENT = (
    lambda image, rng: ImageOps.autocontrast(image),
    lambda image, rng: ImageOps.equalize(image),
    lambda image, rng: ImageOps.posterize(image, int(rng.integers(4, 8))),
    lambda image, rng: ImageOps.solarize(image, int(rng.integers(110, 256))),
    lambda image, rng: ImageEnhance.Sharpness(image).enhance(rng.uniform(0.1, 1.9)),
    lambda image, rng: _shear(image, rng.uniform(-0.3, 0.3)),
)


def augment(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An RGB view (H, W, 3) uint8, augmented as `rng` draws: another array of the same shape and dtype."""
    image = Image.fromarray(pixels)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(1 - JITTER, 1 + JITTER))
    image = image.rotate(rng.uniform(-DEGREES, DEGREES), Image.Resampling.BILINEAR, fillcolor=MEAN_COLOUR)
    for chosen in rng.integers(len(RANDAUGMENT), size=OPERATIONS):
        image = RANDAUGMENT[chosen](image, rng)
    return np.array(image)
