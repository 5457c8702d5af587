"""Images as they lie on disk: with a split, without one, as a list; what lies beside them; what is said about them."""

import csv
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from conftest import write_images
from shared.errors import UserError
from shared.images.folders import load_dataset, load_test_images
from shared.images.splits import Split, class_weights, describe, remarks

TWO = ("hotdog", "not-hotdog")


def one_folder(folder, *counts):
    """A folder of classes a, b, … without a split."""
    return write_images(folder, {("", name): n for name, n in zip("abcdef", counts, strict=False)})


# --- folders with a split ---


@pytest.mark.parametrize("name", ["test", "val", "valid", "validation", "Test", "VALID"])
def test_the_folder_with_the_test_images_may_have_any_usual_name(tmp_path, name):
    write_images(tmp_path / "d", {(s, c): 2 for s in ("train", name) for c in TWO})
    dataset = load_dataset(str(tmp_path / "d"))
    assert (dataset.test.folder.name, len(dataset.test)) == (name, 4)
    assert any(f"{name}/" in line for line in remarks(dataset)) == (name != "test")
    assert load_test_images(str(tmp_path / "d"))[2] == dataset.test


def test_of_several_folders_test_is_taken_and_the_others_are_named(tmp_path):
    write_images(tmp_path / "d", {(s, c): 2 for s in ("train", "val", "test") for c in TWO})
    dataset = load_dataset(str(tmp_path / "d"))
    assert dataset.test.folder.name == "test"
    assert remarks(dataset) == ["Not used: val/; the test images are those in test/."]


def test_the_usual_names_change_no_fingerprint(tmp_path):
    for folder, name in (("a", "test"), ("b", "val")):
        write_images(tmp_path / folder, {(s, c): 2 for s in ("train", name) for c in TWO})
    assert load_dataset(str(tmp_path / "a")).fingerprint == load_dataset(str(tmp_path / "b")).fingerprint


def test_a_class_may_be_called_as_a_split(tmp_path):
    write_images(tmp_path / "vehicles", {("", c): 5 for c in ("bus", "test", "train")})
    assert load_dataset(str(tmp_path / "vehicles"), split=0.2).classes == ("bus", "test", "train")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({("train", "a"): 2, ("train", "b"): 2}, "no test images.*--split 0.2"),
        ({("val", "a"): 2, ("val", "b"): 2}, "val/ but no train/"),
        ({("", "train"): 2, ("", "test"): 2}, "train has 0 class folders"),
        ({("d/train", "a"): 2, ("d/test", "a"): 2}, "no class folders with images; did you mean .*/d"),
        ({("", "a"): 2, ("", "b"): 2}, "no test images.*--split 0.2"),
    ],
)
def test_what_is_missing_is_said_with_the_remedy(tmp_path, counts, words):
    write_images(tmp_path / "root", counts)
    with pytest.raises(UserError, match=words):
        load_dataset(str(tmp_path / "root"))


# --- folders without one ---


def test_a_share_of_every_class_is_split_off_and_always_the_same(tmp_path):
    folder = one_folder(tmp_path / "d", 20, 10, 3)
    dataset, again = (load_dataset(str(folder), split=0.2) for _ in range(2))
    assert dataset == again
    assert [dataset.test.labels.count(i) for i in range(3)] == [4, 2, 1]
    assert sorted(dataset.train.names + dataset.test.names) == sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*.png")
    )
    assert dataset.split == {"share": 0.2, "seed": 0}
    assert "20% of every class, chosen by seed 0, is tested on" in remarks(dataset)[0]
    other = load_dataset(str(folder), split=0.4)
    assert [other.test.labels.count(i) for i in range(3)] == [8, 4, 1]
    assert other.fingerprint != dataset.fingerprint


def test_training_images_without_test_images_are_split_too(tmp_path):
    write_images(tmp_path / "d", {("train", c): 5 for c in TWO})
    dataset = load_dataset(str(tmp_path / "d"), split=0.2)
    assert (len(dataset.train), len(dataset.test)) == (8, 2)


def test_holding_out_takes_from_what_the_split_left(tmp_path):
    folder = one_folder(tmp_path / "d", 10, 10)
    dataset, held = load_dataset(str(folder), split=0.2), load_dataset(str(folder), holdout=0.25, split=0.2)
    assert not set(dataset.test.names) & set(held.train.names + held.test.names)
    assert set(held.train.names + held.test.names) == set(dataset.train.names)
    assert "set aside and not used" in remarks(held)[0]


