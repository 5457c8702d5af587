"""Images as they lie on disk: with a split and without one; what lies beside them; what is said about them."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from helpers import write_images
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

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
