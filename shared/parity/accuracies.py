"""Do two frameworks agree? Tensors are compared one by one and by name, accuracies by a test made for equivalence.

No framework is imported here: everything is NumPy arrays, numbers and run records.
"""

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import ttost_paired

from shared.errors import UserError
from shared.experiments import Experiment, completed
from shared.runs import FRAMEWORKS, Run, read_probabilities, write_atomically
from shared.sources import Source

# The ladder, from pixels to conclusions. The first rung that breaks says where two implementations part.
RUNGS = {
    1: "pixels",
    2: "tensors",
    3: "activations",
    4: "loss",
    5: "gradients",
    6: "effective rates",
    7: "one step",
    8: "trajectory",
    9: "BatchNorm policy",
    10: "frozen",
    11: "row reuse",
    12: "accuracy",
    13: "the book",
}

# Two accuracies count as equivalent when they differ by less than 3 points. Fixed before any run was made: it is about
# the spread of the chapter's published results (standard deviation 1 to 2.5 points over 27 runs).
MARGIN = 0.03


# --- tensors ---


@dataclass(frozen=True)
class Measured:
    """What a check of one rung found: the worst `difference` (of `what`) and the `tolerance` it had to keep to.

    A known divergence has a least size too, `at_least`: were it smaller, one of the frameworks would have changed.
    """

    rung: int
    what: str
    difference: float
    tolerance: float
    at_least: float | None = None

    @property
    def strain(self) -> float:
        """The difference as a share of its tolerance, 0 to 1."""
        return self.difference / self.tolerance if self.tolerance else 0.0

    def __str__(self):
        name = f"rung {self.rung:2d} {RUNGS[self.rung]}"
        if self.at_least is not None:
            return f"{name:24s} known {self.difference:8.2g}  within {self.at_least:.2g} to {self.tolerance:.2g}: {self.what}"
        return f"{name:24s} worst {self.difference:8.2g}  tolerance {self.tolerance:8.2g}: {self.what}"


class Mismatch(AssertionError):
    """A rung that does not hold. `rung` is its number; the text names what differs, by how much, and the tolerance."""

    def __init__(self, rung: int, text: str):
        super().__init__(f"rung {rung} ({RUNGS[rung]}): {text}")
        self.rung = rung


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """||a - b|| / ||b|| (Euclidean norms, in float64); 0 for equal arrays, infinity where something is not finite."""
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    if np.array_equal(a, b):
        return 0.0
    difference, scale = np.linalg.norm(a - b), np.linalg.norm(b)
    return float(difference / scale) if scale > 0 and math.isfinite(difference) else math.inf


def largest(a: np.ndarray, b: np.ndarray) -> float:
    """max |a - b| over all elements, in float64; infinity where something is not finite."""
    difference = float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0.0))
    return difference if math.isfinite(difference) else math.inf


def changed(a: np.ndarray, b: np.ndarray) -> float:
    """How many elements of `a` and `b` differ in any bit (0.0 and -0.0 differ), or 1 where the dtypes do."""
    if a.dtype != b.dtype:
        return 1.0
    bits = f"V{a.dtype.itemsize}"
    return float(np.sum(np.ascontiguousarray(a).view(bits) != np.ascontiguousarray(b).view(bits)))


def compare(rung: int, what: str, gluon: dict, torch: dict, tolerance: float, measure=relative) -> Measured:
    """Compare {name: array} of one side with the other's, in the order of the names; return the worst difference.

    measure: relative, largest or changed. Raises Mismatch naming the first array that differs by more than `tolerance`, the
    worst one, and how many do; also for names and shapes that differ.
    """
    if list(gluon) != list(torch):
        odd = next((n for n in [*gluon, *torch] if (n in gluon) != (n in torch)), "their order")
        raise Mismatch(rung, f"{what}: not the same names on both sides: {odd}")
    for name in gluon:
        if gluon[name].shape != torch[name].shape:
            raise Mismatch(rung, f"{what}: {name} has shape {gluon[name].shape} here and {torch[name].shape} there")
    differences = {name: measure(gluon[name], torch[name]) for name in gluon}
    wrong = [name for name, difference in differences.items() if not difference <= tolerance]
    worst = max(differences, key=differences.get)
    if wrong:
        raise Mismatch(
            rung,
            f"{what}: {wrong[0]} is the first that differs, by {differences[wrong[0]]:.2g} ({measure.__name__}; tolerance "
            f"{tolerance:.2g}); {len(wrong)} of {len(differences)} differ, most {worst} by {differences[worst]:.2g}",
        )
    return Measured(rung, f"{what}: {worst}", differences[worst], tolerance)


