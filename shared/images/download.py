"""Archives from the network: fetched once by one process, checked against their hash, unpacked whole or not at all.

Everything that can go wrong (no network, the server's refusal, a dropped connection, no space, a wrong or damaged or hostile
archive) is one line that says what, where, and what to do.
"""

import hashlib
import os
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import requests

from shared.errors import UserError, reason_of
from shared.files import locked, open_regular, whole_folder

BLOCK = 1 << 14  # bytes written at a time: what a dropped connection can lose at most
TRIES = 5  # connections that bring something before they drop; each goes on where the last one stopped
TIMEOUT = 30  # seconds without a byte
MAX_DOWNLOAD = 4 << 30
MAX_UNPACKED = 2 << 30
MAX_MEMBERS = 200_000


class _Dropped(Exception):
    """The connection ended before the file did."""


def download(url: str, file: Path, sha1: str, progress=None):
    """Download `url` to `file` unless a file with the SHA-1 `sha1` is there already; an interrupted download is resumed.

    The file appears under its name only when it is complete and its SHA-1 is right. One process downloads, others wait and find
    it. progress: called with (bytes so far, of how many or None). Raises UserError otherwise, saying where to put the file by hand
    and how to do without.
    """
    advice = (
        f"Expected {url} with SHA-1 {sha1}; put that file at {file} by hand, "
        "or give another folder of images with --data FOLDER."
    )
    try:
        with locked(file):
            if file.is_file():
                found = _sha1(file)
                if found != sha1:
                    raise UserError(f"{file} is damaged (its SHA-1 is {found}): remove it. {advice}")
                return
            part = file.with_name(file.name + ".part")
            _fetch(url, part, advice, progress)
            found = _sha1(part)
            if found != sha1:
                part.unlink()
                raise UserError(f"the download came out damaged (its SHA-1 is {found}). {advice}")
            os.replace(part, file)
    except OSError as error:
        where = error.filename or file
        raise UserError(
            f"cannot write {where}: {error.strerror or reason_of(error)}. Make room or rights there, or name another folder "
            f"with HOTDOG_CACHE. {advice}"
        ) from None


def _fetch(url, part, advice, progress):
    """Bring `part` to its full length, going on after dropped connections as long as each of them brings something."""
    tries = TRIES
    while True:
        before = part.stat().st_size if part.is_file() else 0
        try:
            return _fetch_once(url, part, before, progress)
        except _Dropped as dropped:
            now = part.stat().st_size if part.is_file() else 0
            tries -= 1
            if tries and now > before:
                continue
            kept = (
                f"; the {now:,} bytes that came are kept in {part}, and the next try goes on from there" if now else ""
            )
            raise UserError(f"the download failed ({dropped}{kept}). {advice}") from None
        except UserError as error:
            raise UserError(f"the download failed ({error}). {advice}") from None


def _fetch_once(url, part, have, progress):
    # identity: a compressed reply could be neither resumed nor measured
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
            if (
                reply.status_code == 416 and have
            ):  # nothing is left to be sent; if it is too much, the hash will show it
                return
            if not reply.ok:
                raise UserError(f"the server answered {reply.status_code} {reply.reason}")
            # A server that does not resume answers 200 and sends everything from the start.
            resumes = reply.status_code == 206 and reply.headers.get("Content-Range", f"bytes {have}-").startswith(
                f"bytes {have}-"
            )
            start = have if resumes else 0
            length = reply.headers.get("Content-Length", "")
            total = start + int(length) if length.isdecimal() else None
            if max(total or 0, start) > MAX_DOWNLOAD:
                raise UserError(f"it has {total:,} bytes, more than the {MAX_DOWNLOAD:,} that are accepted")
            if total:
                _need_space(part.parent, total - start)
            _write(reply, part, start, total, progress)
    except requests.exceptions.Timeout:
        raise _Dropped(f"no answer within {TIMEOUT} seconds") from None
    except requests.exceptions.SSLError:
        raise UserError("the server's certificate was refused") from None
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise _Dropped(f"{type(error).__name__}: the connection failed or was cut") from None
    except requests.RequestException as error:
        raise UserError(f"{type(error).__name__}: {reason_of(error)}") from None


def _write(reply, part, start, total, progress):
    done = start
    with open(part, "ab" if start else "wb") as out:
        for block in reply.iter_content(BLOCK):
            done += len(block)
            if done > (total or MAX_DOWNLOAD):
                raise UserError(f"the server sends more than the {total or MAX_DOWNLOAD:,} bytes that are expected")
            out.write(block)
            if progress:
                progress(done, total)
    if total and done < total:
        raise _Dropped(f"the connection ended after {done:,} of {total:,} bytes")


def extract(archive: Path, folder: Path, top: str, limit: int = MAX_UNPACKED):
    """Unpack the zip `archive`, whose files all lie below `top`/, so that `folder` is that `top`; all of it or nothing.

    limit: bytes that the archive may unpack to. Raises UserError for a member whose path leads out of the folder, for more bytes
    or members than are accepted, for no space, and for an archive that cannot be read; each says what to do.
    """

    def fill(partial):
        try:
            with open_regular(archive) as file, zipfile.ZipFile(file) as zipped:
                members = [member for member in zipped.infolist() if _below(member, archive, top)]
                if not members:
                    raise UserError(f"{archive} has no folder {top}/ in it")
                total = sum(member.file_size for member in members)
                if total > limit or len(members) > MAX_MEMBERS:
                    raise UserError(
                        f"{archive} would unpack to {len(members):,} files of {total:,} bytes, more than the "
                        f"{MAX_MEMBERS:,} files of {limit:,} bytes that are accepted: nothing unpacked"
                    )
                _need_space(folder.parent, total)
                for member in members:
                    _unpack(zipped, member, partial.joinpath(*PurePosixPath(member.filename).parts[1:]))
        # RuntimeError: a password is asked for; NotImplementedError: a way of packing that zipfile does not know
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise UserError(
                f"{archive} cannot be unpacked ({reason_of(error)}): remove it, and it is downloaded again"
            ) from None

    try:
        whole_folder(folder, fill)
    except OSError as error:
        raise UserError(
            f"cannot unpack {archive}: {error.filename or folder}: {error.strerror or reason_of(error)}. Where room or rights "
            "are missing, name another folder with HOTDOG_CACHE"
        ) from None


def _below(member, archive, top):
    """Whether a member lies below `top`; refused is one whose path leads out of the archive's folder."""
    path = member.filename
    if path.startswith(("/", "\\")) or ":" in path or ".." in path.replace("\\", "/").split("/"):
        raise UserError(f"{archive} holds the path {path!r}, which leads out of its folder: nothing unpacked")
    parts = PurePosixPath(path).parts
    return len(parts) > 1 and parts[0] == top


def _unpack(zipped, member, target):
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    with zipped.open(member) as packed, open(target, "wb") as out:
        while block := packed.read(1 << 20):
            left -= len(block)
            if left < 0:  # whatever the archive declares, no more than that is written
                raise UserError(f"{zipped.filename} holds more bytes than it declares: nothing unpacked")
            out.write(block)


def _need_space(folder, size):
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(
            f"no space: it needs {size / 1e6:,.1f} MB, and {folder} has {free / 1e6:,.1f} MB free; make room, or name another "
            "folder with HOTDOG_CACHE"
        )


def _sha1(path):
    digest = hashlib.sha1()
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
