"""Exercise 2: what is left of the difference between fine-tuned and from scratch when both are tuned at equal budget?

Trained: for the search, `finetune` and `scratch` each at three rates for seven epochs, on four fifths of the training images and
judged on the last fifth; then, on all training images, both as given and both for seven epochs at the rate that was chosen.
"""

from dataclasses import dataclass, replace

from shared.exercises.bench import Bench
from shared.exercises.intervals import (
    each,
    end_of_sweep,
    one_digit,
    over_seeds,
    paired_differences,
    t_interval,
)
from shared.exercises.report import Table, framework_patches, mark
from shared.experiments import Experiment
from shared.runs.figures import COLOURS, HATCHES
from shared.runs.frameworks import NAMES
from shared.runs.record import Run
from shared.runs.tables import mean, show

TITLE = "Tune both further"
NAMES_COMPARED = ("finetune", "scratch")
FACTORS = (1 / 3, 1, 10 / 3)
HOLDOUT = 0.2
# Accuracies swing from one late epoch to the next, from scratch by ten points and more: where a network stays is a mean of these.
SETTLED = 3


def settled(run: Run, epochs: int) -> float:
    """Mean test accuracy after the last three of the first `epochs` epochs of a run."""
    return mean(e["test_accuracy"] for e in run.epochs[1 : epochs + 1][-SETTLED:])


@dataclass(frozen=True)
class Numbers:
    """What the runs gave.

    searched: [(experiment, held-out accuracy after every epoch, its mean over the last three)], means over frameworks. given,
    tuned: {name: experiment}. before, after: {name: {framework: accuracy a seed}} on the test images, as given and tuned.
    """

    frameworks: list[str]
    seeds: list[int]
    epochs: int
    searched: list[tuple[Experiment, list[float], float]]
    given: dict[str, Experiment]
    tuned: dict[str, Experiment]
    before: dict
    after: dict
    chance: float

    def rates(self, name: str) -> list[float]:
        """The rates that were tried for the experiment `name`."""
        return [e.learning_rate for e, _, _ in self.searched if e.name == name]


def measure(bench: Bench) -> Numbers:
    """Search a rate for each, and train both as given and with what was found."""
    epochs = bench.epochs or 7
    given = {name: bench.experiment(name) for name in NAMES_COMPARED}
    candidates = [
        replace(e, learning_rate=one_digit(e.learning_rate * factor), num_epochs=epochs)
        for e in given.values()
        for factor in FACTORS
    ]
    searched = _search(bench, candidates, epochs)
    tuned = {name: max((one for one in searched if one[0].name == name), key=lambda one: one[2])[0] for name in given}
    # Where the rate is the given one, the longer run is the given one as well, up to its last epoch.
    start = {
        name: tuned[name] if tuned[name].learning_rate == e.learning_rate and epochs > e.num_epochs else e
        for name, e in given.items()
    }
    runs = bench.train([*start.values(), *tuned.values()])

    def accuracy(experiment, length):
        return {f: [settled(run, length) for run in runs[experiment][f]] for f in bench.frameworks}

    return Numbers(
        frameworks=bench.frameworks,
        seeds=bench.seeds,
        epochs=epochs,
        searched=searched,
        given=given,
        tuned=tuned,
        before={name: accuracy(e, given[name].num_epochs) for name, e in start.items()},
        after={name: accuracy(e, epochs) for name, e in tuned.items()},
        chance=bench.chance,
    )


def _search(bench, candidates, epochs):
    """Every candidate trained with one seed: itself, its held-out accuracy after every epoch, and where that stays."""
    found = []
    for e, by_framework in bench.train(candidates, holdout=HOLDOUT, seeds=bench.seeds[:1]).items():
        runs = [run for f in bench.frameworks for run in by_framework[f]]
        curve = [mean(run.epochs[i]["test_accuracy"] for run in runs) for i in range(1, epochs + 1)]
        found.append((e, curve, mean(settled(run, epochs) for run in runs)))
    return found


# --- tables ---

SEARCH = {
    "one framework": "The search at equal budget: three rates for {epochs} epochs, trained on {share:.0%} of the training "
    "images, judged on the others; one seed, mean of the last {last} epochs.",
    "both frameworks": "The search at equal budget: three rates for {epochs} epochs, trained on {share:.0%} of the training "
    "images, judged on the others; one seed, mean of the last {last} epochs and of both frameworks.",
}


