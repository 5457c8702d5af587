"""Where the images are: drawn (`mini`), d2l's archive (`hotdog`), or any folder `{train,test}/<class>/` with images.

Both frameworks read the same files through their own image-folder classes; this module says which files those are and in
which order, and refuses what the two would read differently.
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import requests
from PIL import Image

from shared.errors import UserError, reason_of

# What Gluon's ImageFolderDataset reads; torchvision's ImageFolder would take more.
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")

HOTDOG_CLASS = "hotdog"


def cache_folder() -> Path:
    """The user's cache folder for downloads and drawn images; HOTDOG_CACHE names another one."""
    return Path(os.environ.get("HOTDOG_CACHE") or platformdirs.user_cache_dir("hotdog"))


def is_image(path) -> bool:
    """Whether the file name has an ending that both frameworks read, and is no hidden one (`._picture.jpg`)."""
    return Path(path).suffix.lower() in IMAGE_ENDINGS and not Path(path).name.startswith(".")


def resized_side(size: int) -> int:
    """Pixels of the square an image is squashed to before its centre `size` x `size` is cut out: 256 for 224."""
    return round(size * 256 / 224)


@dataclass(frozen=True)
class Split:
    """Some of the images of one folder `<class>/<file>`.

    folder: what the frameworks' image-folder classes are given. names: paths of the images below `folder`. labels: their class
    indices.
    """

    folder: Path
    names: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self):
        return len(self.names)

    @property
    def items(self) -> list[tuple[str, int]]:
        """(path, class index) of every image: what both frameworks' image folders keep."""
        return [(str(self.folder / name), label) for name, label in zip(self.names, self.labels, strict=True)]

    def take(self, positions) -> "Split":
        """The images at `positions` of this split."""
        return Split(self.folder, *(tuple(values[i] for i in positions) for values in (self.names, self.labels)))


