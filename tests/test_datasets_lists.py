"""Images that a CSV file lists: however it is written, whatever is wrong with it."""

import csv

import numpy as np
import pytest
from helpers import write_images
from PIL import Image

from shared.errors import UserError
from shared.images.folders import load_dataset, load_test_images


def listed(folder, rows, **style):
    """Three images of class a and four of class b, and a CSV file of `rows` beside them."""
    write_images(folder / "all", {("", "a"): 3, ("", "b"): 4})
    with open(folder / "list.csv", "w", newline="", encoding=style.pop("encoding", "utf-8")) as file:
        csv.writer(file, **style).writerows(rows)
    return folder / "list.csv"


ROWS = [[f"all/{c}/{i:03d}.png", f"class {c}"] for c, n in (("a", 3), ("b", 4)) for i in range(n)]


def columns(rows, order, header):
    return [header, *([dict(zip("fcx", [*row, 7], strict=True))[o] for o in order] for row in rows)]


@pytest.mark.parametrize(
    ("rows", "style"),
    [
        (ROWS, {}),
        ([["file", "class"], *ROWS], {}),
        ([["Bild", "Klasse"], *ROWS], {}),
        (columns(ROWS, "xcf", ["", "label", "image_path"]), {}),
        (ROWS[::-1], {"delimiter": ";"}),
        (ROWS, {"delimiter": "\t"}),
        (ROWS, {"quoting": csv.QUOTE_ALL, "encoding": "utf-8-sig"}),
        ([[], *ROWS, ["", ""]], {}),
        ([[name.replace("/", "\\"), kind] for name, kind in ROWS], {"lineterminator": "\r\n"}),
        ([[f"./all/../{name}", f" {kind} "] for name, kind in ROWS], {}),
    ],
)
def test_a_list_of_files_and_classes_however_it_is_written(tmp_path, rows, style):
    dataset = load_dataset(str(listed(tmp_path, rows, **style)), split=0.3)
    assert dataset.classes == ("class a", "class b")
    assert dataset.name == "list"
    assert sorted(dataset.train.names + dataset.test.names) == [name for name, _ in ROWS]
    assert [dataset.test.labels.count(i) for i in (0, 1)] == [1, 1]
    assert all(y == name.startswith("all/b") for name, y in zip(dataset.train.names, dataset.train.labels, strict=True))
    plain = load_dataset(str(listed(tmp_path / "plain", ROWS)), split=0.3)
    assert dataset.fingerprint == plain.fingerprint


def test_a_list_with_other_classes_has_another_fingerprint(tmp_path):
    one, other = (
        load_dataset(
            str(listed(tmp_path / n, [[f, c] for f, c in zip([r[0] for r in ROWS], kinds, strict=True)])), split=0.3
        )
        for n, kinds in (("x", "aabbbba"), ("y", "xxyyyyx"))
    )
    assert one.train.names == other.train.names
    assert one.fingerprint != other.fingerprint


def test_absolute_paths_and_evaluation_on_a_list(tmp_path):
    file = listed(tmp_path, [[str(tmp_path / name), kind] for name, kind in ROWS])
    name, classes, split = load_test_images(str(file))
    assert (name, classes, len(split)) == ("list", ("class a", "class b"), 7)
    assert split.items[0] == (str(tmp_path / ROWS[0][0]), 0)


@pytest.mark.parametrize("framework", ["gluon", "torch"])
def test_both_frameworks_read_what_is_listed(tmp_path, framework):
    from shared.runs.frameworks import implementation

    write_images(tmp_path, {("", "a"): 3, ("", "b"): 3})
    for c in "ab":
        for i in range(3):
            (tmp_path / c / f"{i:03d}.png").rename(tmp_path / f"{c}{i}.png")
        (tmp_path / c).rmdir()
    (tmp_path / "list.csv").write_text("\n".join(f"{c}{i}.png,{c}" for i in range(3) for c in "ab"))
    dataset = load_dataset(str(tmp_path / "list.csv"), split=0.3)
    images = implementation(framework, "data").image_folder(dataset.train, lambda image: image)
    assert [label for _, label in images] == list(dataset.train.labels) == [0, 0, 1, 1]
    for (image, _), (path, _) in zip(images, dataset.train.items, strict=True):
        pixels = image.asnumpy() if hasattr(image, "asnumpy") else np.asarray(image)
        assert np.array_equal(pixels, np.asarray(Image.open(path)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"file,class\n", "lists images of 0 classes"),
        (b"all/a/000.png,a\nall/a/nowhere.png,b\n", r"1 of 2 files that are not there; .*nowhere.png \(line 2\)"),
        (b"all/a/000.png,a\nall/b/000.png\n", "line 2: expected a file and its class"),
        (b"all/a/000.png,a\nall/b/000.png,\n", "line 2: expected a file and its class"),
        (b"all/a/000.png,a,1\nall/b/000.png,b,1\n", "line 1: expected a file and its class"),
        (b"all/a/000.png,a\n\nall/b/000.png,b\nall/a/./000.png,a\n", "line 4: all/a/000.png stands on line 1"),
        (b"all/a/000.png,a\nall/a/001.png,a\n", "1 classes"),
        (b"all/a/000.png,a\nlist.csv,b\n", "line 2: list.csv is no .jpg"),
        (b"all/a/000.png,a\nhttps://example.org/x.png,b\n", "not there"),
        (b"~no-such-user/x.png,a\n", "no home folder"),
        (b'all/a/000.png,"a\n', "cannot read .*list.csv"),
        (b"all/a/000.png,\xff\n", "no UTF-8 text"),
        (b"all/a/000.png,a\0b\n", "zero bytes"),
        (b"\x89PNG\r\n\x1a\n\0\0", "no UTF-8 text"),
        (b"all,a\n\x1b[31m,b\n", r"not there; the first is .*\\x1b\[31m|no .jpg"),
    ],
)
def test_lists_that_cannot_be_used_are_refused_in_one_line(tmp_path, content, words):
    file = listed(tmp_path, [])
    file.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        load_dataset(str(file), split=0.3)
    assert str(caught.value).isprintable()


def test_a_list_needs_a_split_as_a_folder_does(tmp_path):
    with pytest.raises(UserError, match="a list.*--split 0.2"):
        load_dataset(str(listed(tmp_path, ROWS)))
