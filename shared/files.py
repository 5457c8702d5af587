"""Files and folders that appear whole or not at all."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from shared.errors import UserError


def write_atomically(path: Path, write):
    """Call `write` with a temporary path beside `path`, then move the result there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from error  # and not the temporary file's name
    finally:
        temporary.unlink(missing_ok=True)


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


MOST_TEXT = 64 << 20  # bytes; a record of 100,000 epochs has 20 MB


def read_regular(path: Path, most: int | None = MOST_TEXT) -> bytes:
    """The bytes of the regular file `path`, of which there may be `most`.

    Raises UserError for a folder, a device, a socket, a pipe (which would be waited for without end) and for a file that is too
    large; FileNotFoundError and the other errors of opening as they are.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is no regular file, so it is not read")
        if most is not None and status.st_size > most:
            raise UserError(f"{path} has {status.st_size:,} bytes; at most {most:,} are read")
        return file.read()
