"""What the seeds of an exercise decide: means with 95 % confidence intervals, paired differences, and the words for them.

Runs of two arms that have the same seed are a pair: they start with the same output layer and see the same images in the same
order and views. So two arms are compared by the differences within pairs, not by two means with an interval each.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from shared.runs.frameworks import NAMES


@dataclass(frozen=True)
class Interval:
    """The 95 % confidence interval of a mean: mean ± half. half is None for one value, which has no interval."""

    mean: float
    half: float | None

    @property
    def sign(self) -> str:
        """`positive` or `negative` where all of the interval is, else `undecided`."""
        if self.half is None or abs(self.mean) <= self.half:
            return "undecided"
        return "positive" if self.mean > 0 else "negative"

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + ("" if self.half is None else f" ± {self.half:.3f}")

    def in_points(self) -> str:
        """In percentage points, for differences of accuracies."""
        return f"{100 * self.mean:.1f}" + ("" if self.half is None else f" ± {100 * self.half:.1f}")


def t_interval(values: list[float]) -> Interval:
    """The mean of `values`, one a seed, with its 95 % interval by Student's t distribution."""
    if len(values) < 2:
        return Interval(statistics.fmean(values), None)
    from scipy.special import stdtrit  # what scipy.stats.t.ppf calls, without the second that scipy.stats takes to load

    quantile = float(stdtrit(len(values) - 1, 0.975))
    return Interval(statistics.fmean(values), quantile * statistics.stdev(values) / math.sqrt(len(values)))


def paired_differences(a: list[float], b: list[float]) -> list[float]:
    """a - b seed by seed. Both have a value a seed, in the same order."""
    return [x - y for x, y in zip(a, b, strict=True)]


def difference(a: list[float], b: list[float]) -> Interval:
    """The mean paired difference a - b with its 95 % interval."""
    return t_interval(paired_differences(a, b))


def over_seeds(seeds: list[int]) -> str:
    """What ± means, for a caption."""
    return f"mean ± half the 95 % interval over {len(seeds)} seeds" if len(seeds) > 1 else "one seed"


def each(frameworks: list[str], value: Callable[[str], str]) -> str:
    """`value` of every framework in words: "0.85 in Gluon and 0.86 in PyTorch"."""
    return " and ".join(f"{value(framework)} in {NAMES[framework]}" for framework in frameworks)


def listed(rates: list[float]) -> str:
    """Learning rates in words: "0.01, 0.03 and 0.1"."""
    *first, last = (f"{rate:g}" for rate in rates)
    return f"{', '.join(first)} and {last}" if first else last


def end_of_sweep(rate: float, rates: list[float]) -> str:
    """Which end of the rates tried `rate` is: beyond it there may be a better one. Empty for one in between."""
    return {min(rates): "the lowest rate tried", max(rates): "the highest rate tried"}.get(rate, "")


def one_digit(value: float) -> float:
    """`value` rounded to one digit: 0.00333 -> 0.003."""
    return float(f"{value:.0e}")
