"""Rungs 1 to 11 with both implementations as they are. Each check is one function of ladder.py, which names what differs."""

import pytest

from shared.experiments import CHAPTER
from shared.networks.architecture import Architecture

from . import ladder

# At 48, 80, 160 and 192 the resized side and the crop differ by an odd number.
SIZES = [32, 48, 64, 80, 128, 160, 192, 224]


@pytest.fixture
def cpu_scene(scene):
    """Rung 9's laws are those of MXNet on the CPU; on a GPU cuDNN keeps the statistics, by torch's rules."""
    if scene.where.gluon.device_type == "gpu":
        pytest.skip("MXNet runs on the GPU here, where cuDNN keeps running statistics as torch does")
    return scene


def test_rung_1_same_files_labels_and_pixels(kinds, keep):
    keep(ladder.check_decoding(kinds))


@pytest.mark.parametrize("size", SIZES)
def test_rung_1_same_bits_from_same_pixels(kinds, size, keep):
    keep(ladder.check_normalisation(kinds, size))


@pytest.mark.parametrize("size", SIZES)
def test_rung_1_resize_within_one_level(kinds, drawings, size, keep):
    keep(ladder.check_resize(kinds, size) + ladder.check_resize(drawings, size))


def test_rung_1_random_views_are_drawn_alike(keep):
    keep(ladder.check_augmentation())


@pytest.mark.parametrize("size", [32, 64, 224])
def test_rung_1_views_of_one_region(size, keep):
    keep(ladder.check_views(size))


def test_rung_1_single_files(kinds, keep):
    keep(ladder.check_image_batch(kinds, 64))


def test_rung_1_epochs_give_every_image_once(solid, keep):
    keep(ladder.check_epochs(solid, 32))


def test_rung_1_on_real_photographs(photographs, keep):
    keep(ladder.check_decoding(photographs))
    keep(ladder.check_normalisation(photographs, 224) + ladder.check_resize(photographs, 224))


@pytest.mark.parametrize("classes", [2, 30, 1000])
@pytest.mark.parametrize("channels", [(8, 8, 16, 32, 64), (64, 64, 128, 256, 512), (5, 9, 7, 11, 3)], ids=str)
@pytest.mark.parametrize("version", [1, 2])
def test_rung_2_tensors_there_and_back(version, channels, classes, keep):
    keep(ladder.check_carrying(ladder.random_source(Architecture(version, channels=channels, classes=classes))))


def test_rung_2_deeper_networks(keep):
    for version in (1, 2):
        deep = Architecture(version, layers=(3, 4, 6, 3), channels=(8, 8, 16, 32, 64), classes=7)
        keep(ladder.check_carrying(ladder.random_source(deep)))


def test_rung_2_source_and_new_tensors(scene, keep):
    keep(ladder.check_carrying(scene.source) + ladder.check_new_tensors(scene.source))


def test_rung_2_networks_share_nothing(scene, keep):
    keep(ladder.check_independence(scene))


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rung_3_every_block(scene, dtype, training, keep):
    keep(ladder.check_blocks(scene, dtype, training))


def test_rung_3_predictions(scene, keep):
    keep(ladder.check_predictions(scene))


def test_rung_3_predicted_features(scene, keep):
    keep(ladder.check_features(scene))


def test_rung_4_loss_with_a_short_last_batch(scene, keep):
    keep(ladder.check_loss(scene))


def test_rung_4_reported_test_accuracies(scene, keep):
    keep(ladder.check_reported_accuracies(scene))


@pytest.mark.parametrize("name", CHAPTER)
def test_rung_5_gradients(scene, name, keep):
    keep(ladder.check_gradients(scene, name))


@pytest.mark.parametrize("name", CHAPTER)
def test_rung_6_effective_rates(scene, name, keep):
    keep(ladder.check_effective_rates(scene, name))


@pytest.mark.parametrize("name", CHAPTER)
def test_rung_7_one_step(scene, name, keep):
    keep(ladder.check_one_step(scene, name))


@pytest.mark.parametrize("name", CHAPTER)
def test_rung_8_trajectory(scene, name, keep):
    keep(ladder.check_trajectory(scene, name))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rung_9_running_statistics_part_by_known_laws(cpu_scene, dtype, keep):
    keep(ladder.check_batch_norm(cpu_scene, dtype))


def test_rung_9_when_statistics_move(cpu_scene, keep):
    keep(ladder.check_when_statistics_move(cpu_scene))


def test_rung_9_what_statistics_cost(cpu_scene, keep):
    keep(ladder.check_what_statistics_cost(cpu_scene))


def test_rung_9_gradients_in_eval_mode(cpu_scene, keep):
    keep(ladder.check_eval_mode_gradients(cpu_scene))


def test_rung_10_frozen_features_keep_every_bit(scene, keep):
    keep(ladder.check_frozen(scene))


def test_rung_10_locked_batch_normalisation(scene, keep):
    keep(ladder.check_locked(scene))


def test_rung_11_row_reuse(scene, keep):
    keep(ladder.check_row_reuse(scene))
