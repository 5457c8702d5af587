"""The archive: fetched once, resumed, checked, unpacked whole; whatever goes wrong is one line with a remedy."""

import functools
import hashlib
import http.server
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from shared.errors import UserError
from shared.images import download as downloading
from shared.images.download import download, extract
from shared.images.folders import load_dataset

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.tried("troubles of a download")


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves `server.body`, resuming when asked to, in whichever way the server's settings say; notes the Range headers.

    drops: connections that are cut after so many bytes, one for each. status: of every reply. seconds: of every tenth of the body.
    resumes: whether Range is heard. length: what is declared.
    """

    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        if server.status != 200:
            return self.send_error(server.status)
        start = int(wanted.split("=")[1].rstrip("-")) if wanted and server.resumes else 0
        body = server.body[start:]
        if not body:
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.body) - 1}/{len(server.body)}")
        if server.length is not False:
            self.send_header("Content-Length", str(server.length or len(body)))
        self.end_headers()
        if server.drops:
            body = body[: server.drops.pop(0)]
        step = max(1, len(body) // 10)
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            time.sleep(server.seconds)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    made.body, made.ranges, made.drops, made.status, made.seconds, made.resumes = b"", [], [], 200, 0, True
    made.length = None
    made.url = f"http://127.0.0.1:{made.server_port}/hotdog.zip"
    threading.Thread(target=functools.partial(made.serve_forever, 0.02), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def archive(images, cache, server, monkeypatch):
    """d2l's entry for hotdog.zip pointed at a small archive of the same shape on the server; returns the server."""
    from d2l import torch as d2l

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        for image in sorted(images.rglob("*.png")):
            zipped.write(image, f"hotdog/{image.relative_to(images)}")
    server.body = packed.getvalue()
    server.sha1 = hashlib.sha1(server.body).hexdigest()
    monkeypatch.setitem(d2l.DATA_HUB, "hotdog", (server.url, server.sha1))
    return server


def visible(folder):
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith(".") and not p.name.endswith(".lock"))


# --- the whole way ---


def test_the_archive_is_downloaded_checked_unpacked_and_kept(archive, cache):
    told = []
    dataset = load_dataset("hotdog", progress=lambda *now: told.append(now))
    assert (dataset.name, len(dataset.train), len(dataset.test)) == ("hotdog", 12, 8)
    assert ("downloading hotdog.zip", len(archive.body), len(archive.body)) in told
    assert told[-1] == ("checking images", 20, 20)
    assert visible(cache) == ["hotdog", "hotdog.zip"] and leftovers(cache) == []
    archive.status = 500
    assert load_dataset("hotdog") == dataset
    shutil.rmtree(cache / "hotdog")
    assert load_dataset("hotdog") == dataset, "the archive that is there is unpacked again"


def test_an_empty_folder_is_not_the_archive_and_leftovers_are_cleared(archive, cache):
    (cache / "hotdog").mkdir(parents=True)
    (cache / ".hotdog.partial" / "train" / "burger").mkdir(parents=True)
    assert len(load_dataset("hotdog").train) == 12
    assert leftovers(cache) == [] and not (cache / "hotdog" / "train" / "burger").exists()


# --- connections ---


def test_an_interrupted_download_goes_on_where_it_stopped(archive, cache):
    cache.mkdir()
    (cache / "hotdog.zip.part").write_bytes(archive.body[:1000])
    assert len(load_dataset("hotdog").train) == 12
    assert archive.ranges == ["bytes=1000-"]


def test_a_complete_part_needs_no_more_bytes(archive, cache):
    cache.mkdir()
    (cache / "hotdog.zip.part").write_bytes(archive.body)
    assert len(load_dataset("hotdog").train) == 12


def test_a_server_that_does_not_resume_sends_everything(archive, cache):
    archive.resumes = False
    cache.mkdir()
    (cache / "hotdog.zip.part").write_bytes(b"something else" * 100)
    assert len(load_dataset("hotdog").train) == 12


def test_dropped_connections_are_taken_up_again(server, tmp_path):
    server.body = os.urandom(200_000)
    server.drops = [70_000, 50_000, 30_000]
    download(server.url, tmp_path / "file", hashlib.sha1(server.body).hexdigest())
    assert (tmp_path / "file").read_bytes() == server.body
    begins = [0, *(int(asked[6:-1]) for asked in server.ranges[1:])]
    assert len(begins) == 4
    for begin, then, sent in zip(begins, begins[1:], (70_000, 50_000, 30_000), strict=False):
        assert begin + sent - downloading.BLOCK < then <= begin + sent, "no more than a block is lost"


def test_a_connection_that_keeps_dropping_ends_with_what_came(server, tmp_path):
    server.body = os.urandom(500_000)
    server.drops = [100_000, 0, 0]
    sha1 = hashlib.sha1(server.body).hexdigest()
    with pytest.raises(UserError, match="bytes that came are kept in .*file.part") as caught:
        download(server.url, tmp_path / "file", sha1)
    assert sha1 in str(caught.value) and "--data FOLDER" in str(caught.value)
    server.drops = []
    download(server.url, tmp_path / "file", sha1)
    assert server.ranges[-1] is not None and visible(tmp_path) == ["file"]


