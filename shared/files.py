"""Files and folders that appear whole or not at all, paths as users write them, and files that can be opened safely."""

import os
import shutil
import stat
import sys
from contextlib import contextmanager
from pathlib import Path

from shared.errors import UserError, printable


def user_path(text) -> Path:
    """The path that a user wrote, with `~` and `~name` resolved. Raises UserError where nobody has that name."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(f"{text}: no home folder is known for {Path(text).parts[0]}; write the path in full") from None


def write_atomically(path: Path, write):
    """Call `write` with a temporary path beside `path`, then move the result there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(scratch)
        os.replace(scratch, path)
    except OSError as error:
        if error.filename is None:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from error  # and not the scratch file's name
    finally:
        scratch.unlink(missing_ok=True)


def new_folder(out: Path, stem: str) -> Path:
    """Make and return the first folder `stem`-1, `stem`-2, … below `out` that is not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = out / f"{stem}-{number}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


@contextmanager
def locked(path: Path):
    """Hold the lock of `path`, a hidden file beside it: one process at a time, and the others wait.

    The system lets go of it when a process ends, however that ends; the empty file stays.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=1)
    except Timeout:
        print(f"hotdog: waiting for another process, which is making {printable(path)} …", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_filled(folder: Path) -> bool:
    """Whether `folder` is there with something in it: an empty one is what an interrupted clean-up leaves."""
    return folder.is_dir() and any(folder.iterdir())


def whole_folder(folder: Path, fill) -> Path:
    """`folder`, filled by `fill(temporary folder)` unless it is there already; it appears whole or not at all.

    One process fills, the others wait and find it. What a killed process left half filled is removed by the next.
    Returns `folder`.
    """
    if is_filled(folder):  # asked before the lock, which cannot be had where the folder is read-only
        return folder
    with locked(folder):
        if not is_filled(folder):
            partial = folder.with_name(f".{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            try:
                partial.mkdir()
                fill(partial)
                os.replace(partial, folder)  # takes the place of an empty folder, too
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path):
    """Open a file for reading bytes. Raises UserError unless it is a regular file or a link to one, OSError as `open` does.

    Whoever opens a pipe waits until somebody writes to it, perhaps for ever; a device may have no end.
    """
    _refuse_unless_regular(path, os.stat(path))
    # What was a file a moment ago may be a pipe now: O_NONBLOCK opens it without waiting, and it is looked at once more.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _refuse_unless_regular(path, os.fstat(descriptor))
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _refuse_unless_regular(path, status):
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is {KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a regular file")
