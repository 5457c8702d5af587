"""Exercise 3: what frozen features cost in accuracy, what they save, and what batch normalisation has to do with it.

Trained: `finetune`; `frozen`, where batch normalisation goes on using the batch's statistics in training; and `frozen` with the
running statistics in training too. Each in a process of its own, so that each has a memory of its own.
"""

import statistics
from dataclasses import dataclass

from shared.exercises.bench import Bench, accuracies
from shared.exercises.intervals import difference, each, over_seeds, t_interval
from shared.exercises.report import Table, framework_patches, mark
from shared.runs.figures import COLOURS, HATCHES
from shared.runs.frameworks import NAMES
from shared.runs.record import Run
from shared.runs.tables import plural, show

TITLE = "Freeze the features"
FULL, BATCH, LOCKED = "finetune", "frozen, normalised by the batch", "frozen, batch normalisation locked"


@dataclass(frozen=True)
class Numbers:
    """What the runs gave, by arm: FULL, BATCH or LOCKED.

    accuracy: {arm: {framework: a value a seed}}, of the last epoch. seconds: {arm: {framework: of the median epoch's training}}.
    memory: {arm: {framework: MiB that the process grew by}}, None where it is not known. devices: of the runs, in words.
    """

    frameworks: list[str]
    seeds: list[int]
    epochs: int
    accuracy: dict
    seconds: dict
    memory: dict
    devices: list[str]
    chance: float

    @property
    def weighed(self) -> bool:
        """Whether any memory is known."""
        return any(value for by_framework in self.memory.values() for value in by_framework.values())


def measure(bench: Bench) -> Numbers:
    """Train the three arms."""
    epochs = {"num_epochs": bench.epochs} if bench.epochs else {}
    arms = {
        FULL: bench.experiment("finetune", **epochs),
        BATCH: bench.experiment("frozen", **epochs),
        LOCKED: bench.experiment("frozen", lock_batch_norm=True, **epochs),
    }
    runs = {name: bench.train([arm])[arm] for name, arm in arms.items()}
    fs = bench.frameworks
    return Numbers(
        frameworks=fs,
        seeds=bench.seeds,
        epochs=arms[FULL].num_epochs,
        accuracy={name: {f: accuracies(runs[name][f]) for f in fs} for name in arms},
        seconds={name: {f: _seconds(runs[name][f]) for f in fs} for name in arms},
        memory={name: {f: _memory(runs[name][f]) for f in fs} for name in arms},
        devices=sorted({_device(run.device) for name in arms for f in fs for run in runs[name][f]}),
        chance=bench.chance,
    )


def _seconds(runs: list[Run]):
    return statistics.median(e["seconds"] for run in runs for e in run.epochs if e["seconds"])


def _memory(runs: list[Run]):
    if any("cpu" not in run.device["used"] or "peak_mib" not in run.memory for run in runs):
        return None  # what a graphics card holds is not known here
    return max(run.memory["peak_mib"] for run in runs) - min(run.memory["before_mib"] for run in runs)


def _device(device: dict):
    return device["gpu"] or f"{plural(device['threads'], 'thread')} of {device['cpu']!r} ({device['used']})"


# --- table ---

CAPTION = {
    "with memory": "{epochs}, {seeds}; seconds: the median epoch's training, images loaded, on {devices}; memory: what the process "
    "grew by.",
    "without": "{epochs}, {seeds}; seconds: the median epoch's training, images loaded, on {devices}.",
}


def tables(n: Numbers) -> list[Table]:
    """Accuracy, seconds and memory of every arm."""
    columns = {
        "test accuracy": lambda name, f: str(t_interval(n.accuracy[name][f])),
        "s per epoch": lambda name, f: f"{n.seconds[name][f]:.2f}",
        "memory, MiB": lambda name, f: show(n.memory[name][f], ".0f"),
    }
    if not n.weighed:
        del columns["memory, MiB"]
    caption = CAPTION["with memory" if n.weighed else "without"]
    return [
        Table(
            caption.format(
                epochs=plural(n.epochs, "epoch"), seeds=over_seeds(n.seeds), devices=" and on ".join(n.devices)
            ),
            ["what is trained", *(f"{NAMES[f]} {column}" for column in columns for f in n.frameworks)],
            [[name, *(cell(name, f) for cell in columns.values() for f in n.frameworks)] for name in n.accuracy],
        )
    ]


# --- answer ---

AHEAD = {"positive": "ahead", "undecided": "undecided", "negative": "behind"}
SAVES = {
    "with memory": "In multiples of fine-tuning's, a frozen epoch takes {seconds}, and the memory it needs is {memory}.",
    "without": "In multiples of fine-tuning's, a frozen epoch takes {seconds}.",
}


def answer(n: Numbers) -> list[str]:
    """The arms' differences in accuracy, seed by seed, and what freezing saves."""
    saves = SAVES["with memory" if n.weighed else "without"]
    return [
        f"Test accuracy of fine-tuning less that of features frozen and normalised by the batch: {_less(n, FULL, BATCH)}; less "
        f"that of features frozen with locked batch normalisation: {_less(n, FULL, LOCKED)}.",
        f"Locked less batch: {_less(n, LOCKED, BATCH)}. The features are the same to the bit in both; what differs is what the "
        "output layer is trained on.",
        saves.format(seconds=_share(n, n.seconds), memory=_share(n, n.memory)),
    ]


def _less(n, a, b):
    gaps = {f: difference(n.accuracy[a][f], n.accuracy[b][f]) for f in n.frameworks}
    return each(n.frameworks, lambda f: f"{gaps[f].in_points()} points ({AHEAD[gaps[f].sign]})")


def _share(n, cost):
    """What a frozen epoch costs as a share of what an epoch of fine-tuning does."""

    def share(f):
        frozen, full = cost[BATCH][f], cost[FULL][f]
        return frozen / full if frozen and full else None

    return each(n.frameworks, lambda f: show(share(f), ".2f"))


# --- picture ---


def draw(figure, n: Numbers):
    """A panel each for accuracy, seconds and memory; a bar an arm and framework."""
    panels = dict(
        zip(
            ("test accuracy", "seconds per epoch", "memory, MiB"),
            figure.subplots(1, 3 if n.weighed else 2),
            strict=False,
        )
    )
    colours = (COLOURS["finetune"], COLOURS["frozen"], "#98df8a")
    for i, (name, colour) in enumerate(zip(n.accuracy, colours, strict=True)):
        for k, f in enumerate(n.frameworks):
            accuracy = t_interval(n.accuracy[name][f])
            heights = (accuracy.mean, n.seconds[name][f], n.memory[name][f] or 0)
            style = {"color": colour, "hatch": HATCHES[f], "edgecolor": "white", "ecolor": "black", "capsize": 3}
            for panel, height, half in zip(panels.values(), heights, (accuracy.half, None, None), strict=False):
                panel.bar(i + 0.4 * k, height, 0.36, yerr=half, **style)
    for title, panel in panels.items():
        short = ["fine-\ntuned", "frozen,\nbatch", "frozen,\nlocked"]
        panel.set(title=title, xticks=[0.2, 1.2, 2.2], xticklabels=short)
    panels["test accuracy"].set_ylim(0.4, 1)
    mark(panels["test accuracy"], n.chance, "chance")
    panels["seconds per epoch"].legend(handles=framework_patches(n.frameworks), fontsize=8)
