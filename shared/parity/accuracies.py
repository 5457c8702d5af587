"""Do two frameworks agree? Tensors are compared one by one and by name, accuracies by a test made for equivalence.

No framework is imported here: everything is NumPy arrays, numbers and run records.
"""

import math
import statistics
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import ttost_paired

from shared.errors import UserError
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import Run, read_probabilities

# Two accuracies count as equivalent when they differ by less than 3 points. Fixed before any run was made: it is about
# the spread of the chapter's published results (standard deviation 1 to 2.5 points over 27 runs).
MARGIN = 0.03


@dataclass(frozen=True)
class Outcome:
    """What one run got right: `correct` (N,) bool, over the test images in the dataset's order."""

    experiment: str
    framework: str
    seed: int
    correct: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())


def outcome_of(run: Run) -> Outcome:
    """The outcome of a finished run, from its test_probabilities.csv."""
    _, labels, probabilities = read_probabilities(run)
    return Outcome(run.experiment["name"], run.framework, run.seed, probabilities.argmax(axis=1) == labels)


@dataclass(frozen=True)
class Comparison:
    """One experiment in both frameworks over the seeds that both have run.

    difference: mean of torch's accuracy less Gluon's, seed by seed; low, high: its 90 % interval (infinite with one seed).
    p: of the two one-sided tests, equivalence being the alternative. verdict: equivalent (the interval lies inside the margin),
    different (it lies wholly outside), or undecided; needed: seeds for a verdict with a chance of 80 %, if the spread stays and so
    does the difference, where the interval tells it from zero.
    agreement: share of test images on which the two are both right or both wrong. only_gluon, only_torch: images that only
    one gets right, over all seeds; mcnemar: for each seed, McNemar's exact p for the two counts being equal.
    """

    experiment: str
    seeds: tuple[int, ...]
    gluon: float
    torch: float
    difference: float
    low: float
    high: float
    margin: float
    p: float
    verdict: str
    needed: int | None
    agreement: float
    only_gluon: int
    only_torch: int
    mcnemar: tuple[float, ...]

    @property
    def advice(self) -> str:
        """The verdict, and how many seeds one would need where there is none yet."""
        if self.verdict != "undecided":
            return self.verdict
        return f"undecided: needs about {self.needed} seeds" if self.needed else "undecided: needs more than 1000 seeds"


def compare_accuracies(outcomes: list[Outcome], margin: float = MARGIN) -> Comparison:
    """Two one-sided paired t-tests (Schuirmann 1987; statsmodels' ttost_paired) over the seeds, and McNemar's test within each.

    `outcomes`: of one experiment, both frameworks. Runs with the same seed are a pair. Raises UserError when no seed has both.
    """
    by = {(o.framework, o.seed): o for o in outcomes}
    seeds = tuple(sorted({o.seed for o in outcomes if all((f, o.seed) in by for f in FRAMEWORKS)}))
    if not seeds:
        raise UserError(f"{outcomes[0].experiment}: no seed was run in both frameworks")
    gluon, torch = (np.array([by[f, seed].accuracy for seed in seeds]) for f in FRAMEWORKS)
    gaps = torch - gluon
    difference, spread = float(gaps.mean()), float(gaps.std(ddof=1)) if len(seeds) > 1 else UNKNOWN_SPREAD
    if len(seeds) == 1:
        half, p = math.inf, 1.0
    else:
        flat = spread < 1e-12  # every pair differs by the same: the t-statistic would be 0 / 0
        if flat:
            spread = 1 / len(by["gluon", seeds[0]].correct)  # an accuracy is known no finer than to one image
        error = spread / math.sqrt(len(seeds))
        half = float(stats.t.ppf(0.95, len(seeds) - 1)) * error
        if flat:
            p = float(stats.t.sf((margin - abs(difference)) / error, len(seeds) - 1))
        else:
            p = float(ttost_paired(torch, gluon, -margin, margin)[0])
    low, high = difference - half, difference + half
    different = low > margin or high < -margin
    verdict = "equivalent" if p < 0.05 else "different" if different else "undecided"
    likely = (
        0.0 if low <= 0 <= high else difference
    )  # what the seeds so far do not tell from zero is planned for as zero
    pairs = [(by["gluon", seed].correct, by["torch", seed].correct) for seed in seeds]
    only = [(int(np.sum(g & ~t)), int(np.sum(t & ~g))) for g, t in pairs]
    return Comparison(
        experiment=outcomes[0].experiment,
        seeds=seeds,
        gluon=statistics.fmean(gluon),
        torch=statistics.fmean(torch),
        difference=difference,
        low=low,
        high=high,
        margin=margin,
        p=p,
        verdict=verdict,
        needed=seeds_needed(likely, spread, margin) if verdict == "undecided" else None,
        agreement=float(np.mean([np.mean(g == t) for g, t in pairs])),
        only_gluon=sum(g for g, _ in only),
        only_torch=sum(t for _, t in only),
        mcnemar=tuple(float(mcnemar([[0, g], [t, 0]], exact=True).pvalue) if g + t else 1.0 for g, t in only),
    )


