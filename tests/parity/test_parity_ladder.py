"""Rungs 1 to 11 with both implementations as they are. What is compared, how closely and why: the file of the rung, in rungs/."""

import pytest
from helpers import THIN, random_source

from shared.experiments import CHAPTER
from shared.networks.architecture import Architecture

from .ladder import (
    activations,
    batch_norm,
    effective_rates,
    frozen,
    gradients,
    loss,
    one_step,
    pixels,
    random_views,
    row_reuse,
    shared_draws,
    tensors,
    trajectory,
)

# At 48, 80, 160 and 192 the resized side and the crop differ by an odd number.
SIZES = [32, 48, 64, 80, 128, 160, 192, 224]


@pytest.fixture
def cpu_scene(scene):
    """Rung 9's laws are those of MXNet on the CPU; on a GPU cuDNN keeps the statistics, by torch's rules."""
    if scene.where.gluon.device_type == "gpu":
        pytest.skip("MXNet runs on the GPU here, where cuDNN keeps running statistics as torch does")
    return scene


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
    keep(shared_draws.check_independence(kinds, 32, workers=(2,)))


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


@pytest.mark.parametrize("classes", [2, 30, 1000])
@pytest.mark.parametrize("channels", [THIN, (64, 64, 128, 256, 512), (5, 9, 7, 11, 3)], ids=str)
@pytest.mark.parametrize("version", [1, 2])
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


@pytest.mark.parametrize("name", CHAPTER)
def test_rung_5_gradients(scene, name, keep):
    keep(gradients.check_gradients(scene, name))


@pytest.mark.parametrize("name", CHAPTER)
def test_rung_6_effective_rates(scene, name, keep):
    keep(effective_rates.check_effective_rates(scene, name))


@pytest.mark.parametrize("name", CHAPTER)
def test_rung_7_one_step(scene, name, keep):
    keep(one_step.check_one_step(scene, name))


def test_rung_7_one_step_with_weighed_classes(scene, keep):
    keep(one_step.check_balanced_step(scene))


@pytest.mark.parametrize("name", CHAPTER)
def test_rung_8_trajectory(scene, name, keep):
    keep(trajectory.check_trajectory(scene, name))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rung_9_running_statistics_part_by_known_laws(cpu_scene, dtype, keep):
    keep(batch_norm.check_batch_norm(cpu_scene, dtype))


def test_rung_9_when_statistics_move(cpu_scene, keep):
    keep(batch_norm.check_when_statistics_move(cpu_scene))


def test_rung_9_what_statistics_cost(cpu_scene, keep):
    keep(batch_norm.check_what_statistics_cost(cpu_scene))


def test_rung_9_gradients_in_eval_mode(cpu_scene, keep):
    keep(batch_norm.check_eval_mode_gradients(cpu_scene))


def test_rung_10_frozen_features_keep_every_bit(scene, keep):
    keep(frozen.check_frozen(scene))


def test_rung_10_locked_batch_normalisation(scene, keep):
    keep(frozen.check_locked(scene))


def test_rung_11_row_reuse(scene, keep):
    keep(row_reuse.check_row_reuse(scene))
