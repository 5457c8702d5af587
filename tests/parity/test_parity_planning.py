"""The chance of a verdict with more seeds: Student's predictive distribution, and what it promises."""

import numpy as np
import pytest
from scipy import stats

from shared.parity.design import LEVEL, MARGIN
from shared.parity.planning import TIMES, chances, new_runs
from shared.parity.tost import estimate, p_values


@pytest.mark.parametrize(("n", "seeds"), [(2, 2), (3, 12), (10, 20)])
def test_means_of_new_runs_have_students_predictive_distribution(n, seeds):
    rng = np.random.default_rng(n)
    values = rng.normal(0.8, 0.03, n)
    means = new_runs(values, seeds, 20_000, rng).mean(axis=0)
    scale = values.std(ddof=1) * np.sqrt(1 / n + 1 / seeds)
    assert stats.kstest(means, stats.t(n - 1, values.mean(), scale).cdf).pvalue > 0.01


def test_intervals_for_new_runs_hold_what_they_promise():
    # 80 % predictive intervals from 4 runs hold the mean of 8 new ones 80 times of 100.
    rng, inside = np.random.default_rng(0), []
    for _ in range(400):
        values = rng.normal(0.8, 0.03, 4)
        low, high = np.quantile(new_runs(values, 8, 2000, rng).mean(axis=0), [0.1, 0.9])
        inside.append(low < rng.normal(0.8, 0.03, 8).mean() < high)
    assert 0.74 < np.mean(inside) < 0.86


@pytest.mark.parametrize("draws", ["shared", "own"])
def test_chances_are_those_of_new_experiments(draws):
    # By its definition: runs as the predictive distribution gives them, then the verdict of all of them together.
    rng = np.random.default_rng(1)
    groups = [(rng.normal(0.85, s, 4), rng.normal(0.85, s, 4)) for s in (0.005, 0.02)]
    found = chances(groups, draws, finest=1 / 400)
    assert found.shape == (2, len(TIMES))
    simulated = []
    for gluon, torch in groups:
        if draws == "shared":
            gaps = new_runs(torch - gluon, 8, 4000, rng)
            simulated.append(estimate(np.zeros_like(gaps), gaps, draws, 1 / 400))
        else:
            simulated.append(estimate(*(new_runs(x, 8, 4000, rng) for x in (gluon, torch)), draws, 1 / 400))
    equivalent, different = p_values(simulated, MARGIN)
    assert found[:, 1] == pytest.approx(np.mean((equivalent < LEVEL) | (different < LEVEL), axis=0), abs=0.03)


def test_more_seeds_and_less_spread_make_a_verdict_likelier():
    rng = np.random.default_rng(2)
    groups = []
    for spread in (0.002, 0.02, 0.08):
        gaps = rng.normal(0, 1, 5)
        gaps = spread * (gaps - gaps.mean()) / gaps.std(ddof=1)
        groups.append((np.full(5, 0.8), 0.8 + gaps))
    found = chances(groups, "shared", 0)
    assert found[0].min() > 0.97 and found[2, 0] < 0.05
    assert (np.diff(found[1:], axis=1) > 0.01).all() and (np.diff(found, axis=0) < 0).all()
    assert np.array_equal(found, chances(groups, "shared", 0))  # the same table again


def test_a_clear_difference_is_a_verdict_too():
    assert chances([([0.8, 0.81, 0.8, 0.79], [0.9, 0.91, 0.9, 0.92])], "shared", 0)[0, 2] > 0.95


def test_one_seed_promises_nothing():
    assert np.isnan(chances([([0.8], [0.8])], "shared", 0)).all()
    assert np.isnan(chances([([0.8], [0.8, 0.7])], "own", 0)).all()
