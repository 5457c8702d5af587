"""Where the images are: drawn (`mini`), d2l's archive (`hotdog`), or the user's own, as folders of classes or as a list.

Both frameworks read the same files; this module says which files those are and in which order, and refuses what the two would
read differently.
"""

import os
import sys
from collections import Counter
from pathlib import Path

import platformdirs

from shared.errors import UserError, printable, reason_of
from shared.files import is_filled, user_path
from shared.images.checks import check_image as check_image
from shared.images.checks import fingerprint
from shared.images.download import download, extract
from shared.images.layouts import EXPECTED, Images, class_folders, listed_images, look_for_classes, train_and_test
from shared.images.splits import SPLIT_SEED, Dataset, Split, left_out_lines, split_off, stratified

BUILT_IN = ("mini", "hotdog")


def cache_folder() -> Path:
    """The user's cache folder for downloads and drawn images; HOTDOG_CACHE names another one."""
    return user_path(os.environ.get("HOTDOG_CACHE") or platformdirs.user_cache_dir("hotdog"))


def load_dataset(
    spec: str, limit: int | None = None, holdout: float = 0.0, split: float | None = None, progress=None
) -> Dataset:
    """The dataset `spec` names: `mini`, `hotdog`, or the user's own.

    The user's own is a folder with train/<class>/ and test/<class>/ (or val, valid, validation), a folder of <class>/, or a CSV
    file of file,class. A folder that is called as one of the built-in ones is given as `./mini`.

    limit: keep at most this many images of each split, the classes in equal parts, chosen once and for all.
    holdout: the share of the training images to test on *instead of* the test images (for choosing hyperparameters).
    split: the share of every class to test on, for images that come without test images; chosen by one seed for all.
    progress: called with (what is being done, how far, of how many or None) while images are drawn, downloaded and checked.
    Raises UserError, in one line, for folders and files that cannot be used.
    """
    _check_limit(limit)
    if not 0 <= holdout < 1:
        raise UserError(f"the held-out share is {holdout}; it must be at least 0 and below 1")
    if split is not None and not 0 < split < 1:
        raise UserError(f"the share to split off is {split}; it must be above 0 and below 1")
    root = _root(spec, progress)
    train, test, notes = _parts(root, split, holdout)
    classes, left_out, listed = train.classes, train.left_out + (test.left_out if test else Counter()), root.is_file()
    if test and test.classes != classes:
        raise UserError(f"{root} has training classes {_few(classes)} but test classes {_few(test.classes)}")
    train, test = train.split, test and test.split
    if split:
        train, test = split_off(train, split, classes)
    if holdout:
        held = stratified(train, max(len(classes), round(holdout * len(train))))
        test, train = train.take(held), train.take(sorted(set(range(len(train))) - set(held)))
        if set(train.labels) != set(test.labels):
            raise UserError(f"too few training images in {root} to hold {holdout:.0%} of them out")
    if limit is not None:
        train, test = (_limited(part, limit, classes, root) for part in (train, test))
    return Dataset(
        spec if spec in BUILT_IN else _name(root),
        classes,
        train,
        test,
        fingerprint((train, test), _named(progress, "checking images"), classes if listed else None),
        {"share": split, "seed": SPLIT_SEED} if split else None,
        left_out,
        notes,
    )


def load_test_images(spec: str, progress=None) -> tuple[str, tuple[str, ...], Split]:
    """Name, classes and images to evaluate on: the test images of a dataset, or all images of a folder `<class>/` or a CSV file.

    What lies beside them and is not read is counted in a line on standard error.
    Raises UserError as `load_dataset` does.
    """
    root = _root(spec, progress)
    train, test, _ = (None, None, ()) if root.is_file() else train_and_test(root)
    if train and not test:
        raise UserError(f"{root} has no test images: to evaluate on its training images, give {train}")
    return _name(root), *_all_of(root, test, progress)


def load_training_images(spec: str, limit: int | None = None, progress=None) -> tuple[str, tuple[str, ...], Split]:
    """Name, classes and images to learn from: the training images of a dataset, or all images of a folder `<class>/` or a CSV file.

    limit: keep at most this many, the classes in equal parts. Raises UserError as `load_dataset` does.
    """
    _check_limit(limit)
    root = _root(spec, progress)
    train, test, _ = (None, None, ()) if root.is_file() else train_and_test(root)
    if test and not train:
        raise UserError(f"{root} has {test.name}/ but no train/ folder; to use these images, give {test}")
    classes, images = _all_of(root, train, progress)
    name = spec if spec in BUILT_IN else _name(root)
    return name, classes, images if limit is None else _limited(images, limit, classes, root)