@pytest.mark.parametrize(
    ("counts", "split", "words"),
    [((5, 1), 0.2, "only one image of b"), ((5, 5), 0.0, "share to split off is 0"), ((5, 5), 1.0, "is 1.0")],
)
def test_splits_that_leave_nothing_are_refused(tmp_path, counts, split, words):
    with pytest.raises(UserError, match=words):
        load_dataset(str(one_folder(tmp_path / "d", *counts)), split=split)


def test_what_has_test_images_is_not_split(images):
    with pytest.raises(UserError, match="test images in test/, so nothing is split off"):
        load_dataset(str(images), split=0.2)


# --- lists ---


def listed(folder, rows, **style):
    """The images of `one_folder(folder, 3, 4)` under other names, and a CSV file of `rows` beside them."""
    one_folder(folder / "all", 3, 4)
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

    one_folder(tmp_path, 3, 3)
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


# --- what lies beside the images ---


def _text(path):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")


def _picture(path):
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (40, 40)).save(path)


@pytest.mark.parametrize(
    ("place", "put", "kind"),
    [
        ("train/hotdog/Thumbs.db", _text, "1 .db"),
        ("test/not-hotdog/desktop.ini", _text, "1 .ini"),
        ("train/hotdog/.DS_Store", _text, "1 hidden"),
        ("train/.DS_Store", _text, "1 hidden"),
        ("train/Thumbs.db", _text, "1 .db"),
        ("train/hotdog/.ipynb_checkpoints/000.png", _picture, "1 hidden"),
        ("train/.ipynb_checkpoints/000.png", _picture, "1 hidden"),
        ("train/hotdog/._000.png", _text, "1 hidden"),
        ("train/__MACOSX/._000.png", _text, "1 folder"),
        ("test/@eaDir/000.png", _picture, "1 folder"),
        ("train/hotdog/@eaDir/000.png", _picture, "1 folder"),
        ("train/hotdog/more/000.png", _picture, "1 folder"),
        ("train/hotdog/labels.txt", _text, "1 .txt"),
        ("train/hotdog/000.jpg~", _text, "1 .jpg~"),
        ("train/hotdog/000.png.part", _text, "1 .part"),
        ("train/hotdog/photo.heic", _text, "1 .heic"),
        ("train/hotdog/moving.gif", lambda path: Image.new("P", (9, 9)).save(path), "1 .gif"),
        ("train/hotdog/noending", _text, "1 other"),
        ("train/loose.png", _picture, "1 image beside the class folders"),
    ],
)
def test_what_neither_framework_reads_is_left_out_and_counted(images, place, put, kind):
    from gluon_impl import data as gluon_data
    from torch_impl import data as torch_data

    before = load_dataset(str(images))
    assert remarks(before) == []
    put(images / place)
    dataset = load_dataset(str(images))
    assert dataset == before
    assert remarks(dataset) == [f"Left out, as neither framework reads them: {kind}."]
    for data in (gluon_data, torch_data):
        for split in (dataset.train, dataset.test):
            assert [y for _, y in data.image_folder(split, lambda image: image)] == list(split.labels)


@pytest.mark.parametrize("ending", ["webp", "bmp", "tiff", "TIF", "ppm"])
def test_images_that_one_framework_would_read_are_read_by_neither_and_named(images, ending):
    before = load_dataset(str(images))
    for i in range(3):
        Image.new("RGB", (40, 40)).save(images / "train" / "hotdog" / f"{i}.{ending}")
    dataset = load_dataset(str(images))
    assert dataset == before
    (line,) = remarks(dataset)
    assert f"3 .{ending.lower()}, which PyTorch would read and Gluon would not" in line


def test_a_class_of_nothing_else_says_what_it_holds(images):
    (images / "train" / "burger").mkdir()
    for i in range(3):
        Image.new("RGB", (40, 40)).save(images / "train" / "burger" / f"{i}.webp")
    with pytest.raises(UserError, match="burger has no images .* but 3 .webp, which only PyTorch reads"):
        load_dataset(str(images))


def test_what_evaluation_leaves_out_is_said(images, capsys):
    _text(images / "test" / "hotdog" / "Thumbs.db")
    Image.new("RGB", (40, 40)).save(images / "test" / "hotdog" / "x.webp")
    assert len(load_test_images(str(images))[2]) == 8
    assert [("1 .webp" in line, "1 .db" in line) for line in capsys.readouterr().err.splitlines()] == [
        (True, False),
        (False, True),
    ]


# --- what is said, and weights ---


