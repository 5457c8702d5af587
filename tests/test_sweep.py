"""The presets' rates are those that the recorded sweep chose."""

import pytest

from shared.book import sweep
from shared.experiments import experiment

TRIED = sweep.tried("sweep")


@pytest.mark.parametrize("name", TRIED)
def test_a_preset_has_the_rate_that_the_sweep_chose(name):
    taken, preset = sweep.chosen(TRIED[name]), experiment(name, "resnet18_v1")
    assert (preset.learning_rate, preset.batch_size) == (taken.rate, taken.batch_size)
    assert all(one.seeds >= 3 for one in TRIED[name]) and len(TRIED[name]) >= 3


def test_a_rate_whose_runs_swing_is_not_taken():
    steady = sweep.Tried("finetune", 128, 0.001, 3, accuracy=0.75, swing=0.02, worth=0.74, loss=0.5)
    swinging = sweep.Tried("finetune", 128, 0.003, 3, accuracy=0.78, swing=0.1, worth=0.71, loss=0.4)
    assert sweep.chosen([swinging, steady]) is steady


def test_the_table_marks_one_rate_of_every_experiment():
    lines = [line for line in sweep.table().splitlines() if line.endswith("| taken |")]
    assert len(lines) == len(TRIED)


def test_adamws_rate_on_the_drawings_is_the_one_that_the_sweep_chose():
    rates = sweep.tried("sweep-mini")["adamw"]
    assert sweep.chosen(rates).rate == experiment("adamw", "mini").learning_rate
    assert len(rates) >= 3 and all(one.seeds >= 3 for one in rates)
    assert rates[0].rate < sweep.chosen(rates).rate < rates[-1].rate  # not at an end of what was tried
