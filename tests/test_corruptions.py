"""Spoiled test images: what each corruption does to pixels, the same ones every time."""

import numpy as np
import pytest
from helpers import write_images
from PIL import Image

from shared.images.corruptions import CORRUPTIONS, corrupted, darkened, noisy, shifted
from shared.images.folders import load_dataset
from shared.images.views import centre_pixels

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 16, 3), dtype="uint8")


def test_darkened_images_keep_a_tenth_of_the_brightness():
    found = darkened(PIXELS, 0)
    assert found.dtype == np.uint8 and found.max() <= 26
    assert np.abs(found - PIXELS / 10).max() <= 0.5


def test_noise_has_its_size_is_another_for_every_image_and_the_same_every_time():
    grey = np.full((100, 100, 3), 128, dtype="uint8")
    found = noisy(grey, 3)
    assert (found == noisy(grey, 3)).all() and (found != noisy(grey, 4)).any()
    # of a normal distribution cut off at one deviation, 16 % is at either end
    assert np.mean(found == 0) == pytest.approx(0.159, abs=0.02) and np.mean(found == 255) == pytest.approx(
        0.159, abs=0.02
    )
    assert abs(np.corrcoef(found[..., 0].ravel().astype(float), found[..., 1].ravel())[0, 1]) < 0.05


def test_shifted_images_are_moved_to_the_right_by_half_and_black_beside():
    found = shifted(PIXELS, 0)
    assert (found[:, 8:] == PIXELS[:, :8]).all() and not found[:, :8].any()


def test_all_images_of_a_split_are_spoiled_as_the_network_sees_them(tmp_path):
    write_images(tmp_path, {(split, name): 2 for split in ("train", "test") for name in ("hotdog", "mug")})
    split = load_dataset(str(tmp_path)).test
    clean = corrupted(split, 32, "as they are")
    assert clean.shape == (4, 32, 32, 3) and clean.dtype == np.uint8
    with Image.open(split.folder / split.names[2]) as image:
        assert (clean[2] == centre_pixels(image.convert("RGB"), 32)).all()
    for name, spoil in CORRUPTIONS.items():
        assert (corrupted(split, 32, name)[3] == spoil(clean[3], 3)).all()
