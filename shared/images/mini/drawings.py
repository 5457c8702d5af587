"""Builds the embedded default: both sets of drawings as folders of PNG files, and the source network.

    hotdog mini build      draws the source set, trains the source network on it, stores its weights

The pictures are drawn on the user's machine; only the weights (`source.safetensors`) are stored in
the repository.
"""

import os
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np

from shared.images.mini.render import SOURCE_CLASSES, TARGET_CLASSES, VERSION, draw

SIZE = 64  # pixels to each side
SPLITS = ("train", "test")
SOURCE_COUNTS = (500, 60)  # drawings of each class to train on, and held out
TARGET_COUNTS = (500, 200)


def write_target(folder, seed=0, counts=TARGET_COUNTS, tick=None):
    """Write the target set: folder/{train,test}/{hotdog,not-hotdog}/NNNN.png, 64x64 RGB.

    counts: drawings of each class in (train, test). tick: called with no arguments after each one.
    The folder appears only when it is complete. Raises FileExistsError where there is one already.
    """
    _write(Path(folder), "target", TARGET_CLASSES, seed, counts, tick)


def write_source(folder, seed=0, counts=SOURCE_COUNTS, tick=None):
    """Write the source set: folder/{train,test}/<class>/NNNN.png; otherwise as `write_target`."""
    _write(Path(folder), "source", SOURCE_CLASSES, seed, counts, tick)


def target_folder(cache, tick=None):
    """The target set's folder below `cache`; drawn first if it is not there. Returns a Path."""
    return _cached(Path(cache) / f"mini-target-v{VERSION}", write_target, tick)


def source_folder(cache, tick=None):
    """The source set's folder below `cache`; drawn first if it is not there. Returns a Path."""
    return _cached(Path(cache) / f"mini-source-v{VERSION}", write_source, tick)


def drawing(style, split, name, index, seed=0):
    """One picture of a set. It depends on these five values only, not on what was drawn before."""
    words = [zlib.crc32(word.encode()) for word in (style, split, name)]
    return draw(name, style, np.random.default_rng([seed, *words, index]), SIZE)


def _write(folder, style, classes, seed, counts, tick):
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; delete it or name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Drawn beside its place and moved there at the end: whoever finds the folder finds all of it.
    rough = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        rough.chmod(0o755)  # mkdtemp's folders are closed to others
        for split, count in zip(SPLITS, counts, strict=False):
            for name in classes:
                where = rough / split / name
                where.mkdir(parents=True)
                for index in range(count):
                    picture = drawing(style, split, name, index, seed)
                    picture.save(where / f"{index:04d}.png", compress_level=1)
                    if tick:
                        tick()
        os.rename(rough, folder)
    finally:
        shutil.rmtree(rough, ignore_errors=True)


def _cached(folder, write, tick):
    if not folder.exists():
        try:
            write(folder, tick=tick)
        except OSError:
            if not folder.exists():  # unless another process was faster
                raise
    return folder
