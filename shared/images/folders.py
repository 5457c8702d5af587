"""Where the images are: drawn (`mini`), d2l's archive (`hotdog`), or any folder `{train,test}/<class>/` with images.

Both frameworks read the same files through their own image-folder classes; this module says which files those are and in
which order, and refuses what the two would read differently.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs
from PIL import Image

from shared.errors import UserError, reason_of
from shared.images.download import download, extract
from shared.images.splits import Dataset, Split, stratified

# What Gluon's ImageFolderDataset reads; torchvision's ImageFolder would take more.
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")


def cache_folder() -> Path:
    """The user's cache folder for downloads and drawn images; HOTDOG_CACHE names another one."""
    return Path(os.environ.get("HOTDOG_CACHE") or platformdirs.user_cache_dir("hotdog"))


def is_image(path) -> bool:
    """Whether the file name has an ending that both frameworks read, and is no hidden one (`._picture.jpg`)."""
    return Path(path).suffix.lower() in IMAGE_ENDINGS and not Path(path).name.startswith(".")


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


def _mini():
    from shared.images.mini.drawings import target_folder

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
