"""Files and folders that appear whole or not at all, paths as users write them, and files that can be opened safely."""

import errno
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

from shared.errors import UserError, printable


def user_path(text) -> Path:
    """The path that a user wrote, with `~` and `~name` resolved. Raises UserError where nobody has that name."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        if os.path.lexists(text):
            return Path(text)  # a file that happens to be called so
        raise UserError(f"{text}: no home folder is known for {Path(text).parts[0]}; write the path in full") from None


def write_atomically(path: Path, write):
    """Call `write` with a temporary path beside `path`, then move the result there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    except Exception as error:  # in its words, with the path that was wanted, not the temporary one or none
        if isinstance(error, OSError) and error.errno:
            raise type(error)(error.errno, error.strerror, str(path)) from error
        if os.strerror(errno.ENOSPC) in str(error):  # safetensors has an error of its own
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_target(path: Path):
    """Raise UserError where no file can be written at `path`: asked before long work whose result goes there."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file to write")
    place = next(above for above in (path.parent, *path.parent.parents) if above.exists())
    if not place.is_dir():
        raise UserError(f"{path} cannot be written: {place} is no folder")
    if not os.access(place, os.W_OK):
        raise UserError(f"{path} cannot be written: there is no right to write in {place}")


def write_text(path: Path, text: str):
    """Write `text` in UTF-8, all or nothing."""
    write_atomically(Path(path), lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_rows(path: Path, head: dict, key: str, rows: Iterable):
    """Write the JSON object `head` with one more entry, `key`: the list `rows`, each on a line of its own. All or nothing.

    json.loads reads it back as `head | {key: rows}`. A line a row keeps files short and their changes readable in git.
    Raises ValueError for numbers that are not finite: JSON has none.
    """
    entries = [f" {json.dumps(name)}: {json.dumps(value, indent=1, allow_nan=False)}" for name, value in head.items()]
    lines = ",\n".join(f"  {json.dumps(row, allow_nan=False)}" for row in rows)
    entries.append(f" {json.dumps(key)}: [\n{lines}\n ]")
    write_text(path, "{\n" + ",\n".join(entries) + "\n}\n")


def new_folder(out: Path, stem: str, fill=lambda folder: None) -> Path:
    """Make and return the first folder `stem`-1, `stem`-2, … below `out` that is not there yet.

    fill: puts the first files into it. The folder has them from the moment that it has its name.
    """
    out.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=out, prefix=f".{stem}-"))
    try:
        temporary.chmod(0o755)  # mkdtemp's folders are closed to others
        fill(temporary)
        number = 1
        while True:
            folder = out / f"{stem}-{number}"
            number += 1
            if folder.exists():
                continue
            try:
                os.rename(temporary, folder)
                return folder
            except OSError:  # another process was faster
                if not folder.exists():
                    raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
    """Open a file for reading bytes. Raises UserError unless it is a regular file or a link to one.

    Whoever opens a pipe waits until somebody writes to it, perhaps for ever; a device may have no end. FileNotFoundError and the
    other errors of opening are raised as they are.
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
        raise UserError(
            f"{path} is {KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, no regular file, so it is not read"
        )


MOST_TEXT = 64 << 20  # bytes; a record of 100,000 epochs has 20 MB


def read_regular(path: Path, most: int | None = MOST_TEXT) -> bytes:
    """The bytes of the regular file `path`, of which there may be `most`.

    Raises UserError for what is no regular file (see `open_regular`) and for a file that is too large.
    """
    with open_regular(path) as file:
        content = file.read(-1 if most is None else most + 1)
        if most is not None and len(content) > most:
            raise UserError(f"{path} has {os.fstat(file.fileno()).st_size:,} bytes; at most {most:,} are read")
        return content


def check_replaceable(folder: Path, mark: str):
    """Raise UserError unless `folder` is missing, empty, or one that we made: it holds a file `mark`. Asked before long work."""
    if folder.is_dir() and (not any(folder.iterdir()) or (folder / mark).is_file()):
        return
    if os.path.lexists(folder):
        raise UserError(f"{folder} is there and was not made by this command: name another folder with --out")


def replace_folder(new: Path, folder: Path):
    """Copy the folder `new` to `folder`, in place of what lies there; whoever looks finds the old one, or the new one whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        shutil.copytree(new, temporary / "new")
        if folder.exists():
            os.rename(folder, temporary / "old")
        os.rename(temporary / "new", folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