@dataclass(frozen=True)
class Dataset:
    """Training and test images of the same classes; `fingerprint` is a SHA-256 (16 digits) over names and contents."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    fingerprint: str

    @property
    def hotdog_slot(self) -> int:
        """The index of the class `hotdog`. Raises UserError when there is none."""
        if HOTDOG_CLASS not in self.classes:
            raise UserError(
                f"{self.name} has no class folder named {HOTDOG_CLASS!r} (it has {', '.join(self.classes)}), "
                "so no output row can be reused for it"
            )
        return self.classes.index(HOTDOG_CLASS)


def load_dataset(spec: str, limit: int | None = None, holdout: float = 0.0) -> Dataset:
    """The dataset `spec` names: `mini`, `hotdog`, or a folder with train/<class>/ and test/<class>/.

    limit: keep at most this many images of each split, the classes in equal parts, chosen once and for all.
    holdout: the share of the training images to test on *instead of* the test images (for choosing hyperparameters).
    Raises UserError, in one line, for folders and files that cannot be used.
    """
    if limit is not None and limit < 1:
        raise UserError(f"the limit is {limit}; it must be at least 1")
    if not 0 <= holdout < 1:
        raise UserError(f"the held-out share is {holdout}; it must be at least 0 and below 1")
    root = _root(spec)
    classes, train = read_split(root / "train")
    if holdout:
        held = stratified(train, max(len(classes), round(holdout * len(train))))
        test = train.take(held)
        train = train.take(sorted(set(range(len(train))) - set(held)))
        if set(train.labels) != set(test.labels):
            raise UserError(f"too few training images in {root} to hold {holdout:.0%} of them out")
    else:
        test_classes, test = read_split(root / "test")
        if classes != test_classes:
            raise UserError(
                f"{root} has training classes {', '.join(classes)} but test classes {', '.join(test_classes)}"
            )
    if limit is not None:
        if limit < len(classes):
            raise UserError(
                f"the limit is {limit}, but {root} has {len(classes)} classes: keep at least one image of each"
            )
        train, test = (split.take(stratified(split, limit)) for split in (train, test))
    name = spec if spec in ("mini", "hotdog") else Path(root).resolve().name
    return Dataset(name, classes, train, test, _check_and_fingerprint(train, test))


def read_split(folder: Path) -> tuple[tuple[str, ...], Split]:
    """Class names and images of `folder/<class>/<file>`, both in sorted order.

    Raises UserError for a missing folder, fewer than two classes, a class without images, and files that only one of the
    two frameworks would read.
    """
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder} (expected <class>/ folders with images in it)")
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(classes) < 2:
        raise UserError(f"{folder} has {len(classes)} class folders; at least two are needed")
    names, labels = [], []
    for label, name in enumerate(classes):
        files = sorted(entry.name for entry in (folder / name).iterdir())
        strange = [file for file in files if not is_image(file) and not file.startswith(".")]
        if strange:
            raise UserError(
                f"{folder / name / strange[0]} is no {', '.join(IMAGE_ENDINGS)} file: "
                f"move it away ({len(strange)} such in this folder)"
            )
        files = [file for file in files if is_image(file)]
        if not files:
            raise UserError(f"{folder / name} has no images ({', '.join(IMAGE_ENDINGS)})")
        names += [f"{name}/{file}" for file in files]
        labels += [label] * len(files)
    return tuple(classes), Split(folder, tuple(names), tuple(labels))


def stratified(split, limit):
    """Positions of `limit` images of `split`, the classes in equal parts, in split order; the same ones every time."""
    rng = np.random.default_rng(0)
    by_class = [
        list(rng.permutation([i for i, label in enumerate(split.labels) if label == wanted]))
        for wanted in sorted(set(split.labels))
    ]
    chosen = []
    while len(chosen) < limit and any(by_class):
        for positions in by_class:
            if positions and len(chosen) < limit:
                chosen.append(int(positions.pop()))
    return sorted(chosen)


def _check_and_fingerprint(*splits):
    digest = hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for split in splits:
            contents = pool.map(_read_checked, [split.folder / name for name in split.names])
            for name, content in zip(split.names, contents, strict=True):
                digest.update(name.encode() + content)
            digest.update(b"|")
    return digest.hexdigest()[:16]


def _read_checked(path):
    try:
        with Image.open(path) as image:
            # Whatever the ending says; MPO is what some phones write as .jpg. The frameworks read other kinds, and more than
            # 8 bits, each in its own way or not at all.
            if image.format not in ("JPEG", "MPO", "PNG") or image.mode.startswith(("I", "F")):
                raise UserError(
                    f"{path} is a {image.format} image in mode {image.mode}: 8-bit JPEG and PNG files are read"
                )
            image.load()  # a cut-off JPEG has a good header; OpenCV would read it silently, Pillow would not
        return hashlib.sha256(path.read_bytes()).digest()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read the image {path}: {reason_of(error)}") from None


def describe(dataset: Dataset) -> str:
    """`hotdog: 2000 training and 800 test images; hotdog 1000 + 400, not-hotdog 1000 + 400`."""
    train, test = Counter(dataset.train.labels), Counter(dataset.test.labels)
    classes = (f"{name} {train[i]} + {test[i]}" for i, name in enumerate(dataset.classes))
    return f"{dataset.name}: {len(dataset.train)} training and {len(dataset.test)} test images; " + ", ".join(classes)


def _mini():
    from shared.mini.build import target_folder

    return target_folder(cache_folder())


def _root(spec):
    return {"mini": _mini, "hotdog": _hotdog}.get(spec, lambda: _folder(spec))()


def _folder(spec):
    path = Path(spec).expanduser()
    if not path.is_dir():
        raise UserError(
            f"no such dataset: {spec} (give mini, hotdog, or a folder with train/<class>/ and test/<class>/)"
        )
    return path


def _hotdog():
    # d2l keeps the address and the SHA-1, and has a download() that does not check what it downloaded and goes over http.
    from d2l import torch as d2l

    url, sha1 = d2l.DATA_HUB["hotdog"]
    if url.startswith(d2l.DATA_URL):
        url = url.replace("http://", "https://", 1)
    folder = cache_folder() / "hotdog"
    if not folder.is_dir():
        archive = cache_folder() / url.rsplit("/", 1)[-1]
        download(url, archive, sha1)
        extract(archive, folder, "hotdog")
    return folder


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


def check_image(file: Path):
    """Raise UserError unless `file` is an image that both frameworks read."""
    if not Path(file).is_file():
        raise UserError(f"no such file: {file}")
    if not is_image(file):
        raise UserError(f"{file} is no {', '.join(IMAGE_ENDINGS)} file")
    _read_checked(Path(file))


def load_test_images(spec: str) -> tuple[str, tuple[str, ...], Split]:
    """Name, classes and images to evaluate on: the test images of a dataset, or of a folder `<class>/<file>` as it is.

    Raises UserError as `load_dataset` does.
    """
    root = _root(spec)
    classes, split = read_split(root / "test" if (root / "test").is_dir() else root)
    _check_and_fingerprint(split)
    return root.resolve().name, classes, split
