"""Exercise 6: can a trained network adapt to spoiled images while it predicts, without labels?

Trained: `finetune`. Then, on test images as they are, darkened, noisy and shifted: the network as it is; normalising every batch by
the batch's own statistics; and Tent, which also takes a step on batch normalisation's scales and shifts after every batch. The last
two once more with the images class by class.
"""

from dataclasses import dataclass

from shared.exercises import spoiled
from shared.exercises.bench import Bench
from shared.exercises.intervals import Interval, difference, each, over_seeds, t_interval
from shared.exercises.report import Table, framework_patches, mark
from shared.exercises.spoiled import ADAPTED, ARMS, AS_IT_IS, CLEAN, STATISTICS
from shared.runs.figures import HATCHES
from shared.runs.frameworks import NAMES
from shared.runs.tables import plural

TITLE = "Adapt at test time"
TENT = [arm for arm in ADAPTED if arm != STATISTICS]
COLOURS = dict(zip(ARMS, ("#7f7f7f", "#56b4e9", "#e69f00", "#d55e00"), strict=True))


@dataclass(frozen=True)
class Numbers:
    """Test accuracies, a value a seed.

    mixed: {corruption: {arm: {framework: values}}}, the first corruption none. by_class: {arm: {framework: values}} of the images
    as they are, in class order. batch_size: images at a time.
    """

    frameworks: list[str]
    seeds: list[int]
    epochs: int
    batch_size: int
    mixed: dict
    by_class: dict
    chance: float

    def cost(self, f: str, corruption: str) -> Interval:
        """What the corruption takes from the network as it is."""
        return difference(self.mixed[CLEAN][AS_IT_IS][f], self.mixed[corruption][AS_IT_IS][f])

    def gain(self, f: str, corruption: str, arm: str) -> Interval:
        """What an arm adds: the batch's statistics to the network as it is, Tent to the batch's statistics."""
        other = AS_IT_IS if arm == STATISTICS else STATISTICS
        return difference(self.mixed[corruption][arm][f], self.mixed[corruption][other][f])

    def cost_of_order(self, f: str, arm: str) -> Interval:
        """What it takes from an arm that images come class by class."""
        return difference(self.mixed[CLEAN][arm][f], self.by_class[arm][f])


def measure(bench: Bench) -> Numbers:
    """Train one network a seed, each of which is tried on all images in all arms when it is done."""
    arm = bench.experiment("finetune", **({"num_epochs": bench.epochs} if bench.epochs else {}))
    runs = bench.train([arm], measured="spoiled")[arm]
    found = {f: [spoiled.recorded(run) for run in runs[f]] for f in bench.frameworks}
    corruptions = list(found[bench.frameworks[0]][0].mixed)
    return Numbers(
        frameworks=bench.frameworks,
        seeds=bench.seeds,
        epochs=arm.num_epochs,
        batch_size=arm.batch_size,
        mixed={c: {a: {f: [one.mixed[c][a] for one in found[f]] for f in found} for a in ARMS} for c in corruptions},
        by_class={a: {f: [one.by_class[a] for one in found[f]] for f in found} for a in ARMS},
        chance=bench.chance,
    )


# --- tables ---


def tables(n: Numbers) -> list[Table]:
    """Every arm on every kind of images, and what the order of the images does to it."""
    names = [NAMES[f] for f in n.frameworks]
    trained = f"{plural(n.epochs, 'epoch')} of fine-tuning"
    return [
        Table(
            f"Test accuracy after {trained}, the images mixed, in batches of {n.batch_size} at most ({over_seeds(n.seeds)}); and "
            "what it adds, in points: the batch's statistics to the network as it is, Tent to the batch's statistics.",
            ["test images", "the network", *names, *(f"{name} adds" for name in names)],
            [[c, arm, *_accuracies(n, n.mixed[c][arm]), *_gains(n, c, arm)] for c in n.mixed for arm in ARMS],
        ),
        Table(
            f"The images {CLEAN}, mixed and class by class; and what that order costs, in points.",
            ["the network", *(f"{name}, {what}" for what in ("mixed", "class by class", "cost") for name in names)],
            [_order(n, arm) for arm in ARMS],
        ),
    ]


def _accuracies(n, values):
    return [str(t_interval(values[f])) for f in n.frameworks]


def _gains(n, corruption, arm):
    return ["–" if arm == AS_IT_IS else n.gain(f, corruption, arm).in_points() for f in n.frameworks]


