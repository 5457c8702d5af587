"""Rung 15 with both implementations as they are: every other way to transfer, step by step.

What is compared, how closely and why: rungs/r15_strategies.py. Which scenes there are, and `strategy`: conftest.py.
"""

import pytest

from .ladder import strategies


def test_rung_15_lockstep(scene, strategy, keep):
    keep(strategies.check_lockstep(scene, strategy))


@pytest.mark.parametrize("name", strategies.STEPPED)
def test_rung_15_single_steps(shallow, name, keep):
    keep(strategies.check_steps(shallow.scene, name))


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_rung_15_mixed_images(shallow, name, keep):
    keep(strategies.check_mixed(shallow.scene, name))


def test_rung_15_clipped_step(shallow, keep):
    keep(strategies.check_clipped_step(shallow.scene))


def test_rung_15_smoothed_loss(shallow, keep):
    keep(strategies.check_smoothed_loss(shallow.scene))


def test_rung_15_frozen_without_being_locked(shallow, keep):
    keep(strategies.check_unlocked(shallow.scene))


def test_rung_15_frozen_and_set_free(shallow, keep):
    keep(strategies.check_undone(shallow.scene))
