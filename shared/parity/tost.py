"""Two one-sided tests for equivalence, paired or Welch's, and Holm's correction over the experiments tested together.

A difference is estimated by its mean, standard error and degrees of freedom (statsmodels). All functions take arrays too, one
column per experiment or per simulated set of runs.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from shared.parity.design import FAMILY, LEVEL, MARGIN


@dataclass(frozen=True)
class Estimate:
    """A difference of means, PyTorch's less Gluon's: its value, standard error and Student's degrees of freedom."""

    difference: np.ndarray
    error: np.ndarray
    freedom: np.ndarray

    def p_equivalent(self, margin=MARGIN) -> np.ndarray:
        """p of the two one-sided tests (Schuirmann 1987): the larger one, equivalence within ± `margin` being the alternative."""
        return stats.t.sf((margin - np.abs(self.difference)) / self.error, self.freedom)

    def p_different(self, margin=MARGIN) -> np.ndarray:
        """p of a difference as large, either way, where the true one is the margin; more than `margin` being the alternative."""
        size = np.abs(self.difference)
        return stats.t.sf((size - margin) / self.error, self.freedom) + stats.t.sf(
            (size + margin) / self.error, self.freedom
        )

    def interval(self, share=0.9) -> tuple[np.ndarray, np.ndarray]:
        """The `share` confidence interval; the two tests reject at (1 - share) / 2 when it lies inside the margin."""
        half = stats.t.ppf((1 + share) / 2, self.freedom) * self.error
        return self.difference - half, self.difference + half


def estimate(gluon, torch, draws: str, finest: float = 0.0) -> Estimate | None:
    """The difference of two frameworks' numbers (n, …) and (m, …), seeds in the first dimension; None for a single seed.

    draws: `shared`, then the same position is the same seed, and the differences are what varies; `own`, then the groups are
    independent and their variances may differ (Welch). finest: no standard deviation of a group, or of the differences, is taken
    to be smaller: an accuracy over N images is known no finer than to 1 / N, and runs that agree exactly show no spread.
    """
    gluon, torch = np.asarray(gluon, dtype=float), np.asarray(torch, dtype=float)
    if min(len(gluon), len(torch)) < 2:
        return None
    if draws == "shared":
        gaps = DescrStatsW(torch - gluon)
        spread = np.maximum(gaps.std_mean, finest / np.sqrt(len(gluon)))
        return Estimate(gaps.mean, spread, np.full_like(gaps.mean, len(gluon) - 1))
    groups = CompareMeans(DescrStatsW(torch), DescrStatsW(gluon))
    known = finest * np.sqrt(1 / len(gluon) + 1 / len(torch))
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.asarray(groups.dof_satt())  # 0 / 0 where neither group has any spread
    fewest = min(len(gluon), len(torch)) - 1
    freedom = np.where(np.isfinite(freedom), freedom, fewest)
    error = groups.std_meandiff_separatevar
    return Estimate(
        torch.mean(axis=0) - gluon.mean(axis=0), np.maximum(error, known), np.where(error < known, fewest, freedom)
    )


def holm(p, size: int = 1) -> np.ndarray:
    """Holm's adjusted p (…, experiments) over a family of `size` tests at least; those that are not there count as not rejected.

    As statsmodels' multipletests(method="holm") gives it with a 1 for each missing test; over many sets of p at once.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, axis=-1)
    size = max(size, p.shape[-1])
    factors = size - np.arange(p.shape[-1])
    adjusted = np.minimum(1, np.maximum.accumulate(np.take_along_axis(p, order, -1) * factors, axis=-1))
    return np.take_along_axis(adjusted, np.argsort(order, axis=-1), -1)


@dataclass(frozen=True)
class Verdict:
    """p: adjusted, of equivalence. word: `equivalent`, `different` or `undecided`. smallest: the margin from which on it would be
    equivalent, all experiments being tested at that margin; infinite for a single seed."""

    p: float
    word: str
    smallest: float


def p_values(estimates: list[Estimate | None], margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Holm's adjusted p of equivalence and of difference, the experiments in the last dimension; 1 where there is no estimate."""
    equivalent = np.stack(np.broadcast_arrays(*[1.0 if e is None else e.p_equivalent(margin) for e in estimates]), -1)
    different = np.stack(np.broadcast_arrays(*[1.0 if e is None else e.p_different(margin) for e in estimates]), -1)
    return holm(equivalent, len(FAMILY)), holm(different, len(FAMILY))


def verdicts(estimates: list[Estimate | None], margin: float = MARGIN) -> list[Verdict]:
    """The verdicts of experiments that are tested together."""
    equivalent, different = p_values(estimates, margin)
    words = np.where(equivalent < LEVEL, "equivalent", np.where(different < LEVEL, "different", "undecided"))
    return [
        Verdict(float(p), str(word), smallest_margin(estimates, i))
        for i, (p, word) in enumerate(zip(equivalent, words, strict=True))
    ]


def smallest_margin(estimates: list[Estimate | None], which: int) -> float:
    """The margin from which on experiment `which` would be equivalent, all experiments being tested at that margin."""
    one = estimates[which]
    if one is None:
        return np.inf
    least = abs(float(one.difference))
    most = least + float(one.error) * stats.t.ppf(1 - LEVEL / max(len(FAMILY), len(estimates)), one.freedom)
    # At `most` Holm's first factor is enough; with `least` its own p is 0.5.
    return float(optimize.brentq(lambda margin: p_values(estimates, margin)[0][which] - LEVEL, least, most * 1.01))
