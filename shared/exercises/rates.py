"""Exercise 1: what becomes of fine-tuning when its learning rate goes up and up, and which layer breaks first?

Trained: `finetune` for two epochs at seven rates of the features, a tenth to a hundred times the given one, each twice: with the
output layer at its multiple (ten times) of that rate, and with the output layer at that rate itself. Measured: up to which rate the
output layer cannot overshoot on the features that training starts with.
"""

import math
from dataclasses import dataclass, replace

from shared.exercises.bench import Bench, accuracies, losses
from shared.exercises.intervals import (
    Interval,
    difference,
    each,
    end_of_sweep,
    listed,
    one_digit,
    over_seeds,
    paired_differences,
    t_interval,
)
from shared.exercises.report import Table, mark
from shared.runs.figures import COLOURS, LINES
from shared.runs.frameworks import NAMES
from shared.runs.tables import mean, plural

TITLE = "Keep raising the learning rate"
FACTORS = (1 / 10, 1 / 3, 1, 10 / 3, 10, 100 / 3, 100)


@dataclass(frozen=True)
class Numbers:
    """What the runs gave, by arm: (rate of the features, multiple of it at the output layer).

    accuracy, loss: {arm: {framework: a value a seed}}, of the last epoch. limit: {framework: rate up to which the output layer
    cannot overshoot}. guessing: loss of giving every class the same probability (nats).
    """

    frameworks: list[str]
    seeds: list[int]
    epochs: int
    rates: list[float]
    multiple: float
    accuracy: dict
    loss: dict
    limit: dict[str, float]
    chance: float
    guessing: float

    def broke(self, f: str, rate: float, multiple: float) -> bool:
        """Whether the accuracy is nearer to chance than to the best of all arms."""
        best = max(mean(by_framework[f]) for by_framework in self.accuracy.values())
        return mean(self.accuracy[rate, multiple][f]) < (best + self.chance) / 2

    def best_rate(self, f: str, multiple: float) -> float:
        """The rate of the features with the highest accuracy."""
        return max(self.rates, key=lambda rate: mean(self.accuracy[rate, multiple][f]))

    def gains(self, f: str, rate: float) -> list[float]:
        """What the multiple of the rate at the output layer adds to the accuracy, seed by seed."""
        return paired_differences(self.accuracy[rate, self.multiple][f], self.accuracy[rate, 1.0][f])


def measure(bench: Bench) -> Numbers:
    """Train both sweeps, and measure the output layer's limit."""
    base = replace(bench.experiment("finetune"), num_epochs=bench.epochs or 2)
    rates = [one_digit(base.learning_rate * factor) for factor in FACTORS]
    arms = {
        (rate, multiple): replace(base, learning_rate=rate, head_lr_mult=multiple)
        for multiple in (base.head_lr_mult, 1.0)
        for rate in rates
    }
    runs = bench.train(list(arms.values()))
    one_run = runs[arms[rates[0], 1.0]][bench.frameworks[0]][0]
    return Numbers(
        frameworks=bench.frameworks,
        seeds=bench.seeds,
        epochs=base.num_epochs,
        rates=rates,
        multiple=base.head_lr_mult,
        accuracy={arm: {f: accuracies(runs[e][f]) for f in bench.frameworks} for arm, e in arms.items()},
        loss={arm: {f: losses(runs[e][f]) for f in bench.frameworks} for arm, e in arms.items()},
        limit={f: record["limit"] for f, record in bench.measurement("limit").items()},
        chance=bench.chance,
        guessing=math.log(len(one_run.dataset["classes"])),
    )


# --- tables ---

GAIN = {"positive": "better", "undecided": "undecided", "negative": "worse"}


def tables(n: Numbers) -> list[Table]:
    """Both sweeps, and what the multiple of the rate at the output layer adds."""
    many = f"{n.multiple:g} times"
    header = ["lr of the features", "lr of the output layer"]
    header += [f"{NAMES[f]} {what}" for f in n.frameworks for what in ("test accuracy", "training loss")]
    return [
        Table(
            f"The output layer at {many} the features' rate ({plural(n.epochs, 'epoch')}, {over_seeds(n.seeds)}; "
            "broke: nearer to chance than to the best).",
            header,
            _sweep(n, n.multiple),
        ),
        Table("The output layer at the features' own rate.", header, _sweep(n, 1.0)),
        Table(
            f"What {many} the rate at the output layer adds to the test accuracy, in points.",
            ["lr of the features", *(NAMES[f] for f in n.frameworks)],
            [[f"{rate:g}", *(_gain(t_interval(n.gains(f, rate))) for f in n.frameworks)] for rate in n.rates],
        ),
    ]


def _sweep(n, multiple):
    rows = []
    for rate in n.rates:
        row = [f"{rate:g}", f"{rate * multiple:g}"]
        for f in n.frameworks:
            accuracy = str(t_interval(n.accuracy[rate, multiple][f]))
            row.append(f"{accuracy}, broke" if n.broke(f, rate, multiple) else accuracy)
            row.append(f"{mean(n.loss[rate, multiple][f]):.3g}")
        rows.append(row)
    return rows


def _gain(gain: Interval):
    return f"{gain.in_points()}, {GAIN[gain.sign]}"


# --- answer ---

BREAKS_FIRST = {
    "positive": "In {framework}, with the features at {rate:g}, {many} that rate for the output layer costs {cost} points of "
    "accuracy: it is the output layer that breaks first.",
    "undecided": "In {framework}, with the features at {rate:g}, {many} that rate for the output layer costs {cost} points of "
    "accuracy; the seeds do not tell that from nothing.",
    "nowhere": "In {framework} no rate tried breaks the output layer alone.",
}


