"""Archives from the network: checked against their hash, unpacked whole."""

import hashlib
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import requests

from shared.errors import UserError


def download(url: str, file: Path, sha1: str):
    """Download `url` to `file` unless a file with the SHA-1 `sha1` is there already; an interrupted download is resumed.

    The file appears under its name only when it is complete and its SHA-1 is right. Raises UserError otherwise, saying where to
    put the file by hand and how to do without.
    """

    def sha1_of(path):
        return hashlib.sha1(path.read_bytes()).hexdigest()

    advice = (
        f"Expected {url} with SHA-1 {sha1}; put that file at {file} by hand, "
        "or give another folder of images with --data FOLDER."
    )
    if file.is_file():
        if sha1_of(file) == sha1:
            return
        raise UserError(f"{file} is damaged (its SHA-1 is {sha1_of(file)}): remove it. {advice}")
    part = file.with_name(file.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.is_file() else 0
    try:
        headers = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, headers=headers, stream=True, timeout=30) as reply:
            if reply.status_code != 416:  # 416: nothing is left to be sent
                reply.raise_for_status()
                # A server that does not resume answers 200 and sends everything from the start.
                with open(part, "ab" if reply.status_code == 206 else "wb") as out:
                    for block in reply.iter_content(1 << 20):
                        out.write(block)
    except requests.RequestException as error:
        raise UserError(f"the download failed ({type(error).__name__}). {advice}") from None
    if sha1_of(part) != sha1:
        wrong = sha1_of(part)
        part.unlink()
        raise UserError(f"the download came out damaged (its SHA-1 is {wrong}). {advice}")
    os.replace(part, file)


def extract(archive: Path, folder: Path, top: str):
    """Unpack the zip `archive`, whose files all lie below `top`/, so that `folder` is that `top`; all of it or nothing.

    Raises UserError for a member whose path leads out of the folder.
    """
    with zipfile.ZipFile(archive) as zipped:
        for member in zipped.namelist():
            parts = Path(member.replace("\\", "/")).parts
            if member.startswith(("/", "\\")) or ".." in parts or ":" in member:
                raise UserError(f"{archive} holds the path {member!r}, which leads out of its folder: nothing unpacked")
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".extract-"))
        try:
            zipped.extractall(scratch)
            if not (scratch / top).is_dir():
                raise UserError(f"{archive} has no folder {top}/ in it")
            os.replace(scratch / top, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
