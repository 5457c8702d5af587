"""Views of an image: a random region for training, the centre for testing, normalised as the source network expects."""

import math

import numpy as np
from PIL import Image


def resized_side(size: int) -> int:
    """Pixels of the square an image is squashed to before its centre `size` x `size` is cut out: 256 for 224."""
    return round(size * 256 / 224)


# Mean and standard deviation per colour over ImageNet's training images, as in both implementations.
MEAN = np.array([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1)


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
    return normalised(centre_pixels(image, size), dtype)


def centre_pixels(image: Image.Image, size: int) -> np.ndarray:
    """The whole RGB image squashed to a square, its centre cut out: (size, size, 3) uint8."""
    side = resized_side(size)
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
    start = (side - size) // 2
    return pixels[start : start + size, start : start + size]


def normalised(pixels: np.ndarray, dtype: str = "float64") -> np.ndarray:
    """(H, W, 3) uint8 -> (3, H, W): divided by 255, less the mean, over the standard deviation; computed in float64."""
    return ((pixels.transpose(2, 0, 1) / 255 - MEAN) / STD).astype(dtype)


def unnormalised(views: np.ndarray) -> np.ndarray:
    """The opposite, to be looked at: (…, 3, H, W) -> (…, H, W, 3) of 0 to 1."""
    return np.moveaxis((views * STD + MEAN).clip(0, 1), -3, -1)
