"""Image folders: what is read, in which order, and what is refused in one line."""

import warnings

import numpy as np
import pytest
from helpers import write_images
from PIL import Image

from shared.errors import UserError
from shared.images.folders import load_dataset
from shared.images.views import resized_side


def test_both_frameworks_read_the_listed_files_in_the_listed_order(images):
    from gluon_impl import data as gluon_data
    from torch_impl import data as torch_data

    (images / "train" / "hotdog" / "Z.JPG").write_bytes((images / "train" / "hotdog" / "000.png").read_bytes())
    dataset = load_dataset(str(images), limit=9)
    assert dataset.classes == ("hotdog", "not-hotdog")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gluon_images = gluon_data.image_folder(dataset.train, lambda X: X)
    torch_images = torch_data.image_folder(dataset.train, None)
    assert len(gluon_images) == len(torch_images) == len(dataset.train) == 9
    for i, (path, label) in enumerate(dataset.train.items):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        for image, y in (gluon_images[i], torch_images[i]):
            assert y == label
            assert np.array_equal(np.asarray(image.asnumpy() if hasattr(image, "asnumpy") else image), pixels)


def test_hidden_files_and_folders_are_read_by_neither(images):
    from gluon_impl import data as gluon_data
    from torch_impl import data as torch_data

    before = load_dataset(str(images))
    hidden = images / "train" / "hotdog" / ".ipynb_checkpoints"
    hidden.mkdir()
    Image.new("RGB", (40, 40)).save(hidden / "000.png")
    for name in (".jpg", "._000.png"):
        (images / "train" / "hotdog" / name).write_bytes(b"")
    for split in ("train", "test"):
        (images / split / ".ipynb_checkpoints").mkdir()
    dataset = load_dataset(str(images))
    assert dataset == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gluon_images = gluon_data.image_folder(dataset.train, lambda X: X)
    assert [y for _, y in gluon_images] == list(dataset.train.labels)
    assert [y for _, y in torch_data.image_folder(dataset.train, None)] == list(dataset.train.labels)


@pytest.mark.parametrize("size", (32, 48, 64, 80, 96, 112, 128, 160, 192, 224))
def test_both_frameworks_cut_out_the_same_centre(size, tmp_path):
    from gluon_impl import data as gluon_data
    from torch_impl import data as torch_data

    side = resized_side(size)  # an image of just this side is not resized, so all that is left is the crop
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype("uint8")
    Image.fromarray(pixels).save(tmp_path / "x.png")
    (one, _), (other, _) = (data.image_batch([tmp_path / "x.png"], size) for data in (gluon_data, torch_data))
    np.testing.assert_allclose(one.asnumpy(), other.numpy(), atol=1e-6)


def test_limit_takes_the_classes_in_equal_parts_and_always_the_same(images):
    first, again = (load_dataset(str(images), limit=4) for _ in range(2))
    assert first == again
    assert [first.train.labels.count(i) for i in (0, 1)] == [2, 2]
    assert len(first.test) == 4
    assert len(load_dataset(str(images), limit=1000).train) == 12


def test_holdout_tests_on_training_images_and_never_on_both(images):
    dataset = load_dataset(str(images), holdout=0.34)
    assert dataset.test.folder == images / "train"
    assert not set(dataset.train.names) & set(dataset.test.names)
    assert len(dataset.train) + len(dataset.test) == 12
    assert [dataset.test.labels.count(i) for i in (0, 1)] == [2, 2]


def test_fingerprint_follows_content_names_and_choice(images):
    whole = load_dataset(str(images)).fingerprint
    assert load_dataset(str(images)).fingerprint == whole
    assert load_dataset(str(images), limit=4).fingerprint != whole
    Image.new("RGB", (9, 9)).save(images / "test" / "hotdog" / "000.png")
    changed = load_dataset(str(images)).fingerprint
    assert changed != whole
    (images / "test" / "hotdog" / "000.png").rename(images / "test" / "hotdog" / "00.png")
    assert load_dataset(str(images)).fingerprint not in (whole, changed)


def _cut(images):
    file = images / "train" / "hotdog" / "000.png"
    file.write_bytes(file.read_bytes()[:400])


def _empty_class(images):
    (images / "train" / "burger").mkdir()


def _only_one(images):
    for file in (images / "test" / "hotdog").iterdir():
        file.unlink()
    (images / "test" / "hotdog").rmdir()


def _gif(images):
    Image.new("P", (9, 9)).save(images / "train" / "hotdog" / "x.jpg", "GIF")


def _sixteen_bits(images):
    Image.new("I;16", (9, 9)).save(images / "train" / "hotdog" / "x.png")


def _extra_class(images):
    write_images(images, {("test", "burger"): 1})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_cut, "cannot read the image .*000.png"),
        (_empty_class, "burger has no images"),
        (_only_one, "1 class folders"),
        (_gif, "x.jpg is a GIF image"),
        (_sixteen_bits, "x.png is a PNG image in mode I"),
        (_extra_class, "test classes burger, hotdog"),
    ],
)
def test_folders_that_cannot_be_used_are_refused_in_one_line(images, spoil, message):
    spoil(images)
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(str(images))
    assert "\n" not in str(caught.value)


def test_unknown_folders_limits_and_shares_are_refused(images, tmp_path):
    for arguments, message in (
        ((str(tmp_path / "nowhere"),), "no such dataset"),
        ((str(tmp_path),), "no such folder: .*train"),
        ((str(images), 0), "limit is 0"),
        ((str(images), 1), "limit is 1, but .* has 2 classes"),
        ((str(images), None, 1.0), "share is 1.0"),
    ):
        with pytest.raises(UserError, match=message):
            load_dataset(*arguments)


def test_without_a_hotdog_class_there_is_no_slot(tmp_path):
    write_images(tmp_path / "d", {(s, c): 2 for s in ("train", "test") for c in ("cat", "dog", "emu")})
    dataset = load_dataset(str(tmp_path / "d"))
    assert dataset.classes == ("cat", "dog", "emu")
    with pytest.raises(UserError, match="no class folder named 'hotdog'"):
        _ = dataset.hotdog_slot


def test_the_chapter_squashes_to_256_before_it_cuts_224():
    assert resized_side(224) == 256
    assert resized_side(64) == 73
