"""Which files are images that both frameworks read alike, and what their contents are: every other one is refused by its name."""

import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from shared.errors import UserError, reason_of
from shared.files import open_regular

# What Gluon's ImageFolderDataset reads; torchvision's ImageFolder reads the others as well.
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")
ONLY_TORCH = (".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp")

# RandomResizedCrop's smallest region has 8 % of the image's area, its sides as 3 to 4. With four pixels or fewer its shorter side
# rounds to none, which Gluon's resize refuses (in 1 of 4 draws from 1 x 1, 1 of 20 from 1 x 3) and torchvision's draws anew.
MIN_PIXELS = 5
# An image may be small on disk and fill the memory when it is unpacked. Pillow warns from here on, and OpenCV refuses the sides.
MAX_PIXELS = 89_478_485
MAX_SIDE = 65_535
MAX_BYTES = 1 << 30


def is_image(path) -> bool:
    """Whether the file name has an ending that both frameworks read, and is no hidden one (`._picture.jpg`)."""
    return Path(path).suffix.lower() in IMAGE_ENDINGS and not Path(path).name.startswith(".")


def check_image(file: Path):
    """Raise UserError unless `file` is an image that both frameworks read."""
    file = Path(file)
    if not os.path.lexists(file):
        raise UserError(f"no such file: {file}")
    if file.suffix.lower() not in IMAGE_ENDINGS:
        raise UserError(f"{file} is no {', '.join(IMAGE_ENDINGS)} file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        digest_of_image(file)


def fingerprint(splits, progress=None, classes=None) -> str:
    """Check all images of `splits`; returns a SHA-256 (16 digits) over their names and contents.

    progress: called with (images checked, of how many) after each. classes: put these class names before the names, for images
    whose names do not begin with their class. Raises UserError for the first image that cannot be used, with how many others
    cannot either.
    """
    digest, refused = hashlib.sha256(), []
    done, total = 0, sum(map(len, splits))
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about what is refused here or does no harm
            for split in splits:
                contents = pool.map(_digest_or_error, [split.folder / name for name in split.names])
                for name, label, content in zip(split.names, split.labels, contents, strict=True):
                    if isinstance(content, UserError):
                        refused.append(content)
                    else:
                        digest.update((f"{classes[label]}/{name}" if classes else name).encode() + content)
                    done += 1
                    if progress:
                        progress(done, total)
                digest.update(b"|")
    finally:
        pool.shutdown(cancel_futures=True)  # whatever stops this, the other thousands are not read first
    if len(refused) > 1:
        raise UserError(f"{refused[0]} ({len(refused) - 1} more cannot be used; the last: {refused[-1]})")
    if refused:
        raise refused[0]
    return digest.hexdigest()[:16]


def _digest_or_error(path):
    try:
        return digest_of_image(path)
    except UserError as error:
        return error


def digest_of_image(path: Path) -> bytes:
    """Read and decode an image; returns the SHA-256 of the file. Raises UserError unless both frameworks read it alike."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise UserError(f"cannot read the image {path}: the file is empty")
            if size > MAX_BYTES:
                raise UserError(f"cannot read the image {path}: it has {size:,} bytes, more than {MAX_BYTES:,}")
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
            file.seek(0)
            _decode(path, file)
    except UserError:
        raise
    except FileNotFoundError:
        gone = "it is a link to a file that is not there" if os.path.islink(path) else "there is no such file"
        raise UserError(f"cannot read the image {path}: {gone}") from None
    except OSError as error:  # the system's words without the path, which stands there already, or Pillow's
        raise UserError(f"cannot read the image {path}: {error.strerror or reason_of(error)}") from None
    except Exception as error:  # a damaged file makes Pillow's readers raise whatever they come upon
        raise UserError(f"cannot read the image {path}: {reason_of(error)}") from None
    return digest.digest()


def _decode(path, file):
    try:
        image = Image.open(file)
    except Image.UnidentifiedImageError:
        raise UserError(f"cannot read the image {path}: what it holds is no image") from None
    with image:
        # Whatever the ending says; MPO is what some phones write as .jpg. The frameworks read other kinds, and more than 8 bits,
        # each in its own way or not at all.
        if image.format not in ("JPEG", "MPO", "PNG") or image.mode.startswith(("I", "F")):
            raise UserError(f"{path} is a {image.format} image in mode {image.mode}: 8-bit JPEG and PNG files are read")
        width, height = image.size
        if width * height < MIN_PIXELS:
            raise UserError(
                f"{path} has {width} x {height} pixels, too few to cut a region out of (at least {MIN_PIXELS} in all): "
                "remove it"
            )
        if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            raise UserError(
                f"{path} has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,} in all or {MAX_SIDE:,} to a side: "
                "make it smaller"
            )
        image.load()  # a cut-off JPEG has a good header; OpenCV would read it silently, Pillow would not
