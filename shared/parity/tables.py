"""The tables of a comparison: verdicts, agreement image by image, cross-execution. No more than eight columns each."""

import math
import statistics

from shared.parity.accuracies import Comparison
from shared.parity.agreement import Likeness
from shared.parity.design import FAMILY, LEVEL, MARGIN
from shared.parity.outcomes import Outcome
from shared.parity.planning import TIMES
from shared.runs.frameworks import FRAMEWORKS, NAMES

Table = tuple[list[str], list[list[str]]]


def verdict_table(comparisons: list[Comparison]) -> Table:
    """Header and rows: the endpoint in both frameworks, its difference, the verdict, the margin from which on it is equivalent."""
    margin = f"± {comparisons[0].margin:g}"
    averaged = sorted({c.averaged for c in comparisons})
    epochs = " or ".join(map(str, averaged))
    endpoint = "last epoch" if averaged == [1] else f"mean of the last {epochs} epochs"
    header = ["experiment", "runs", *(f"{NAMES[f]}, {endpoint}" for f in FRAMEWORKS), "difference (90 % interval)"]
    header += ["last epoch", f"verdict at {margin}", "equivalent from"]
    rows = [
        [
            c.experiment,
            runs(c),
            f"{c.gluon:.3f}",
            f"{c.torch:.3f}",
            f"{c.difference:+.3f}" + ("" if c.low is None else f" ({c.low:+.3f} to {c.high:+.3f})"),
            f"{c.last:+.3f}",
            verdict(c),
            "–" if math.isinf(c.verdict.smallest) else f"± {c.verdict.smallest:.3f}",
        ]
        for c in comparisons
    ]
    return header, rows


def runs(c: Comparison) -> str:
    """How many runs were compared: "5 pairs", "10 and 10", and how many diverged in each framework."""
    n, m = (len(c.seeds[f]) for f in FRAMEWORKS)
    text = f"{n} pair{'s' * (n != 1)}" if c.draws == "shared" else f"{n} and {m}"
    lost = [f"{count} of {NAMES[f]}" for f, count in c.diverged.items() if count]
    return text + (f"; diverged: {', '.join(lost)}" if lost else "")


def verdict(c: Comparison) -> str:
    """The verdict with its p; where there is none yet, the chances that new seeds give one."""
    if c.low is None:
        return "undecided: one seed shows no spread"
    p = f" (p {c.verdict.p:.2g})"
    if c.verdict.word == "undecided" and c.verdict.p < LEVEL:
        return "undecided: runs diverged in one framework and not in the other"
    if c.verdict.word != "undecided":
        return c.verdict.word + p * (c.verdict.word == "equivalent")
    percent = ", ".join(f"{chance:.0%}" for chance in c.chances)
    return f"undecided{p}; chance of a verdict {percent}"


def verdict_notes(comparisons: list[Comparison]) -> list[str]:
    """What the columns of `verdict_table` mean."""
    test = (
        "paired t-tests over the seeds" if comparisons[0].draws == "shared" else "t-tests of independent runs (Welch)"
    )
    lines = [
        f"difference: PyTorch less Gluon. p: of two one-sided {test}, with Holm's correction for {len(FAMILY)} experiments. "
        "equivalent from: the smallest margin at which the experiment would be equivalent."
    ]
    if any(c.verdict.word == "undecided" and c.low is not None for c in comparisons):
        times = f"{', '.join(map(str, TIMES[:-1]))} and {TIMES[-1]} times"
        lines.append(
            f"chance of a verdict: with {times} as many new seeds, by Student's predictive distribution of these runs."
        )
    return lines


AGREEMENT_NOTE = (
    "After the last epoch. It describes, and decides nothing. Two seeds of one framework differ too, so what is counted over "
    "images means something only beside them. Δp: absolute, of a test image's probabilities. AUC: area under the ROC curve; "
    f"an interval inside ± {MARGIN:g} is equivalence by the same test, taken alone. The last column draws seeds and images "
    "anew; below ten seeds it covers too little to decide by."
)


def agreement_table(comparisons: list[Comparison]) -> Table:
    """Header and rows: how alike the frameworks' predictions are, beside two seeds of one framework, which differ too."""
    header = ["experiment", "two seeds of one framework: same prediction", "the two frameworks: same prediction"]
    header += ["two seeds: mean Δp", "frameworks: mean Δp", "McNemar p < .05: two seeds, frameworks"]
    header += ["difference of AUC (90 % interval)", "90 % over seeds and images"]
    rows = []
    for c in comparisons:
        a = c.agreement
        rows.append(
            [c.experiment, _same(a.seeds), _same(a.frameworks), _gap(a.seeds), _gap(a.frameworks)]
            + ["–" if a.seeds is None else f"{a.seeds.mcnemar:.0%}, {a.frameworks.mcnemar:.0%}"]
            + ["–" if a.auc is None else "{:+.3f} ({:+.3f} to {:+.3f})".format(*a.auc)]
            + ["–" if c.resampled is None else "{:+.3f} to {:+.3f}".format(*c.resampled)]
        )
    return header, rows


def _same(likeness: Likeness | None) -> str:
    return "–" if likeness is None else f"{likeness.same:.1%}"


def _gap(likeness: Likeness | None) -> str:
    return "–" if likeness is None or likeness.gap is None else f"{likeness.gap:.3f}"


def cross_table(outcomes: list[Outcome]) -> Table:
    """Header and rows: each framework's trained weights, evaluated in the other one on the same images; empty rows without any."""
    header = [
        "experiment",
        "trained in",
        "runs",
        "test images",
        "labels that differ",
        "largest Δp",
        "mean Δp",
    ]
    rows = []
    for name in dict.fromkeys(o.experiment for o in outcomes):
        for f in FRAMEWORKS:
            mine = [o for o in outcomes if (o.experiment, o.framework) == (name, f) and o.elsewhere is not None]
            if mine:
                gaps = [o.elsewhere for o in mine]
                rows.append(
                    [name, NAMES[f], str(len(mine)), str(sum(o.images for o in mine))]
                    + [str(sum(g.labels for g in gaps)), f"{max(g.largest for g in gaps):.1e}"]
                    + [f"{statistics.fmean(g.mean for g in gaps):.1e}"]
                )
    return header, rows