@pytest.mark.parametrize(("counts", "said"), [((3, 1), False), ((4, 1), True), ((2, 9, 5), True), ((5, 5), False)])
def test_more_than_three_to_one_is_pointed_out(tmp_path, counts, said):
    folder = tmp_path / "d"
    write_images(folder, {("train", c): n for c, n in zip("abc", counts, strict=False)})
    write_images(folder, {("test", c): 1 for c, _ in zip("abc", counts, strict=False)})
    lines = remarks(load_dataset(str(folder)))
    assert len(lines) == said
    if said:
        assert f"{max(counts)} training images" in lines[0] and f"{min(counts)} of" in lines[0]
        assert "--balance" in lines[0]


def test_counts_of_every_class_are_given_and_summed_up_where_there_are_many(tmp_path):
    few = write_images(tmp_path / "few", {(s, c): 2 for s in ("train", "test") for c in ("a\nb", "c")})
    assert describe(load_dataset(str(few))) == r"few: 4 training and 4 test images; a\nb 2 + 2, c 2 + 2"
    many = write_images(
        tmp_path / "many", {(s, f"{i:02d}"): 1 + (i == 7) for s in ("train", "test") for i in range(30)}
    )
    assert describe(load_dataset(str(many))).endswith("; 30 classes, from 07 2 + 2 to 29 1 + 1")


@pytest.mark.parametrize("counts", [(1, 1), (9, 1), (3, 5, 7), (1, 100, 10, 1)])
def test_class_weights_are_one_on_average_and_make_classes_equal(tmp_path, counts):
    labels = tuple(np.repeat(range(len(counts)), counts))
    weights = class_weights(Split(tmp_path, tuple(map(str, range(len(labels)))), labels))
    assert weights.shape == (len(counts),) and weights.dtype == np.float64
    assert np.mean(weights[list(labels)]) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(weights * counts, len(labels) / len(counts))


def test_no_weight_for_a_class_without_images(tmp_path):
    with pytest.raises(UserError, match="no image of class 1"):
        class_weights(Split(tmp_path, ("x", "y"), (0, 2)))


# --- paths ---


def test_a_folder_called_as_a_built_in_one_is_given_with_a_dot(tmp_path, monkeypatch):
    for name in ("hotdog", "mini"):
        write_images(tmp_path / name, {(s, c): 2 for s in ("train", "test") for c in TWO})
    monkeypatch.chdir(tmp_path)
    for name in ("hotdog", "mini"):
        dataset = load_dataset(f"./{name}")
        assert (dataset.name, len(dataset.train)) == (name, 4)


def test_home_folders(images, monkeypatch):
    from shared.command.__main__ import with_home

    monkeypatch.setenv("HOME", str(images.parent))
    assert len(load_dataset("~/pictures").train) == 12
    home = str(images.parent)
    for argument, is_ in (
        ("~/x", f"{home}/x"),
        ("--out=~/x", f"--out={home}/x"),
        ("a~b", "a~b"),
        ("--row=~", f"--row={home}"),
    ):
        assert with_home(argument) == is_
    for use in (load_dataset, load_test_images, with_home):
        with pytest.raises(UserError, match="no home folder is known for ~no-such-user"):
            use("~no-such-user/pictures")


# --- any folder ---

ENTRIES = st.dictionaries(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=12).filter(
        lambda name: name not in (".", "..")
    ),
    st.tuples(
        st.sampled_from(["", ".png", ".JPG", ".jpeg", ".db", ".webp", ".txt"]),
        st.sampled_from(["image", "text", "folder", "pipe", "link"]),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=ENTRIES)
def test_any_folder_is_read_as_its_names_say_or_refused_in_one_line(tmp_path, entries):
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    write_images(folder, {(s, c): 1 for s in ("train", "test") for c in ("a", "b")})
    readable, refused, left_out = {"000.png"}, False, 0
    for stem, (ending, kind) in entries.items():
        file = folder / "train" / "a" / f"{stem}{ending}"
        if os.path.lexists(file):
            continue
        if kind == "image":
            Image.new("RGB", (5, 5)).save(file, "PNG")
        elif kind == "text":
            file.write_text("x")
        elif kind == "folder":
            file.mkdir()
        elif kind == "pipe":
            os.mkfifo(file)
        else:
            file.symlink_to(folder / "train" / "b" / "000.png")
        if not file.name.startswith(".") and file.name.lower().endswith((".png", ".jpg", ".jpeg")):
            readable.add(file.name)
            refused |= kind not in ("image", "link")
        else:
            left_out += 1
    if refused:
        with pytest.raises(UserError) as caught:
            load_dataset(str(folder))
        assert str(caught.value).isprintable()
    else:
        dataset = load_dataset(str(folder))
        assert dataset.train.names == (*(f"a/{name}" for name in sorted(readable)), "b/000.png")
        assert sum(dataset.left_out.values()) == left_out
        assert all(line.isprintable() for line in remarks(dataset))
