"""Test images as a camera may spoil them: darkened, noisy, shifted. The same pixels for both frameworks, and every time.

They are spoiled as the network sees them, squashed and cut out: noise on a larger picture would be averaged away.
"""

import numpy as np
from PIL import Image

from shared.images.draws import generator
from shared.images.splits import Split
from shared.images.views import centre_pixels

BRIGHTNESS = 0.1  # what is left of it
NOISE = 128  # standard deviation, of 255: half of what a pixel can be
SHIFT = 0.5  # of the width


def darkened(pixels: np.ndarray, position: int) -> np.ndarray:
    """A tenth of the brightness, in whole numbers: most of the shades are lost."""
    return np.round(pixels * BRIGHTNESS).astype(np.uint8)


def noisy(pixels: np.ndarray, position: int) -> np.ndarray:
    """Gaussian noise of standard deviation 128 on every colour of every pixel, cut off at 0 and 255."""
    noise = generator(0, "noise", position).normal(0, NOISE, pixels.shape)
    return np.clip(np.round(pixels + noise), 0, 255).astype(np.uint8)


def shifted(pixels: np.ndarray, position: int) -> np.ndarray:
    """Moved to the right by half of the width; what was not in the picture is black."""
    moved, by = np.zeros_like(pixels), round(SHIFT * pixels.shape[1])
    moved[:, by:] = pixels[:, :-by]
    return moved


# {what is done to the images: (pixels (H, W, 3) uint8, position in the split) -> pixels of the same kind}
CORRUPTIONS = {"as they are": lambda pixels, position: pixels, "darkened": darkened, "noisy": noisy, "shifted": shifted}


def corrupted(split: Split, size: int, corruption: str) -> np.ndarray:
    """All images of `split` at `size` pixels, spoiled by `corruption`, one of CORRUPTIONS: (N, size, size, 3) uint8."""
    found = []
    for position, name in enumerate(split.names):
        with Image.open(split.folder / name) as image:
            pixels = centre_pixels(image.convert("RGB"), size)
        found.append(CORRUPTIONS[corruption](pixels, position))
    return np.stack(found)
