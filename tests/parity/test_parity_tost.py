"""The tests of equivalence against numbers worked out elsewhere, and by simulated runs: how often do they err?"""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from shared.parity.design import FAMILY, LEVEL, MARGIN
from shared.parity.tost import estimate, holm, p_values, smallest_margin, verdicts

SIMULATED = 40_000
# 5 % of that many, and three standard errors of such a count
AT_MOST = 0.05 + 3 * np.sqrt(0.05 * 0.95 / SIMULATED)


# --- against other people's numbers ---


def test_pairs_by_hand():
    gluon, torch = np.array([0.900, 0.910, 0.905, 0.895]), np.array([0.905, 0.905, 0.915, 0.900])
    found = estimate(gluon, torch, "shared")
    gaps = np.array([0.005, -0.005, 0.010, 0.005])
    half = 2.353363 * gaps.std(ddof=1) / 2  # t(0.95, 3) from a table
    assert found.difference == pytest.approx(gaps.mean()) and found.freedom == 3
    assert found.interval() == pytest.approx((gaps.mean() - half, gaps.mean() + half))


def test_pairs_as_in_pingouins_manual():
    # pingouin.tost([4, 7, 8, 6, 3, 2], [6, 8, 7, 10, 11, 9], bound=0.5, paired=True) there: dof 5, pval 0.954854
    found = estimate([4, 7, 8, 6, 3, 2], [6, 8, 7, 10, 11, 9], "shared")
    assert found.p_equivalent(0.5) == pytest.approx(0.954854, abs=1e-6) and found.freedom == 5


def test_welch_by_hand():
    # two groups with variances 4 and 1 and 4 and 6 runs: error² = 4/4 + 1/6; freedom (7/6)² / (1²/3 + (1/6)²/5) = 4.016
    gluon = np.array([-2, -1, 1, 2]) * np.sqrt(4 / (10 / 3)) + 3
    torch = np.array([-1, -1, -1, 1, 1, 1]) * np.sqrt(1 / (6 / 5)) + 4
    found = estimate(gluon, torch, "own")
    assert found.difference == pytest.approx(1) and found.error == pytest.approx(np.sqrt(7 / 6))
    assert found.freedom == pytest.approx((7 / 6) ** 2 / (1 / 3 + (1 / 36) / 5))
    assert found.p_equivalent(3) == pytest.approx(stats.t.sf(2 / np.sqrt(7 / 6), found.freedom))


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (10, 10), (3, 7)])
@pytest.mark.parametrize("shift", [0, 0.02, -0.05])
def test_p_is_that_of_statsmodels(n, m, shift):
    rng = np.random.default_rng([n, m])
    for _ in range(20):
        gluon, torch = rng.normal(0.85, 0.03, n), rng.normal(0.85 + shift, 0.01, m)
        own = estimate(gluon, torch, "own")
        assert own.p_equivalent() == pytest.approx(ttost_ind(torch, gluon, -MARGIN, MARGIN, usevar="unequal")[0])
        welch = stats.ttest_ind(torch, gluon, equal_var=False, alternative="greater")
        assert stats.t.sf(own.difference / own.error, own.freedom) == pytest.approx(welch.pvalue)
        if n == m:
            pairs = estimate(gluon, torch, "shared")
            assert pairs.p_equivalent() == pytest.approx(ttost_paired(torch, gluon, -MARGIN, MARGIN)[0])


def test_holm_is_that_of_statsmodels():
    rng = np.random.default_rng(0)
    many = rng.random((4, 4)) ** 3  # multipletests collects garbage at every call, and is slow beside frameworks
    for p, found in zip(many, holm(many, 6), strict=True):
        assert found == pytest.approx(multipletests([*p, 1, 1], method="holm")[1][:4])
    assert holm([0.01, 0.01, 0.04]) == pytest.approx([0.03, 0.03, 0.04])
    assert holm([0.04, 0.001], 5) == pytest.approx([0.16, 0.005])


# --- what must hold whatever the numbers ---


def test_own_runs_are_no_pairs():
    # Which run of one framework stands beside which of the other must not matter; for pairs it must.
    rng = np.random.default_rng(1)
    gluon, torch = rng.normal(0.75, 0.05, 5), rng.normal(0.76, 0.02, 5)
    of = {draws: [estimate(gluon, torch[list(order)], draws).p_equivalent() for order in itertools.permutations(range(5))]
          for draws in ("own", "shared")}  # fmt: skip
    assert np.ptp(of["own"]) < 1e-12 and np.ptp(of["shared"]) > 0.05


def test_a_single_seed_shows_no_spread():
    assert estimate([0.8], [0.8], "shared") is None and estimate([0.8, 0.9], [0.8], "own") is None
    (one,) = verdicts([None])
    assert (one.word, one.p, one.smallest) == ("undecided", 1.0, np.inf)


@pytest.mark.parametrize("draws", ["shared", "own"])
def test_runs_without_spread_are_trusted_no_further_than_to_one_image(draws):
    for seeds, images in ((2, 32), (5, 3200)):
        found = estimate([0.75] * seeds, [0.75] * seeds, draws, finest=1 / images)
        factor = 1 if draws == "shared" else np.sqrt(2)
        assert found.error == pytest.approx(factor / images / np.sqrt(seeds)) and found.freedom == seeds - 1
        assert verdicts([found])[0].word == ("equivalent" if images == 3200 else "undecided")


