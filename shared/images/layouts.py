"""Images as they lie on disk: folders of classes, with or without a split, and lists of files with their classes."""

import csv
import io
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from shared.errors import UserError, reason_of
from shared.files import read_regular, user_path
from shared.images.checks import IMAGE_ENDINGS, ONLY_TORCH, is_image
from shared.images.splits import Split

# Names of the folders with the images to train on and to test on, in upper or lower case; the first that is there is taken.
TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation")
# Left behind by macOS archives, network drives, Windows and Linux volumes: no classes.
SYSTEM_FOLDERS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__pycache__")
FILE_COLUMNS = (
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "path",
    "image",
    "image_path",
    "image_name",
    "img",
)
CLASS_COLUMNS = ("class", "class_name", "classname", "label", "category", "target")
EXPECTED = "a folder with train/<class>/ and test/<class>/, a folder of <class>/, or a CSV file of file,class"
MAX_LIST_BYTES = 1 << 28


@dataclass(frozen=True)
class Images:
    """The images of one folder or list. left_out: how many entries of each kind were not read (`.db`, `hidden`, `folder`)."""

    classes: tuple[str, ...]
    split: Split
    left_out: Counter


def train_and_test(root: Path) -> tuple[Path | None, Path | None, list[str]]:
    """The folders of `root` with the images to train on and to test on, None where there is none; and the test folders not taken.

    Each holds class folders. One that holds images is a class that happens to be called so (a *train*, say), if others are.
    """
    names = sorted(name for name in _entries(root) if _is_visible_folder(root, name))
    trains, tests = (
        [name for one in wanted for name in (one, *names) if name in names and name.lower() == one]
        for wanted in (TRAIN, TEST)
    )
    if set(names) - set(trains + tests):
        trains, tests = ([name for name in chosen if _holds_folders(root / name)] for chosen in (trains, tests))
    train, test = (root / chosen[0] if chosen else None for chosen in (trains, tests))
    return train, test, [name for name in dict.fromkeys(tests[1:]) if root / name != test]


def look_for_classes(root: Path):
    """Raise UserError, saying what was expected, where a folder without train/ holds no folder with images either."""
    inside = sorted(name for name in _entries(root) if _is_visible_folder(root, name))
    if any(is_image(file) for name in inside for file in _entries(root / name)):
        return
    nested = [root / name for name in inside if train_and_test(root / name)[0]]
    hint = f"; did you mean {nested[0]}?" if nested else ""
    raise UserError(
        f"no such folder: {root / 'train'}, and {root} has no class folders with images{hint} (give {EXPECTED})"
    )


def class_folders(folder: Path) -> Images:
    """The images of `folder/<class>/<file>`, classes and files in sorted order.

    Left out and counted is what neither framework would read, and what only one would. Raises UserError for a folder that cannot
    be read, fewer than two classes, a class without images, and names that only one framework can open.
    """
    left_out, classes = Counter(), []
    for name in sorted(_entries(folder)):
        if _is_visible_folder(folder, name):
            classes.append(name)
        elif os.path.islink(folder / name) and not os.path.exists(folder / name) and not name.startswith("."):
            raise UserError(f"{folder / name} is a link to something that is not there: remove it")
        else:
            left_out[_kind(folder, name)] += 1
    if len(classes) < 2:
        raise UserError(f"{folder} has {len(classes)} class folders; at least two are needed")
    names, labels = [], []
    for label, name in enumerate(classes):
        files = []
        for file in sorted(_entries(folder / name)):
            if is_image(file):
                files.append(f"{name}/{file}")
            else:
                left_out[_kind(folder / name, file)] += 1
        if not files:
            raise UserError(f"{folder / name} has no images ({', '.join(IMAGE_ENDINGS)}){_instead(folder / name)}")
        names += files
        labels += [label] * len(files)
    for name in names:
        _check_name(folder, name)
    return Images(tuple(classes), Split(folder, tuple(names), tuple(labels)), left_out)


