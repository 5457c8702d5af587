"""Strange files among the images: each is refused by its name, in one line and in finite time; odd names are read."""

import os
import pickle
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers import write_images
from PIL import Image

from shared.errors import UserError, guarded, printable
from shared.files import open_regular
from shared.images.checks import MAX_BYTES, check_image
from shared.images.folders import load_dataset
from shared.images.splits import describe
from shared.runs.frameworks import FRAMEWORKS, implementation

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def in_finite_time():
    """Whoever waits for a pipe waits for ever; the test fails instead."""

    def give_up(number, frame):
        raise AssertionError("this took more than 60 seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _pipe(file):
    os.mkfifo(file)


def _socket(file):
    here = os.open(".", os.O_RDONLY)
    os.chdir(file.parent)  # the path of a socket may have 107 bytes
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(file.name)
    os.fchdir(here)
    os.close(here)


def _png(file, width, height, pixels=b""):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def _cut(file, ending="JPEG"):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype("uint8")
    Image.fromarray(pixels).save(file, ending)
    file.write_bytes(file.read_bytes()[:-200])


def _sparse(file):
    Image.new("RGB", (40, 40)).save(file)
    os.truncate(file, MAX_BYTES + 1)


STRANGE = {
    "a pipe": (_pipe, "z.jpg is a pipe, no regular file"),
    "a socket": (_socket, "z.jpg is a socket, no regular file"),
    "a device": (lambda file: file.symlink_to("/dev/zero"), "z.jpg is a device, no regular file"),
    "a folder": (lambda file: file.mkdir(), "z.jpg is a folder, no regular file"),
    "a link to a folder": (lambda file: file.symlink_to("."), "z.jpg is a folder"),
    "a link to a pipe": (
        lambda f: (_pipe(f.parents[3] / "pipe"), f.symlink_to(f.parents[3] / "pipe")),
        "z.jpg is a pipe",
    ),
    "a broken link": (lambda file: file.symlink_to("nowhere.jpg"), "z.jpg: it is a link to a file that is not there"),
    "a link to itself": (lambda file: file.symlink_to(file.name), "z.jpg: Too many levels of symbolic links"),
    "an empty file": (lambda file: file.touch(), "z.jpg: the file is empty"),
    "a text": (lambda file: file.write_text("<html>404</html>"), "z.jpg: what it holds is no image"),
    "a cut JPEG": (_cut, "z.jpg: image file is truncated"),
    "a cut PNG": (lambda file: _cut(file, "PNG"), "z.jpg: "),
    "a WebP": (lambda file: Image.new("RGB", (9, 9)).save(file, "WEBP"), "z.jpg is a WEBP image"),
    "16 bits": (lambda file: Image.new("I;16", (9, 9)).save(file, "PNG"), "z.jpg is a PNG image in mode I;16"),
    "too many pixels": (lambda file: _png(file, 10_000, 10_000), "z.jpg has 10,000 x 10,000 pixels, more than"),
    "a bomb": (lambda file: _png(file, 2**31 - 1, 2**31 - 1), "z.jpg: .*decompression bomb"),
    "a long line": (lambda file: _png(file, 70_000, 10), "z.jpg has 70,000 x 10 pixels, more than"),
    "too many bytes": (_sparse, "z.jpg: it has 1,073,741,825 bytes"),
    "one pixel": (lambda file: Image.new("RGB", (1, 1)).save(file, "PNG"), "z.jpg has 1 x 1 pixels, too few"),
    "2 x 2": (lambda file: Image.new("L", (2, 2)).save(file, "PNG"), "z.jpg has 2 x 2 pixels, too few"),
    "1 x 3": (lambda file: Image.new("RGB", (1, 3)).save(file, "JPEG"), "z.jpg has 1 x 3 pixels, too few"),
    "4 x 1": (lambda file: Image.new("RGBA", (4, 1)).save(file, "PNG"), "z.jpg has 4 x 1 pixels, too few"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_strange_files_are_refused_by_name(images, kind, recwarn):
    make, words = STRANGE[kind]
    file = images / "train" / "hotdog" / "z.jpg"
    make(file)
    for use in (lambda: load_dataset(str(images)), lambda: check_image(file)):
        with pytest.raises(UserError, match=words) as caught:
            use()
        assert str(caught.value).isprintable()
    assert not recwarn.list


def test_the_first_is_named_and_the_others_are_counted(images):
    for i in range(12):
        Image.new("RGB", (1, 1)).save(images / "train" / "hotdog" / f"pixel{i:02d}.png")
    with pytest.raises(
        UserError, match=r"pixel00.png has 1 x 1 .*\(11 more cannot be used; the last: .*pixel11.png has 1"
    ):
        load_dataset(str(images))


def test_a_file_that_may_not_be_read_is_named():
    """In a process of its own: a superuser, as in a container, may read everything until it gives that right away."""
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        write_images(folder / "d", {(s, c): 2 for s in ("train", "test") for c in ("a", "b")})
        (folder / "d" / "train" / "b" / "001.png").chmod(0)
        code = f"""if True:
            import os, PIL.PngImagePlugin, PIL.JpegImagePlugin
            from shared.images.folders import UserError, load_dataset
            if os.geteuid() == 0:
                os.setuid(65534)
            try:
                load_dataset({str(folder / "d")!r})
            except UserError as error:
                print(error)"""
        for spoiled, words in (("", "001.png: Permission denied"), ("d/test/a", "a: Permission denied")):
            if spoiled:
                (folder / "d" / "train" / "b" / "001.png").chmod(0o644)
                (folder / spoiled).chmod(0)
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=50)
            assert (done.returncode, done.stderr) == (0, "")
            assert words in done.stdout and len(done.stdout.splitlines()) == 1
    finally:
        (folder / "d" / "test" / "a").chmod(0o755)
        shutil.rmtree(folder)


def test_the_command_is_not_hung_by_a_pipe(images):
    _pipe(images / "train" / "hotdog" / "z.jpg")
    done = subprocess.run(
        [sys.executable, "-m", "shared.command", "data", "show", str(images)],
        capture_output=True, text=True, cwd=ROOT, timeout=50,
    )  # fmt: skip
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "z.jpg is a pipe" in done.stderr


def test_a_pipe_given_as_images_is_refused(tmp_path):
    _pipe(tmp_path / "list.csv")
    with pytest.raises(UserError, match="neither a folder nor a file"):
        load_dataset(str(tmp_path / "list.csv"), split=0.2)


def test_what_becomes_a_pipe_between_looking_and_opening_is_not_waited_for(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"x")
    status = os.stat(tmp_path / "file")
    _pipe(tmp_path / "pipe")
    monkeypatch.setattr(os, "stat", lambda *_, **__: status)
    with pytest.raises(UserError, match="is a pipe"):
        open_regular(tmp_path / "pipe")


def test_links_to_images_and_to_classes_are_read(images, tmp_path):
    before = load_dataset(str(images))
    elsewhere = tmp_path / "elsewhere"
    (images / "test" / "hotdog").rename(elsewhere)
    (images / "test" / "hotdog").symlink_to(elsewhere)
    (images / "train" / "hotdog" / "000.png").rename(tmp_path / "picture.bin")
    (images / "train" / "hotdog" / "000.png").symlink_to("../../../picture.bin")
    assert load_dataset(str(images)) == before
    (images / "train" / "zebra").symlink_to("nowhere")
    with pytest.raises(UserError, match="zebra is a link to something that is not there"):
        load_dataset(str(images))


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("size", [(1, 5), (5, 1), (3, 2), (1, 300), (300, 1)])
def test_the_smallest_images_that_are_accepted_can_be_cut(framework, size, tmp_path):
    write_images(tmp_path / "d", {(s, c): 1 for s in ("train", "test") for c in ("a", "b")})
    for file in (tmp_path / "d").rglob("*.png"):
        Image.new("RGB", size, (10, 200, 30)).save(file)
    dataset = load_dataset(str(tmp_path / "d"))
    data = implementation(framework, "data")
    train = data.train_iter(dataset.train, 32, 2)
    for _ in range(60):  # a 2 x 2 image fails in one of 25 draws
        for X, _y in train:
            assert X.shape == (2, 3, 32, 32)
    for X, _y in data.test_iter(dataset.test, 32, 2):
        assert X.shape == (2, 3, 32, 32)


NAMES = [
    "new\nline",
    "-dash",
    "--out",
    "sp ace ",
    "ünï 空 😀",
    "a,b;c",
    "100%s{}",
    "q'u\"ote",
    "back\\slash",
    "\x1b[31mred",
    "x" * 250,
]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_read_by_both_and_written_in_one_line(name, tmp_path):
    classes = (f"class {name[:200]}", "plain")
    write_images(tmp_path / "d", {(s, c): 2 for s in ("train", "test") for c in classes})
    for folder in (tmp_path / "d").glob("*/*"):
        (folder / "000.png").rename(folder / f"{name}.png")
    dataset = load_dataset(str(tmp_path / "d"))
    assert f"{classes[0]}/{name}.png" in dataset.train.names
    assert describe(dataset).isprintable()
    seen = []
    for framework in FRAMEWORKS:
        images = implementation(framework, "data").image_folder(dataset.train, lambda image: image)
        seen.append([np.asarray(x.asnumpy() if hasattr(x, "asnumpy") else x) for x, _ in images])
    for one, other in zip(*seen, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"\xff.jpg", b"a\xed\xa0\x80.jpeg"])
def test_names_that_gluon_cannot_open_are_refused(images, name):
    folder = images / "train" / "hotdog"
    (folder / "000.png").rename(os.fsdecode(os.fsencode(folder) + b"/" + name))
    with pytest.raises(UserError, match="no UTF-8") as caught:
        load_dataset(str(images))
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain äöü 空 😀", "plain äöü 空 😀"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("caf\udce9", r"caf\udce9"),
        ("\x9b31m\u2028", r"\x9b31m\u2028"),
    ],
)
def test_what_is_printed_cannot_move_the_cursor(text, shown, capsys):
    assert printable(text) == printable(shown) == shown
    assert str(UserError(f"no {text}")) == f"no {shown}"
    assert str(pickle.loads(pickle.dumps(UserError(text)))) == shown

    def refuse():
        raise FileNotFoundError(2, "No such file", text)

    def fail():
        raise RuntimeError(text)

    assert (guarded(refuse), guarded(fail)) == (2, 1)
    assert capsys.readouterr().err.replace("\n", "").isprintable()