def test_the_smallest_margin_is_where_the_verdict_turns():
    rng = np.random.default_rng(2)
    for draws in ("shared", "own"):
        some = [estimate(rng.normal(0.85, 0.02, 5), rng.normal(0.85, 0.02, 5), draws) for _ in range(4)]
        for which in range(4):
            margin = smallest_margin(some, which)
            assert p_values(some, margin * 0.999)[0][which] > LEVEL > p_values(some, margin * 1.001)[0][which]
        found = verdicts(some)
        assert [v.word == "equivalent" for v in found] == [v.smallest < MARGIN for v in found]


def test_equivalent_means_an_interval_inside_the_margin():
    rng = np.random.default_rng(0)
    words = set()
    for _ in range(100):
        n = rng.integers(2, 12)
        found = estimate(rng.normal(0.85, 0.02, n), rng.normal(0.85 + rng.normal(0, 0.05), 0.02, n), "own")
        low, high = found.interval(1 - 2 * LEVEL / len(FAMILY))  # alone, Holm divides by the whole family
        inside, outside = -MARGIN < low and high < MARGIN, low > MARGIN or high < -MARGIN
        word = verdicts([found])[0].word
        assert (word == "equivalent") == inside and (outside or word != "different")
        words.add(word)
    assert words == {"equivalent", "different", "undecided"}


# --- how often do they err? ---


def simulated(draws, n, m, spread, torch_spread, difference, rng, count=SIMULATED):
    """Endpoints (n, count) and (m, count); shared draws move both frameworks together."""
    gluon = rng.normal(0.8, spread, (n, count))
    if draws == "shared":
        return gluon, gluon + rng.normal(difference, torch_spread, (n, count))
    return gluon, rng.normal(0.8 + difference, torch_spread, (m, count))


DESIGNS = [
    ("shared", 2, 2, 0.03, 0.010),
    ("shared", 3, 3, 0.03, 0.010),
    ("shared", 5, 5, 0.03, 0.001),
    ("shared", 10, 10, 0.05, 0.056),
    ("own", 3, 3, 0.02, 0.02),
    ("own", 5, 5, 0.02, 0.01),
    ("own", 10, 10, 0.05, 0.024),
    ("own", 3, 10, 0.05, 0.01),
    ("own", 10, 3, 0.05, 0.005),
]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("draws", "n", "m", "spread", "torch_spread"), DESIGNS)
def test_at_the_margin_equivalent_is_said_5_times_of_100_at_most(draws, n, m, spread, torch_spread, sign):
    rng = np.random.default_rng(n)
    groups = simulated(draws, n, m, spread, torch_spread, sign * MARGIN, rng)
    rate = np.mean(estimate(*groups, draws).p_equivalent() < LEVEL)
    assert rate <= AT_MOST
    # and no test that says nothing: with enough seeds the rate comes up to 5 %
    if draws == "shared" and torch_spread < 0.02:
        assert rate > 0.045


@pytest.mark.parametrize(("draws", "n", "m", "spread", "torch_spread"), DESIGNS)
def test_at_the_margin_different_is_said_5_times_of_100_at_most(draws, n, m, spread, torch_spread):
    groups = simulated(draws, n, m, spread, torch_spread, MARGIN, np.random.default_rng(n))
    assert np.mean(estimate(*groups, draws).p_different() < LEVEL) <= AT_MOST


@pytest.mark.parametrize("draws", ["shared", "own"])
def test_accuracies_of_few_images_err_no_more_often(draws):
    # The endpoint is a mean of three shares of 400 images: a few values, often the same ones.
    rng = np.random.default_rng(3)
    gluon, torch = (np.round(x * 1200) / 1200 for x in simulated(draws, 3, 3, 0.01, 0.002, MARGIN, rng))
    assert np.mean(estimate(gluon, torch, draws, finest=1 / 400).p_equivalent() < LEVEL) <= AT_MOST


@pytest.mark.parametrize("draws", ["shared", "own"])
@pytest.mark.parametrize("at_margin", [5, 3])
def test_the_whole_family_errs_5_times_of_100_at_most(draws, at_margin):
    # One false verdict anywhere in the family counts, whether the other experiments are equivalent or not.
    rng = np.random.default_rng(at_margin)
    shifts = [MARGIN] * at_margin + [0] * (len(FAMILY) - at_margin)
    some = [estimate(*simulated(draws, 5, 5, 0.02, 0.01, shift, rng), draws) for shift in shifts]
    false = (p_values(some, MARGIN)[0][:, :at_margin] < LEVEL).any(axis=1).mean()
    assert false <= AT_MOST
    assert (np.stack([e.p_equivalent() for e in some], -1)[:, :at_margin] < LEVEL).any(axis=1).mean() > 0.08


def test_choosing_among_pairings_of_own_runs_would_err():
    # Why own runs are never paired: any one pairing of independent runs keeps its 5 %, but nothing says which one is right.
    rng = np.random.default_rng(4)
    gluon, torch = simulated("own", 10, 10, 0.03, 0.02, MARGIN, rng, 4000)
    pairings = [estimate(gluon, rng.permuted(torch, axis=0), "shared").p_equivalent() < LEVEL for _ in range(20)]
    assert np.mean(pairings[0]) < 0.07 and np.mean(np.any(pairings, axis=0)) > 0.07
    assert np.mean(estimate(gluon, torch, "own").p_equivalent() < LEVEL) < 0.07