def within(rung: int, what: str, value: float, low: float, high: float) -> Measured:
    """Hold a measured `value` between two bounds. Raises Mismatch when it lies outside, or is no number."""
    if not low <= value <= high:
        raise Mismatch(rung, f"{what} is {value:.4g}; it has to lie between {low:.4g} and {high:.4g}")
    return Measured(rung, what, value, high, at_least=low)


# --- accuracies ---


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


# --- run records ---


def matching(
    found: list[Run], experiments: list[Experiment], dataset: str, source: Source, seeds, device: str = "auto"
) -> dict:
    """{(experiment name, framework, seed): run} of the finished runs that are exactly these experiments; the latest of each.

    dataset: its fingerprint. A row is the same by its label and by its number. device: `cpu` or `gpu` for runs made on one only.
    """

    def numbered(experiment, row):
        return json.loads(json.dumps(experiment | {"row": row}))

    wanted = {e.name: numbered(e.as_dict(), None if e.row is None else source.row(e.row)) for e in experiments}
    return {
        (run.experiment["name"], run.framework, run.seed): run
        for run in found
        if run.status == "finished"
        and (run.folder / "test_probabilities.csv").is_file()
        and numbered(run.experiment, run.source["row"]) == wanted.get(run.experiment["name"])
        and (run.dataset["fingerprint"], run.source["fingerprint"]) == (dataset, source.fingerprint)
        and run.seed in seeds
        and device in ("auto", "gpu" if run.device["gpu"] else "cpu")
    }


def missing(have: dict, experiments: list[Experiment], seeds, together: bool = False) -> list:
    """The runs that `matching` did not find, as [([framework], [(experiment name, seed)])], a whole seed before the next.

    together: frameworks that lack the same runs come in one entry.
    """
    wanted = [(e.name, seed) for seed in seeds for e in experiments]
    lacking = {f: [(name, seed) for name, seed in wanted if (name, f, seed) not in have] for f in FRAMEWORKS}
    if together and len({tuple(plan) for plan in lacking.values()}) == 1:
        groups = [(list(FRAMEWORKS), lacking[FRAMEWORKS[0]])]
    else:
        groups = [([framework], plan) for framework, plan in lacking.items()]
    return [(frameworks, plan) for frameworks, plan in groups if plan]


def where_they_ran(found: list[Run]) -> list[str]:
    """One line per framework: the devices its runs used, and why."""
    lines = []
    for framework in FRAMEWORKS:
        devices = {f"{r.device['used']} ({r.device['why']})" for r in found if r.framework == framework}
        if devices:
            lines.append(f"{framework} ran on {', '.join(sorted(devices))}")
    return lines


def about(command: str, found: list[Run]) -> dict:
    """What a record has to say about its runs: the command, data, source, experiments, devices and versions."""

    def distinct(values):
        return [json.loads(text) for text in dict.fromkeys(json.dumps(value, sort_keys=True) for value in values)]

    return {
        "command": command,
        "dataset": distinct(r.dataset for r in found),
        "source": distinct({key: r.source[key] for key in ("name", "architecture", "fingerprint")} for r in found),
        "experiments": distinct(r.experiment for r in found),
        "devices": {f: distinct(r.device for r in found if r.framework == f) for f in FRAMEWORKS},
        "versions": distinct(r.versions for r in found),
        "started": [min(r.started for r in found), max(r.started for r in found)],
    }


def write_record(path: Path, about: dict, outcomes: list[Outcome]):
    """Keep outcomes without their runs: `about` and, one line per run, what it got right as hexadecimal bits."""
    rows = [
        {
            "experiment": o.experiment,
            "framework": o.framework,
            "seed": o.seed,
            "accuracy": round(o.accuracy, 6),
            "images": len(o.correct),
            "correct": np.packbits(o.correct).tobytes().hex(),
        }
        for o in outcomes
    ]
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    text = f'{{\n "about": {json.dumps(about, indent=1)},\n "runs": [\n{lines}\n ]\n}}\n'
    write_atomically(Path(path), lambda file: file.write_text(text, encoding="utf-8"))


def read_record(path: Path) -> tuple[dict, list[Outcome]]:
    """What `write_record` wrote."""
    record = json.loads(Path(path).read_text(encoding="utf-8"))
    outcomes = []
    for row in record["runs"]:
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(row["correct"]), dtype=np.uint8), count=row["images"])
        outcomes.append(Outcome(row["experiment"], row["framework"], row["seed"], bits.astype(bool)))
    about = record["about"] | {"experiments": [completed(e) for e in record["about"]["experiments"]]}
    return about, outcomes
