"""Rungs 6 to 11 with both implementations as they are: rates, steps, trajectories, running statistics, what is frozen, the row.

What is compared, how closely and why: the file of the rung, in rungs/. Which scenes there are, and `name`: conftest.py.
"""

import pytest

from .ladder import adaptation, batch_norm, effective_rates, frozen, one_step, row_reuse, trajectory


@pytest.fixture
def cpu_scene(scene):
    """Rung 9's laws are those of MXNet on the CPU; on a GPU cuDNN keeps the statistics, by torch's rules."""
    if scene.where.gluon.device_type == "gpu":
        pytest.skip("MXNet runs on the GPU here, where cuDNN keeps running statistics as torch does")
    return scene


def test_rung_6_effective_rates(scene, name, keep):
    keep(effective_rates.check_effective_rates(scene, name))


def test_rung_7_one_step(scene, name, keep):
    keep(one_step.check_one_step(scene, name))


def test_rung_7_one_step_with_weighed_classes(scene, keep):
    keep(one_step.check_balanced_step(scene))


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


def test_rung_9_tent_at_test_time(scene, keep):
    keep(adaptation.check_tent(scene))


def test_rung_9_batch_statistics_at_test_time(scene, keep):
    keep(adaptation.check_batch_statistics(scene))


def test_rung_10_frozen_features_keep_every_bit(scene, keep):
    keep(frozen.check_frozen(scene))


def test_rung_10_locked_batch_normalisation(scene, keep):
    keep(frozen.check_locked(scene))


def test_rung_11_row_reuse(scene, keep):
    keep(row_reuse.check_row_reuse(scene))