def _order(n, arm):
    costs = ["–" if arm == AS_IT_IS else n.cost_of_order(f, arm).in_points() for f in n.frameworks]
    return [arm, *_accuracies(n, n.mixed[CLEAN][arm]), *_accuracies(n, n.by_class[arm]), *costs]


# --- answer ---

HELPS = {"positive": "better", "undecided": "undecided", "negative": "worse"}


def answer(n: Numbers) -> list[str]:
    """What spoiling costs, what the batch's statistics give back, what Tent adds, and what the order does."""
    fs = n.frameworks
    worse = [c for c in n.mixed if c != CLEAN]
    return [
        f"The network as it is reaches {each(fs, lambda f: str(t_interval(n.mixed[CLEAN][AS_IT_IS][f])))} on the test images "
        f"{CLEAN}. Spoiling them costs, in points: {_listed(worse, lambda c: each(fs, lambda f: n.cost(f, c).in_points()))}.",
        "Normalising by the batch, with nothing trained, adds to the network as it is, in points: "
        f"{_listed([*worse, CLEAN], lambda c: each(fs, lambda f: _said(n.gain(f, c, STATISTICS))))}.",
        f"Tent's steps add to that, over both rates and all images, {each(fs, lambda f: _range(n, f))}; the seeds decide "
        f"{each(fs, lambda f: _decided(n, f))}.",
        f"Class by class instead of mixed, normalising by the batch falls from "
        f"{each(fs, lambda f: f'{_mean(n.mixed[CLEAN][STATISTICS][f])} to {_mean(n.by_class[STATISTICS][f])}')}, Tent at its "
        f"higher rate from {each(fs, lambda f: f'{_mean(n.mixed[CLEAN][TENT[-1]][f])} to {_mean(n.by_class[TENT[-1]][f])}')}; "
        f"{n.chance:.2f} is chance, and the order changes nothing for the network as it is.",
    ]


def _listed(corruptions, value):
    return "; ".join(f"{corruption} {value(corruption)}" for corruption in corruptions)


def _said(gain):
    return f"{gain.in_points()} ({HELPS[gain.sign]})"


def _mean(values):
    return f"{t_interval(values).mean:.3f}"


def _tent(n, f):
    return [n.gain(f, corruption, arm) for corruption in n.mixed for arm in TENT]


def _range(n, f):
    least, most = (100 * choose(gain.mean for gain in _tent(n, f)) for choose in (min, max))
    return f"{least:.1f} to {most:.1f} points"


def _decided(n, f):
    signs = [gain.sign for gain in _tent(n, f)]
    better, worse = signs.count("positive"), signs.count("negative")
    return f"{better} of {len(signs)} for better and {worse} for worse"


# --- picture ---


def draw(figure, n: Numbers):
    """Left every arm on every kind of images, right the images class by class."""
    from matplotlib.patches import Patch

    left, right = figure.subplots(1, 2, width_ratios=(4, 1.3), sharey=True)
    groups = [*((left, c, n.mixed[c]) for c in n.mixed), (right, CLEAN, n.by_class)]
    for place, (panel, _, accuracy) in enumerate(groups):
        for i, arm in enumerate(ARMS):
            for k, f in enumerate(n.frameworks):
                interval = t_interval(accuracy[arm][f])
                style = {
                    "color": COLOURS[arm],
                    "hatch": HATCHES[f],
                    "edgecolor": "white",
                    "ecolor": "black",
                    "capsize": 1.5,
                }
                panel.bar(place + 0.21 * i + 0.1 * k, interval.mean, 0.095, yerr=interval.half, **style)
    for panel in (left, right):
        own = [(place, name) for place, (where, name, _) in enumerate(groups) if where is panel]
        panel.set(xticks=[place + 0.37 for place, _ in own], xticklabels=[name for _, name in own])
        panel.set_xlim(own[0][0] - 0.5, own[-1][0] + 0.95)
        mark(panel, n.chance, "chance")
    left.set(ylabel="test accuracy", ylim=(0.3, 1), title="in mixed order")
    right.set(title="class by class")
    patches = [Patch(facecolor=COLOURS[arm], label=arm) for arm in ARMS] + framework_patches(n.frameworks)
    figure.legend(handles=patches, loc="outside lower center", ncols=3, fontsize=8)