# Standard deviation of the difference of a pair of runs, to plan with while only one pair is known: runs of the chapter
# that people published spread by about 0.02, and a difference of two by sqrt(2) times that.
UNKNOWN_SPREAD = 0.02 * math.sqrt(2)


def seeds_needed(difference: float, spread: float, margin: float = MARGIN) -> int | None:
    """Pairs of runs for a verdict with a chance of about 80 %, if they differ by `difference` with standard deviation `spread`.

    The smallest n with (t(0.95) + t(0.90)) spread / sqrt(n) <= | |difference| - margin |, where t is Student's quantile with
    n - 1 degrees of freedom: the power of two one-sided tests around no difference (Julious 2004, section 5.2). None above 1000.
    """
    gap = abs(abs(difference) - margin)
    for n in range(2, 1001):
        quantiles = stats.t.ppf(0.95, n - 1) + stats.t.ppf(0.90, n - 1)
        if quantiles * spread / math.sqrt(n) <= gap:
            return n
    return None


def compare_all(outcomes: list[Outcome], margin: float = MARGIN) -> list[Comparison]:
    """One comparison per experiment, in the order in which they come."""
    names = dict.fromkeys(o.experiment for o in outcomes)
    return [compare_accuracies([o for o in outcomes if o.experiment == name], margin) for name in names]


def ranking(outcomes: list[Outcome], framework: str) -> list[tuple[str, float]]:
    """(experiment, mean accuracy) of one framework, the best first."""
    mine = [o for o in outcomes if o.framework == framework]
    names = {o.experiment for o in mine}
    means = {name: statistics.fmean(o.accuracy for o in mine if o.experiment == name) for name in names}
    return sorted(means.items(), key=lambda entry: (-entry[1], entry[0]))


def decided(outcomes: list[Outcome], framework: str, better: str, worse: str) -> bool:
    """Whether `better` beats `worse` in one framework: the 90 % interval of their difference over its seeds lies above zero."""
    by = {(o.experiment, o.seed): o.accuracy for o in outcomes if o.framework == framework}
    images = min(len(o.correct) for o in outcomes)
    seeds = [seed for name, seed in by if name == better and (worse, seed) in by]
    gaps = np.array([by[better, seed] - by[worse, seed] for seed in seeds])
    if len(gaps) < 2:
        return False
    spread = max(gaps.std(ddof=1), 1 / images)  # an accuracy is known no finer than to one image
    half = stats.t.ppf(0.95, len(gaps) - 1) * spread / math.sqrt(len(gaps))
    return bool(gaps.mean() - half > 0)


def contradictions(outcomes: list[Outcome]) -> list[str]:
    """Pairs of experiments whose order is decided in both frameworks and is not the same, in words; empty where they agree."""
    names, found = list(dict.fromkeys(o.experiment for o in outcomes)), []
    for a in names:
        for b in names:
            if decided(outcomes, "gluon", a, b) and decided(outcomes, "torch", b, a):
                found.append(f"{a} beats {b} in gluon, {b} beats {a} in torch")
    return found


def accuracy_table(comparisons: list[Comparison]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: one experiment a row, means, difference with its interval, verdict, and agreement image by image."""
    header = ["experiment", "Gluon", "PyTorch", "difference", "90 % interval", "margin", "seeds", "verdict", "TOST p"]
    header += ["agree on", "only Gluon / PyTorch right", "McNemar p < .05"]
    rows = []
    for c in comparisons:
        interval = "–" if len(c.seeds) == 1 else f"{c.low:+.3f} to {c.high:+.3f}"
        rows.append(
            [c.experiment, f"{c.gluon:.3f}", f"{c.torch:.3f}", f"{c.difference:+.3f}", interval, f"±{c.margin:g}"]
            + [
                str(len(c.seeds)),
                c.advice,
                "–" if len(c.seeds) == 1 else f"{c.p:.2g}",
                f"{c.agreement:.1%}",
                f"{c.only_gluon} / {c.only_torch}",
            ]
            + [f"{sum(p < 0.05 for p in c.mcnemar)} of {len(c.seeds)} seeds"]
        )
    return header, rows


def order_sentences(outcomes: list[Outcome]) -> list[str]:
    """The order of the experiments in each framework, and, where there are seeds to decide, whether the frameworks contradict."""
    lines = []
    for framework in FRAMEWORKS:
        order = ", ".join(f"{name} {mean:.3f}" for name, mean in ranking(outcomes, framework))
        lines.append(f"Order in {framework}: {order}")
    if len({o.seed for o in outcomes}) == 1:
        return lines
    against = contradictions(outcomes)
    return lines + (against or ["No two experiments are decided in opposite orders by the two frameworks."])