def _all_of(root, folder, progress) -> tuple[tuple[str, ...], Split]:
    """Classes and images of a list, of `folder`, or of `root` where there is no such folder; what is left out is said."""
    images = listed_images(root) if root.is_file() else class_folders(folder or root)
    for line in left_out_lines(images.left_out):
        print(f"hotdog: {line}", file=sys.stderr)
    fingerprint((images.split,), _named(progress, "checking images"))
    return images.classes, images.split


def _check_limit(limit):
    if limit is not None and limit < 1:
        raise UserError(f"the limit is {limit}; it must be at least 1")


def _limited(split, limit, classes, root):
    if limit < len(classes):
        raise UserError(f"the limit is {limit}, but {root} has {len(classes)} classes: keep at least one image of each")
    return split.take(stratified(split, limit))


def _parts(root, split, holdout) -> tuple[Images, Images | None, tuple[str, ...]]:
    """Images to train on, images to test on (None where they are yet to be split off or held out), and notes about the layout."""
    train, test, others = (None, None, ()) if root.is_file() else train_and_test(root)
    if test and split:
        raise UserError(
            f"{root} has its test images in {test.name}/, so nothing is split off (--holdout tests on training images)"
        )
    if test and not train:
        raise UserError(f"{root} has {test.name}/ but no train/ folder with images to train on")
    if not train and not root.is_file():
        look_for_classes(root)
    if not (test or split or holdout):
        raise UserError(
            f"{root} has no test images ({'a list' if root.is_file() else 'no test/, val/, valid/ or validation/'}): "
            "add --split 0.2 to test on 20 % of every class"
        )
    images = listed_images(root) if root.is_file() else class_folders(train or root)
    notes = []
    if split:
        used = "is set aside and not used" if holdout else "is tested on, the others are trained on"
        notes.append(
            f"No test images came with these: {split:.0%} of every class, chosen by seed {SPLIT_SEED}, {used}."
        )
    if test and not holdout:
        if test.name != "test":
            notes.append(f"Tested on the images in {test.name}/.")
        if others:
            notes.append(
                f"Not used: {', '.join(f'{name}/' for name in others)}; the test images are those in {test.name}/."
            )
    return images, class_folders(test) if test and not holdout else None, tuple(notes)


def _root(spec, progress=None):
    return {"mini": _mini, "hotdog": _hotdog}.get(spec, lambda _: _own(spec))(progress)


def _own(spec):
    path = user_path(spec)
    if path.is_dir() or path.is_file():
        return path
    if os.path.lexists(path):
        raise UserError(f"{path} is neither a folder nor a file of a list (give mini, hotdog, {EXPECTED})")
    raise UserError(f"no such dataset: {spec} (give mini, hotdog, {EXPECTED})")


def _mini(progress):
    from shared.images.mini.drawings import TARGET_TOTAL, target_folder

    drawn = _named(progress, "drawing the images")
    try:
        return target_folder(cache_folder(), _counting(drawn, TARGET_TOTAL) if drawn else None)
    except OSError as error:
        raise UserError(
            f"cannot draw the images: {error.filename or cache_folder()}: {error.strerror or reason_of(error)}. Make room or "
            "rights there, or name another folder with HOTDOG_CACHE"
        ) from None


def _hotdog(progress):
    # d2l keeps the address and the SHA-1, and has a download() that does not check what it downloaded and goes over http.
    from d2l import torch as d2l

    url, sha1 = d2l.DATA_HUB["hotdog"]
    if url.startswith(d2l.DATA_URL):
        url = url.replace("http://", "https://", 1)
    folder = cache_folder() / "hotdog"
    if not is_filled(folder):
        archive = cache_folder() / url.rsplit("/", 1)[-1]
        try:
            download(url, archive, sha1, _named(progress, "downloading hotdog.zip"))
        except UserError as error:
            here = " There is a folder hotdog here: give it as --data ./hotdog." if Path("hotdog").is_dir() else ""
            raise UserError(f"{error}{here}") from None
        extract(archive, folder, "hotdog")
    return folder


def _named(progress, what):
    return progress and (lambda done, total: progress(what, done, total))


def _counting(progress, total):
    """A function that counts how often it is called."""
    done = 0

    def tick():
        nonlocal done
        done += 1
        progress(done, total)

    return tick


def _name(root):
    """What runs on these images are called: the folder's or file's name, such that it can be part of a file's name itself."""
    name = printable(root.resolve().stem if root.is_file() else root.resolve().name) or "images"
    return name.encode()[:100].decode(errors="ignore")


def _few(names):
    return ", ".join(names[:10]) + (f" and {len(names) - 10} others" if len(names) > 10 else "")