def tables(n: Numbers) -> list[Table]:
    """The search, and both networks before and after it."""
    last = min(SETTLED, n.epochs)
    search = SEARCH["both frameworks" if len(n.frameworks) > 1 else "one framework"]
    stages = [("as given", n.given, n.before), ("tuned", n.tuned, n.after)]
    return [
        Table(
            search.format(epochs=n.epochs, share=1 - HOLDOUT, last=last),
            ["experiment", "lr", "held-out accuracy", ""],
            [
                [e.name, f"{e.learning_rate:g}", show(held_out), "chosen" if e in n.tuned.values() else ""]
                for e, _, held_out in n.searched
            ],
        ),
        Table(
            f"On the test images, mean of the last {last} epochs ({over_seeds(n.seeds)}).",
            ["experiment", "setting", "lr", "epochs", *(NAMES[f] for f in n.frameworks)],
            [
                [name, setting, f"{experiments[name].learning_rate:g}", str(experiments[name].num_epochs)]
                + [str(t_interval(accuracy[name][f])) for f in n.frameworks]
                for name in n.given
                for setting, experiments, accuracy in stages
            ],
        ),
    ]


# --- answer ---

CHANGE = {"positive": "widens", "undecided": "is not seen to change", "negative": "closes"}
AHEAD = {
    "positive": "fine-tuning is still ahead",
    "undecided": "the seeds do not decide which of the two is ahead",
    "negative": "the network from scratch is ahead",
}


def answer(n: Numbers) -> list[str]:
    """By how much fine-tuning leads as given and tuned, and what tuning does to the gap."""
    return [_leads(n), *(_gap(n, f) for f in n.frameworks)]


def _gaps(accuracy, f):
    """Fine-tuned less from scratch, seed by seed."""
    return paired_differences(accuracy["finetune"][f], accuracy["scratch"][f])


def _leads(n):
    same = [name for name in n.given if n.tuned[name].learning_rate == n.given[name].learning_rate]
    ends = {name: end_of_sweep(n.tuned[name].learning_rate, n.rates(name)) for name in n.given}
    ends = ", ".join(f"for {name} {end}" for name, end in ends.items() if end)
    before, after = (
        each(n.frameworks, lambda f, accuracy=accuracy: f"{t_interval(_gaps(accuracy, f)).in_points()} points")
        for accuracy in (n.before, n.after)
    )
    sentences = [f"As given, fine-tuning leads by {before}; with both tuned at the same budget by {after}."]
    if same:
        sentences.insert(
            0,
            f"The search chose the given rate for {' and '.join(same)}: tuned differs in the number of epochs only.",
        )
    if ends:
        sentences.append(f"What the search chose is {ends}: there may be a better one beyond it.")
    return " ".join(sentences)


def _gap(n, f):
    gap = t_interval(_gaps(n.after, f))
    change = t_interval(paired_differences(_gaps(n.after, f), _gaps(n.before, f)))
    scratch = n.after["scratch"][f]
    text = f"In {NAMES[f]} the gap {CHANGE[change.sign]} by tuning ({change.in_points()} points), and after it {AHEAD[gap.sign]}."
    if len(n.seeds) > 1 and t_interval([a - n.chance for a in scratch]).sign == "undecided":
        text += (
            f" From scratch is not told from chance there, {t_interval(scratch)}, so there is little to compare with."
        )
    return text


# --- picture ---


def draw(figure, n: Numbers):
    """Left the search, epoch by epoch; right both networks as given and tuned."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for name in n.given:
        curves = [(e, curve) for e, curve, _ in n.searched if e.name == name]
        for rank, (e, curve) in enumerate(curves):
            style = {"color": COLOURS[name], "marker": "osv"[rank], "markersize": 4, "alpha": 0.4 + 0.3 * rank}
            left.plot(range(1, n.epochs + 1), curve, label=f"{name}, lr {e.learning_rate:g}", **style)
    left.set(xlabel="epoch", ylabel="held-out accuracy", title="the search", ylim=(0.4, 1))
    left.grid(alpha=0.3)
    for i, name in enumerate(n.given):
        for j, (accuracy, alpha) in enumerate(((n.before, 0.4), (n.after, 0.9))):
            for k, f in enumerate(n.frameworks):
                interval = t_interval(accuracy[name][f])
                style = {"color": COLOURS[name], "alpha": alpha, "hatch": HATCHES[f], "edgecolor": "white"}
                style |= {"yerr": interval.half, "ecolor": "black", "capsize": 2}
                right.bar(i + 0.42 * j + 0.19 * k, interval.mean, 0.17, **style)
    right.set(ylabel="test accuracy", title="as given (pale) and tuned", ylim=(0.4, 1))
    for panel in (left, right):
        mark(panel, n.chance, "chance")
    right.set(xticks=[0.3, 1.3], xticklabels=list(n.given))
    right.legend(handles=framework_patches(n.frameworks), loc="upper right", fontsize=8)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