def listed_images(file: Path) -> Images:
    """The images that a CSV file lists, as file and class, with a header or without; paths are relative to the CSV file.

    They are sorted by class and path, so the order of lines means nothing. Raises UserError, naming the line, for what is missing,
    is listed twice, has no class or is no image by its ending.
    """
    folder, seen, missing = file.parent, {}, []
    for line, cells in _lines(file):
        if len(cells) != 2 or not all(cells):
            raise UserError(f"{file}, line {line}: expected a file and its class, got {', '.join(cells)!r}")
        name, kind = cells
        path = user_path(name)
        if "\\" in name and not os.path.lexists(folder / path):
            path = Path(name.replace("\\", "/"))  # written on Windows
        name = os.path.normpath(path)
        if Path(name).suffix.lower() not in IMAGE_ENDINGS:
            raise UserError(f"{file}, line {line}: {name} is no {', '.join(IMAGE_ENDINGS)} file")
        if name in seen:
            raise UserError(f"{file}, line {line}: {name} stands on line {seen[name][0]} already")
        if not os.path.lexists(folder / name):
            missing.append(f"the first is {folder / name} (line {line})")
        seen[name] = line, kind
        _check_name(folder, name)
    if missing:
        raise UserError(f"{file} lists {len(missing)} of {len(seen)} files that are not there; {missing[0]}")
    classes = tuple(sorted({kind for _, kind in seen.values()}))
    if len(classes) < 2:
        raise UserError(f"{file} lists images of {len(classes)} classes; at least two are needed")
    chosen = sorted((classes.index(kind), name) for name, (_, kind) in seen.items())
    return Images(classes, Split(folder, tuple(n for _, n in chosen), tuple(y for y, _ in chosen)), Counter())


def _lines(file):
    """(line number, [file, class]) of every line of a CSV file that is no header and not empty."""
    try:
        text = read_regular(file, MAX_LIST_BYTES).decode("utf-8-sig")
        if "\0" in text:
            raise UserError(f"{file} is no text: it holds zero bytes")
        first = text.lstrip().split("\n", 1)[0]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except UnicodeDecodeError:
        raise UserError(f"{file} is no UTF-8 text: save it as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        raise UserError(f"cannot read {file}: {getattr(error, 'strerror', None) or reason_of(error)}") from None
    rows = [row for row in rows if any(row[1])]
    if not rows:
        raise UserError(f"{file} is empty: expected lines of a file and its class")
    header = [cell.lower() for cell in rows[0][1]]
    columns = [
        next((i for i, cell in enumerate(header) if cell in names), None) for names in (FILE_COLUMNS, CLASS_COLUMNS)
    ]
    if None not in columns:
        return [(line, [cells[i] if i < len(cells) else "" for i in columns]) for line, cells in rows[1:]]
    # A header in other words: what stands in the first column does not look like an image.
    return rows if Path(rows[0][1][0]).suffix.lower() in IMAGE_ENDINGS + ONLY_TORCH else rows[1:]


def _entries(folder):
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        raise UserError(f"no such folder: {folder} (expected <class>/ folders with images in it)") from None
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from None


def _is_visible_folder(folder, name):
    return not name.startswith(".") and name not in SYSTEM_FOLDERS and os.path.isdir(folder / name)


def _holds_folders(folder):
    return any(_is_visible_folder(folder, name) for name in _entries(folder))


def _kind(folder, name):
    """What an entry that is not read is counted as."""
    if name.startswith("."):
        return "hidden"
    if os.path.isdir(folder / name):
        return "folder"
    ending = Path(name).suffix.lower()
    if is_image(name):
        return "image beside the class folders"
    return ending if ending and ending.isprintable() and len(ending) <= 12 else "other"


def _instead(folder):
    """What a class folder without images holds, for the message about it."""
    kinds = Counter(_kind(folder, name) for name in _entries(folder))
    if not kinds:
        return ": it is empty"
    kind, number = kinds.most_common(1)[0]
    if kind == "folder":
        return f", only folders ({number}): class folders hold the images themselves"
    alone = ", which only PyTorch reads: convert them" if kind in ONLY_TORCH else ""
    return f" but {number} {kind}{alone}"


def _check_name(folder, name):
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(f"{folder / name}: this name is no UTF-8, and Gluon cannot open it: rename it") from None
