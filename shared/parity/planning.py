"""How likely a verdict is with so many seeds, judging by the runs there are."""

import numpy as np

from shared.parity.design import LEVEL, MARGIN
from shared.parity.tost import Estimate, estimate, p_values

TIMES = (1, 2, 4)


def new_runs(values, seeds: int, times: int, rng, finest: float = 0.0) -> np.ndarray:
    """`times` simulated sets of `seeds` new values (seeds, times), as the observed `values` (n,) let one expect them.

    With mean m and standard deviation s of n values, and no other knowledge: variance v = (n - 1) s² / χ²(n - 1), mean
    M ~ N(m, v / n), new values ~ N(M, v). Their mean is then m + s sqrt(1 / n + 1 / seeds) t(n - 1), Student's predictive
    distribution (Gelman et al., Bayesian Data Analysis, section 3.2, with the prior 1 / v). finest: the least s, as in `estimate`.
    """
    n, values = len(values), np.asarray(values)
    spread = max(values.std(ddof=1), finest)
    variance = (n - 1) * spread**2 / rng.chisquare(n - 1, times)
    mean = rng.normal(values.mean(), np.sqrt(variance / n))
    return rng.normal(mean, np.sqrt(variance), (seeds, times))


def new_estimate(gluon, torch, draws: str, finest: float, factor: int, times: int, rng) -> Estimate | None:
    """Simulated estimates from `factor` times as many new seeds; None where a single seed shows no spread."""
    n = len(gluon)
    if min(n, len(torch)) < 2:
        return None
    if draws == "shared":
        gaps = new_runs(np.subtract(torch, gluon), factor * n, times, rng, finest)
        return estimate(np.zeros_like(gaps), gaps, draws, finest)
    new = (new_runs(values, factor * len(values), times, rng, finest) for values in (gluon, torch))
    return estimate(*new, draws, finest)


def chances(groups: list[tuple], draws: str, finest: float, margin: float = MARGIN, times: int = 4000) -> np.ndarray:
    """The predictive probability (experiments, 3) that 1, 2 and 4 times as many *new* seeds give a verdict.

    Holm's correction included: the experiments are simulated together. groups: (Gluon's numbers, PyTorch's) of each experiment,
    seeds in one order where draws are `shared`. New seeds, not the old ones and some more: to add seeds until there is a verdict
    would be to look again and again, and errs more often than it says. NaN where a single seed shows no spread.
    """
    found = np.full((len(groups), len(TIMES)), np.nan)
    for column, factor in enumerate(TIMES):
        rng = np.random.default_rng(0)
        estimates = [new_estimate(*group, draws, finest, factor, times, rng) for group in groups]
        equivalent, different = p_values(estimates, margin)
        share = np.mean(np.minimum(equivalent, different) < LEVEL, axis=0)
        for row, one in enumerate(estimates):
            if one is not None:
                found[row, column] = share[row]
    return found
