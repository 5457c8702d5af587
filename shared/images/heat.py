"""A map of how much each place of an image counts, laid over the image. No framework is known here."""

import numpy as np
from PIL import Image

from shared.images.views import resized_side

COLOUR = np.array([20, 80, 255])  # blue, which food is not
MOST = 0.75  # of the colour, where the map is highest
UNSEEN = 0.35  # of the light that is left to what lies outside of the network's view


def enlarged(heat: np.ndarray, width: int, height: int) -> np.ndarray:
    """A map (h, w) as (height, width) float32, between the middles of its places bilinear."""
    picture = Image.fromarray(np.ascontiguousarray(heat, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def seen_region(width: int, height: int, size: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a network that is given `size` x `size` pixels sees of an image of width x height.

    The image is squashed to a square, whose centre is cut out, see `shared.images.views.centre`.
    """
    side = resized_side(size)
    start, end = (side - size) // 2 / side, ((side - size) // 2 + size) / side
    return round(start * width), round(start * height), round(end * width), round(end * height)


def overlay(image: Image.Image, heat: np.ndarray, size: int, side: int = 640) -> Image.Image:
    """The RGB image with its map (h, w) over what a network of `size` pixels saw of it; what it did not see is dark.

    The highest value of the map gets the whole colour. A large image is shrunk to `side` pixels, a small one
    enlarged by a whole number to about half of that.
    """
    scale = side / max(image.size)
    if scale > 1:
        scale = max(1, round(scale / 2))
    width, height = (max(1, round(scale * length)) for length in image.size)
    pixels = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    left, top, right, bottom = seen_region(width, height, size)
    shown = UNSEEN * pixels
    highest = float(heat.max())
    share = enlarged(heat / highest if highest > 0 else heat, right - left, bottom - top)[..., None] * MOST
    shown[top:bottom, left:right] = (1 - share) * pixels[top:bottom, left:right] + share * COLOUR
    return Image.fromarray(shown.round().clip(0, 255).astype(np.uint8))
