"""The embedded default's two sets of drawings, as folders of PNG files.

    hotdog mini build      draws the source set, trains the source network on it, stores its weights

The pictures are drawn on the user's machine, on all its cores; only the weights of the source network are stored in the
repository.
"""

import json
import os
import selectors
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np

from shared.files import whole_folder
from shared.images.mini.render import SOURCE_CLASSES, TARGET_CLASSES, VERSION, draw

SIZE = 64  # pixels to each side
SPLITS = ("train", "test")
SOURCE_COUNTS = (500, 60)  # drawings of each class to train on, and held out
TARGET_COUNTS = (500, 200)
TARGET_TOTAL = sum(TARGET_COUNTS) * len(TARGET_CLASSES)
DRAWINGS_PER_PROCESS = 150  # fewer are drawn sooner than another process starts (0.4 s; a drawing takes 5 ms)


def write_target(folder, seed=0, counts=TARGET_COUNTS, tick=None):
    """Write the target set: folder/{train,test}/{hotdog,not-hotdog}/NNNN.png, 64x64 RGB.

    counts: drawings of each class in (train, test). tick: called with no arguments after each one.
    The folder appears only when it is complete. Raises FileExistsError where there is one already.
    """
    _write(Path(folder), "target", TARGET_CLASSES, seed, counts, tick)


def write_source(folder, seed=0, counts=SOURCE_COUNTS, tick=None):
    """Write the source set: folder/{train,test}/<class>/NNNN.png; otherwise as `write_target`."""
    _write(Path(folder), "source", SOURCE_CLASSES, seed, counts, tick)


def target_folder(cache, tick=None, counts=TARGET_COUNTS):
    """The target set's folder below `cache`; drawn first, by one process, if it is not there. Returns a Path."""
    folder = Path(cache) / f"mini-target-v{VERSION}"
    return whole_folder(folder, lambda partial: _draw_all(partial, "target", TARGET_CLASSES, 0, counts, tick))


def source_folder(cache, tick=None, counts=SOURCE_COUNTS):
    """The source set's folder below `cache`; drawn first, by one process, if it is not there. Returns a Path."""
    folder = Path(cache) / f"mini-source-v{VERSION}"
    return whole_folder(folder, lambda partial: _draw_all(partial, "source", SOURCE_CLASSES, 0, counts, tick))


def drawing(style, split, name, index, seed=0):
    """One picture of a set. It depends on these five values only, not on what was drawn before."""
    words = [zlib.crc32(word.encode()) for word in (style, split, name)]
    return draw(name, style, np.random.default_rng([seed, *words, index]), SIZE)


def _write(folder, style, classes, seed, counts, tick):
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; delete it or name another folder")
    whole_folder(folder, lambda partial: _draw_all(partial, style, classes, seed, counts, tick))


def _draw_all(folder, style, classes, seed, counts, tick):
    pictures = [
        (split, name, index)
        for split, count in zip(SPLITS, counts, strict=False)
        for name in classes
        for index in range(count)
    ]
    for split in SPLITS[: len(counts)]:
        for name in classes:
            (folder / split / name).mkdir(parents=True)
    processes = min(len(os.sched_getaffinity(0)), len(pictures) // DRAWINGS_PER_PROCESS)
    if processes > 1 and sys.executable:
        _draw_in_processes(folder, style, seed, [pictures[i::processes] for i in range(processes)], tick)
    else:
        _draw(folder, style, seed, pictures, tick or (lambda: None))


def _draw(folder, style, seed, pictures, tick):
    for split, name, index in pictures:
        picture = drawing(style, split, name, index, seed)
        picture.save(folder / split / name / f"{index:04d}.png", compress_level=1)
        tick()


def _draw_in_processes(folder, style, seed, shares, tick):
    """Draw each share in a process of its own, which writes a byte for every picture it has drawn.

    Programs, not multiprocessing: that one would import the caller's main file anew, which a notebook or a script without
    `if __name__ == "__main__"` does not bear, and cannot be used in a process of a pool.
    """
    root = Path(__file__).parents[3]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OMP_NUM_THREADS": "1",
    }
    workers = []
    try:
        with selectors.DefaultSelector() as selector:
            for share in shares:
                worker = subprocess.Popen(
                    [sys.executable, "-m", "shared.images.mini.drawings"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environment,
                    start_new_session=True,  # the keyboard's interruption is this process's, which ends the workers
                )
                workers.append(worker)
                worker.stdin.write(json.dumps([str(folder.absolute()), style, seed, share]).encode())
                worker.stdin.close()
                selector.register(worker.stdout, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    drawn = os.read(key.fd, 1 << 16)
                    if not drawn:
                        selector.unregister(key.fileobj)
                    for _ in range(len(drawn) if tick else 0):
                        tick()
        code = next(filter(None, (worker.wait() for worker in workers)), 0)
        if code:  # what a worker exits with is the number of the system's error
            raise OSError(max(code, 0), os.strerror(code) if code > 0 else f"ended by signal {-code}", str(folder))
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.stdout.close()


def _draw_as_worker():
    folder, style, seed, share = json.load(sys.stdin)
    try:
        _draw(Path(folder), style, seed, share, lambda: os.write(1, b"."))
    except OSError as error:  # a broken pipe, too: then nobody waits for these any more
        sys.exit(error.errno or 1)


if __name__ == "__main__":
    _draw_as_worker()
