"""Small folders of images made for one purpose each, in the shape {train,test}/{hotdog,not-hotdog}/."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("hotdog", "not-hotdog")


def solid_colours(folder: Path, count=11) -> Path:
    """`count` training and as many test images of one colour each, no two alike: still told apart when cropped and mirrored."""
    for split in ("train", "test"):
        for i in range(count):
            _save(
                Image.new("RGB", (40, 36), (21 * i, 255 - 19 * i, 9 * i)), folder, split, CLASSES[i % 2], f"{i:02d}.png"
            )
    return folder


def kinds_of_files(folder: Path) -> Path:
    """Colour, grey, transparent, palette, CMYK and EXIF-turned images, JPEG and PNG, wide, tall and tiny."""
    rng = np.random.default_rng(0)

    def scene(width, height):
        # smooth, as a photograph is: JPEG leaves little of pure noise
        small = Image.fromarray(rng.integers(0, 256, (max(height // 8, 2), max(width // 8, 2), 3), dtype=np.uint8))
        return small.resize((width, height), Image.Resampling.BICUBIC)

    turned = Image.Exif()
    turned[0x0112] = 6  # "the top of the picture is on its right side"
    clear = scene(50, 60)
    clear.putalpha(Image.fromarray(rng.integers(0, 256, (60, 50), dtype=np.uint8)))
    for split in ("train", "test"):
        _save(scene(97, 53), folder, split, "hotdog", "colour.jpg", quality=90)
        _save(scene(64, 64), folder, split, "hotdog", "cmyk.jpg", convert="CMYK")
        _save(scene(80, 45), folder, split, "hotdog", "turned.jpg", exif=turned)
        _save(scene(61, 47), folder, split, "hotdog", "grey.png", convert="L")
        _save(scene(47, 61), folder, split, "not-hotdog", "grey.jpeg", convert="L")
        _save(clear, folder, split, "not-hotdog", "clear.png")
        _save(scene(30, 200), folder, split, "not-hotdog", "tall.PNG")
        _save(scene(301, 11), folder, split, "not-hotdog", "wide.JPG")
        _save(scene(3, 2), folder, split, "not-hotdog", "tiny.png")
        _save(scene(33, 33), folder, split, "not-hotdog", "palette.png", convert="P")
    return folder


def position_coded(width=256, height=192) -> Image.Image:
    """Red says how far right a pixel is, green how far down: 0 to 255 over the whole image."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([across, down, 0 * down], axis=2).round().astype(np.uint8))


def position_coded_files(folder: Path) -> Path:
    """A few images of `position_coded`, of several sizes."""
    for split in ("train", "test"):
        for i, size in enumerate(((256, 192), (180, 240), (200, 200), (320, 210), (160, 250))):
            _save(position_coded(*size), folder, split, CLASSES[i % 2], f"{i:02d}.png")
    return folder


def region_of(view: np.ndarray) -> tuple[float, float, float, float, bool]:
    """Left, top, width and height (shares of the whole image) and whether mirrored, read off a view (2+, S, S) of `position_coded`.

    The view is in levels 0 to 255. Exact within about half a pixel.
    """
    side = view.shape[1]
    slope_x, start_x = np.polyfit(np.arange(side) + 0.5, view[0].mean(axis=0) / 255, 1)
    slope_y, start_y = np.polyfit(np.arange(side) + 0.5, view[1].mean(axis=1) / 255, 1)
    width, height = abs(slope_x) * side, abs(slope_y) * side
    return min(start_x, start_x + slope_x * side), start_y, width, height, bool(slope_x < 0)


def _save(image, folder, split, name, file, convert=None, **options):
    where = folder / split / name
    where.mkdir(parents=True, exist_ok=True)
    (image.convert(convert) if convert else image).save(where / file, **options)
