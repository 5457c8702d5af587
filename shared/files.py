"""Files and folders that appear whole or not at all."""

import os
from pathlib import Path


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