def test_a_body_without_a_declared_length(server, tmp_path):
    server.body, server.length = os.urandom(50_000), False
    download(server.url, tmp_path / "file", hashlib.sha1(server.body).hexdigest())
    assert (tmp_path / "file").read_bytes() == server.body


@pytest.mark.parametrize(("status", "words"), [(404, "404 Not Found"), (403, "403 Forbidden"), (503, "503 Service")])
def test_what_the_server_answers_is_said(archive, cache, status, words):
    archive.status = status
    with pytest.raises(UserError, match=f"the server answered {words}") as caught:
        load_dataset("hotdog")
    for part in (archive.url, archive.sha1, str(cache / "hotdog.zip"), "--data FOLDER"):
        assert part in str(caught.value)


def test_a_damaged_download_is_refused_and_leaves_nothing(archive, cache):
    archive.body = archive.body[:-1] + b"?"
    with pytest.raises(UserError, match="damaged") as caught:
        load_dataset("hotdog")
    assert archive.sha1 in str(caught.value) and "--data" in str(caught.value)
    assert visible(cache) == []


def test_a_damaged_archive_put_there_by_hand_is_named(archive, cache):
    cache.mkdir()
    (cache / "hotdog.zip").write_bytes(b"x")
    with pytest.raises(UserError, match="hotdog.zip is damaged .*: remove it"):
        load_dataset("hotdog")


def test_more_than_is_accepted_is_not_even_begun(server, tmp_path):
    server.body, server.length = b"x" * 100, downloading.MAX_DOWNLOAD + 1
    with pytest.raises(UserError, match="4,294,967,297 bytes, more than the"):
        download(server.url, tmp_path / "file", "0" * 40)
    assert visible(tmp_path) == []


def test_a_body_longer_than_is_accepted_is_cut_short(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "MAX_DOWNLOAD", 100_000)
    server.body, server.length = b"x" * 300_000, False
    with pytest.raises(UserError, match="sends more than the 100,000 bytes"):
        download(server.url, tmp_path / "file", "0" * 40)


def test_without_a_network_the_message_says_what_to_do(cache, monkeypatch, tmp_path):
    import requests

    asked = []

    def refuse(url, **_):
        asked.append(url)
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests, "get", refuse)
    (tmp_path / "here" / "hotdog").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError) as caught:
        load_dataset("hotdog")
    text = str(caught.value)
    assert asked[0].startswith("https://") and asked[0].endswith("/hotdog.zip")
    sha1 = "fba480ffa8aa7e0febbb511d181409f899b9baa5"
    for part in (asked[0], sha1, str(cache / "hotdog.zip"), "--data FOLDER", "--data ./hotdog"):
        assert part in text
    assert text.isprintable()


# --- space and rights ---


def test_no_space_is_said_before_and_while_it_is_written(server, tmp_path, monkeypatch):
    server.body = os.urandom(100_000)
    sha1 = hashlib.sha1(server.body).hexdigest()
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match="No space left on device.*HOTDOG_CACHE"):
        download(server.url, tmp_path / "file", sha1)
    (tmp_path / "file.part").unlink()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 10, 99_999))
    with pytest.raises(UserError, match="no space: it needs 0.1 MB, and .* has 0.1 MB free; .*HOTDOG_CACHE"):
        download(server.url, tmp_path / "file", sha1)
    assert visible(tmp_path) == []


def test_a_cache_folder_that_cannot_be_made(tmp_path, monkeypatch, archive):
    (tmp_path / "taken").write_bytes(b"")
    monkeypatch.setenv("HOTDOG_CACHE", str(tmp_path / "taken" / "cache"))
    with pytest.raises(UserError, match="cannot write .*taken.*HOTDOG_CACHE"):
        load_dataset("hotdog")


# --- archives ---


def packed(file, members, **how):
    with zipfile.ZipFile(file, "w", **how) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return file


@pytest.mark.parametrize(
    "member", ["../evil.png", "/evil.png", "hotdog/../../evil.png", "C:\\evil.png", "hotdog\\..\\..\\x"]
)
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path, member):
    packed(tmp_path / "bad.zip", {"hotdog/train/a.png": b"x", member: b"x"})
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="leads out of its folder"):
        extract(tmp_path / "bad.zip", tmp_path / "out" / "hotdog", "hotdog")
    assert visible(tmp_path / "out") == [] and leftovers(tmp_path / "out") == []
    assert not (tmp_path / "evil.png").exists()


def _no_zip(file):
    file.write_bytes(b"<html>gone</html>" * 100)


def _cut(file):
    packed(file, {"hotdog/a": b"x" * 1000})
    file.write_bytes(file.read_bytes()[:-30])


def _wrong_sum(file):
    packed(file, {"hotdog/a": b"abcdefgh"})
    file.write_bytes(file.read_bytes().replace(b"abcdefgh", b"abcdefgX"))