def answer(n: Numbers) -> list[str]:
    """Where fine-tuning does best and breaks, what the higher rate of the output layer is worth, and which layer breaks first."""
    many = f"{n.multiple:g} times"
    return [
        f"With the output layer at {many} the features' rate fine-tuning does best with "
        f"{each(n.frameworks, lambda f: _best(n, f, n.multiple))}, and breaks {each(n.frameworks, lambda f: _breaks(n, f))}. "
        f"With the output layer at the features' own rate the best is {each(n.frameworks, lambda f: _best(n, f, 1.0))}.",
        f"Does {many} the rate at the output layer help, the features' rate being the same? It is "
        f"{each(n.frameworks, lambda f: _helps(n, f))}; at all other rates the seeds do not decide.",
        f"Up to a rate of {each(n.frameworks, lambda f: f'{n.limit[f]:.2g}')} the output layer cannot overshoot on the features "
        f"that training starts with; at {many} the features' rate that is reached when theirs is "
        f"{each(n.frameworks, lambda f: f'{n.limit[f] / n.multiple:.2g}')}.",
        *(_breaks_first(n, f, many) for f in n.frameworks),
    ]


def _best(n, f, multiple):
    """The best accuracy of a sweep and its rate, and what speaks against taking it for the best there is."""
    best = n.best_rate(f, multiple)
    accuracy = n.accuracy[best, multiple][f]
    others = [rate for rate in n.rates if rate != best]
    even = sum(difference(accuracy, n.accuracy[rate, multiple][f]).sign == "undecided" for rate in others)
    notes = [end_of_sweep(best, n.rates)] if end_of_sweep(best, n.rates) else []
    notes += [f"the seeds do not tell it from {even} of the {len(others)} others"] if even else []
    text = f"{t_interval(accuracy)} at {best:g}"
    return f"{text} ({'; '.join(notes)})" if notes else text


def _breaks(n, f):
    """The lowest rate above the best one at which training breaks."""
    best = n.best_rate(f, n.multiple)
    broken = [rate for rate in n.rates if rate > best and n.broke(f, rate, n.multiple)]
    return f"at {min(broken):g}" if broken else "at no rate tried"


def _helps(n, f):
    """At which rates of the features the multiple at the output layer is better, and at which it is worse."""
    signs = {rate: t_interval(n.gains(f, rate)).sign for rate in n.rates}
    better, worse = ([rate for rate in n.rates if signs[rate] == sign] for sign in ("positive", "negative"))
    if better and worse:
        return f"better at {listed(better)} and worse at {listed(worse)}"
    if better or worse:
        return f"better at {listed(better)}" if better else f"worse at {listed(worse)}"
    return "undecided"


def _breaks_first(n, f, many):
    """What the multiple costs at the lowest rate that the features bear and the output layer at the multiple does not."""
    alone = [rate for rate in n.rates if n.broke(f, rate, n.multiple) and not n.broke(f, rate, 1.0)]
    if not alone:
        return BREAKS_FIRST["nowhere"].format(framework=NAMES[f])
    cost = t_interval([-gain for gain in n.gains(f, alone[0])])  # above 0: one is broken and the other is not
    return BREAKS_FIRST[cost.sign].format(framework=NAMES[f], rate=alone[0], many=many, cost=cost.in_points())


# --- picture ---


def draw(figure, n: Numbers):
    """Accuracy and loss over the rate, both sweeps; vertical lines where the output layer's limit is reached."""
    left, right = figure.subplots(1, 2)
    handles = []
    for name, multiple, colour in (("ten times the", n.multiple, COLOURS["finetune"]), ("the same", 1.0, "#7f7f7f")):
        for k, f in enumerate(n.frameworks):
            handles.append(_draw_sweep(left, right, n, f, multiple, k, name, colour))
        for panel in (left, right):
            line = panel.axvline(mean(n.limit.values()) / multiple, color=colour, linewidth=1.2, alpha=0.6)
        line.set_label(f"limit of the output layer at {name} rate")
        handles.append(line)
    mark(left, n.chance, "chance")
    mark(right, n.guessing, "guessing")
    for panel in (left, right):
        panel.set(xscale="log", xlabel="learning rate of the features")
        panel.grid(alpha=0.3)
    left.set(ylabel="test accuracy", ylim=(0.3, 1))
    right.set(ylabel="training loss, nats", yscale="log")
    right.yaxis.set_major_formatter("{x:g}")
    right.yaxis.set_minor_formatter("{x:g}")
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)


def _draw_sweep(left, right, n, f, multiple, place, name, colour):
    """One framework's sweep in both panels. Returns what stands for it in the legend."""
    x = [rate * (1 + 0.06 * place) for rate in n.rates]  # beside each other, not upon each other
    intervals = [t_interval(n.accuracy[rate, multiple][f]) for rate in n.rates]
    style = {"color": colour, "linestyle": LINES[f], "marker": "o", "markersize": 3}
    label = f"{NAMES[f]}, output layer at {name} rate"
    means, halves = [i.mean for i in intervals], [i.half or 0 for i in intervals]
    right.plot(x, [min(mean(n.loss[rate, multiple][f]), 1e6) for rate in n.rates], **style)
    return left.errorbar(x, means, halves, capsize=2, elinewidth=0.8, label=label, **style)
