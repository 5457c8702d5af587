"""Rungs 1 to 5 with both implementations as they are: pixels, tensors, activations, loss, gradients.

What is compared, how closely and why: the file of the rung, in rungs/. Which scenes there are, and `name`: conftest.py.
"""

import pytest
from helpers import THIN, random_source

from shared.networks.architecture import Architecture

from .ladder import activations, class_activation, gradients, loss, pixels, random_views, shared_draws, tensors

# At 48, 80, 160 and 192 the resized side and the crop differ by an odd number.
SIZES = [32, 48, 64, 80, 128, 160, 192, 224]


def test_rung_1_same_files_labels_and_pixels(kinds, keep):
    keep(pixels.check_decoding(kinds))


@pytest.mark.parametrize("size", SIZES)
def test_rung_1_same_bits_from_same_pixels(kinds, size, keep):
    keep(pixels.check_normalisation(kinds, size))


@pytest.mark.parametrize("size", SIZES)
def test_rung_1_resize_within_one_level(kinds, drawings, size, keep):
    keep(pixels.check_resize(kinds, size) + pixels.check_resize(drawings, size))


def test_rung_1_random_views_are_drawn_alike(keep):
    keep(random_views.check_augmentation())


@pytest.mark.parametrize("size", [32, 64, 224])
def test_rung_1_views_of_one_region(size, keep):
    keep(random_views.check_views(size))


def test_rung_1_shared_draws_give_the_same_images_in_the_same_order(solid, keep):
    keep(shared_draws.check_order(solid, 32))


@pytest.mark.parametrize("size", [32, 64, 224])
def test_rung_1_shared_draws_give_the_same_views(coded, kinds, drawings, size, keep):
    keep(shared_draws.check_regions(coded, size))
    keep(shared_draws.check_pixels(kinds, size) + shared_draws.check_pixels(drawings, size))


def test_rung_1_shared_draws_depend_on_nothing_else(kinds, keep):
    keep(shared_draws.check_independence(kinds, 32, workers=(1,)))


def test_rung_1_own_draws_start_anew_each_epoch(kinds, keep):
    keep(shared_draws.check_own_draws(kinds, 32))


def test_rung_1_single_files(kinds, keep):
    keep(pixels.check_image_batch(kinds, 64))


def test_rung_1_epochs_give_every_image_once(solid, keep):
    keep(pixels.check_epochs(solid, 32))


def test_rung_1_on_real_photographs(photographs, keep):
    keep(pixels.check_decoding(photographs))
    keep(pixels.check_normalisation(photographs, 224) + pixels.check_resize(photographs, 224))
    keep(shared_draws.check_pixels(photographs, 224))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("channels", "classes"),
    [*((widths, n) for widths in (THIN, (5, 9, 7, 11, 3)) for n in (2, 30, 1000)), ((64, 64, 128, 256, 512), 1000)],
    ids=str,
)
def test_rung_2_tensors_there_and_back(version, channels, classes, keep):
    keep(tensors.check_carrying(random_source(Architecture(version, channels=channels, classes=classes))))


def test_rung_2_deeper_networks(keep):
    for version in (1, 2):
        deep = Architecture(version, layers=(3, 4, 6, 3), channels=THIN, classes=7)
        keep(tensors.check_carrying(random_source(deep)))


def test_rung_2_source_and_new_tensors(scene, keep):
    keep(tensors.check_carrying(scene.source) + tensors.check_new_tensors(scene.source))


def test_rung_2_shared_draws_give_the_same_start(scene, keep):
    keep(tensors.check_shared_start(scene))


def test_rung_2_networks_share_nothing(scene, keep):
    keep(tensors.check_independence(scene))


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rung_3_every_block(scene, dtype, training, keep):
    keep(activations.check_blocks(scene, dtype, training))


def test_rung_3_predictions(scene, keep):
    keep(activations.check_predictions(scene))


def test_rung_3_predicted_features(scene, keep):
    keep(activations.check_features(scene))


def test_rung_4_loss_with_a_short_last_batch(scene, keep):
    keep(loss.check_loss(scene))


def test_rung_4_loss_with_weighed_classes(scene, keep):
    keep(loss.check_balanced_loss(scene))


def test_rung_4_reported_test_accuracies(scene, keep):
    keep(loss.check_reported_accuracies(scene))
    keep(loss.check_reported_accuracies(scene, "frozen", steps=3, must_fall=False))


def test_rung_5_gradients(scene, name, keep):
    keep(gradients.check_gradients(scene, name))


def test_rung_5_class_activation_maps(scene, keep):
    keep(class_activation.check_maps(scene))