def _damaged_inside(file):
    packed(file, {"hotdog/a": bytes(range(256)) * 7}, compression=zipfile.ZIP_DEFLATED)
    content = bytearray(file.read_bytes())
    content[60:80] = b"\xff" * 20
    file.write_bytes(content)


def _password(file):
    packed(file, {"hotdog/a": b"x"})
    content = bytearray(file.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(content)


def _unknown_packing(file):
    packed(file, {"hotdog/a": b"x"})
    content = bytearray(file.read_bytes())
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 97
    file.write_bytes(content)


def _understated(file):
    """3,000 bytes inside where the directory declares 10: the bomb that gets past whoever adds up the declared sizes."""
    packed(file, {"hotdog/a": b"0" * 3000}, compression=zipfile.ZIP_DEFLATED)
    content = bytearray(file.read_bytes())
    for at in (22, content.index(b"PK\x01\x02") + 24):
        content[at : at + 4] = (10).to_bytes(4, "little")
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_no_zip, "cannot be unpacked .*: remove it"),
        (_cut, "cannot be unpacked .*: remove it"),
        (_wrong_sum, "cannot be unpacked .*CRC.*: remove it"),
        (_damaged_inside, "cannot be unpacked .*: remove it"),
        (_password, "cannot be unpacked .*password"),
        (_unknown_packing, "cannot be unpacked .*: remove it"),
        (_understated, "cannot be unpacked .*: remove it"),
        (lambda file: packed(file, {"hotdog/a": b"0" * 3000}), "1 files of 3,000 bytes, more than .* 2,000 bytes"),
        (lambda file: packed(file, {f"hotdog/{i}": b"0" * 500 for i in range(5)}), "5 files of 2,500 bytes, more than"),
        (lambda file: packed(file, {"other/a": b"x"}), "no folder hotdog/ in it"),
        (lambda file: packed(file, {"hotdog/a": b"x", "hotdog/a/b": b"x"}), "cannot unpack .*File exists"),
        (lambda file: packed(file, {f"hotdog/{'x' * 300}": b"x"}), "cannot unpack .*File name too long"),
        (lambda file: os.mkfifo(file), "is a pipe"),
    ],
)
def test_archives_that_cannot_be_unpacked_leave_nothing(tmp_path, make, words):
    make(tmp_path / "bad.zip")
    with pytest.raises(UserError, match=words) as caught:
        extract(tmp_path / "bad.zip", tmp_path / "out" / "hotdog", "hotdog", limit=2_000)
    assert str(caught.value).isprintable()
    assert visible(tmp_path / "out") == [] and leftovers(tmp_path / "out") == []


def test_too_many_members_and_too_little_space(tmp_path, monkeypatch):
    packed(tmp_path / "a.zip", {f"hotdog/{i}": b"" for i in range(11)})
    monkeypatch.setattr(downloading, "MAX_MEMBERS", 10)
    with pytest.raises(UserError, match="11 files of 0 bytes, more than the 10 files"):
        extract(tmp_path / "a.zip", tmp_path / "hotdog", "hotdog")
    packed(tmp_path / "b.zip", {"hotdog/a": b"x" * 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 10, 999))
    with pytest.raises(UserError, match="no space: it needs"):
        extract(tmp_path / "b.zip", tmp_path / "hotdog", "hotdog")


# --- two processes ---

BOTH = """if True:
    import sys
    from pathlib import Path
    from shared.images.download import download, extract
    url, cache, sha1 = sys.argv[1:]
    download(url, Path(cache) / "hotdog.zip", sha1)
    extract(Path(cache) / "hotdog.zip", Path(cache) / "hotdog", "hotdog")
    print(len(list(Path(cache).glob("hotdog/train/*/*.png"))))"""


def begin(server, cache):
    return subprocess.Popen(
        [sys.executable, "-c", BOTH, server.url, str(cache), server.sha1],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_of_two_processes_one_downloads_and_the_other_finds_it(archive, cache):
    archive.seconds = 0.3
    processes = [begin(archive, cache) for _ in range(2)]
    done = [process.communicate(timeout=100) for process in processes]
    assert [out for out, _ in done] == ["12\n", "12\n"], done
    assert archive.ranges == [None]
    assert sorted(bool(err) for _, err in done) == [False, True]
    assert "waiting for another process" in "".join(err for _, err in done)
    assert visible(cache) == ["hotdog", "hotdog.zip"] and leftovers(cache) == []


def test_a_killed_process_keeps_what_came_and_holds_up_nobody(archive, cache):
    archive.seconds = 0.5
    archive.body = b"\0" * 200_000 + archive.body  # more than one block; a zip may have anything before it
    archive.sha1 = hashlib.sha1(archive.body).hexdigest()
    first = begin(archive, cache)
    part = cache / "hotdog.zip.part"
    for _ in range(1000):
        if part.is_file() and part.stat().st_size:
            break
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    had = part.stat().st_size
    assert 0 < had < len(archive.body)
    archive.seconds = 0
    out, err = begin(archive, cache).communicate(timeout=100)
    assert (out, err) == ("12\n", "")
    assert archive.ranges == [None, f"bytes={had}-"]
