"""Exercise 4: what the source network's own hot dog row is worth in the output layer, before training and after.

Measured: every row of the source's output layer as a detector of hot dogs, nothing trained. Trained, for one epoch: output layers
that start with the hot dog row, with four choices for the other class; one that starts with a wrong row; one of two random rows.
"""

import statistics
from dataclasses import dataclass

from shared.exercises.bench import Bench, accuracies
from shared.exercises.intervals import Interval, difference, each, over_seeds, t_interval
from shared.exercises.report import Table
from shared.experiments import WRONG_ROW
from shared.networks.rows import NEAREST
from shared.networks.source import HOTDOG
from shared.runs.figures import COLOURS
from shared.runs.frameworks import NAMES
from shared.runs.tables import plural

TITLE = "Use the hot dog row"
# What the other class starts with.
REST = {
    "mean": "the mean of all other rows",
    "nearest": f"the mean of the {NEAREST} most similar rows",
    "zero": "zero",
    "random": "a random row",
}
RANDOM = "two random rows (finetune)"
OTHER_COLOUR = "#1f77b4"  # of pictures that show no hot dog


@dataclass(frozen=True)
class Numbers:
    """What the rows and the runs gave.

    detectors: {framework: what `row_scores` measured}. hotdog, wrong, others: row numbers. before, after: {output layer, in words:
    {framework: accuracy a seed}}; the first has the hot dog row and the mean of all others, the last is RANDOM.
    """

    frameworks: list[str]
    seeds: list[int]
    epochs: int
    detectors: dict[str, dict]
    hotdog: int
    wrong: int
    others: list[int]
    before: dict
    after: dict

    def auc(self, f: str, row: int) -> float:
        """Area under the ROC curve of one row's score before any training."""
        return self.detectors[f]["rows"][row]["auc"]

    def label(self, row: int) -> str:
        return self.detectors[self.frameworks[0]]["rows"][row]["label"]

    @property
    def measured_rest(self) -> list[str]:
        """The choices for the other class that were measured without training."""
        return list(self.detectors[self.frameworks[0]]["fills"])

    def gain(self, f: str, layer: str) -> Interval:
        """What an output layer adds to the accuracy after training: less that of two random rows, seed by seed."""
        return difference(self.after[layer][f], self.after[RANDOM][f])


def measure(bench: Bench) -> Numbers:
    """Measure every row, and train the six output layers."""
    detectors = bench.measurement("rows")
    some = detectors[bench.frameworks[0]]
    hotdog, wrong = some["hotdog"], some["wrong"]
    epochs = bench.epochs or 1
    arms = {
        f"row {hotdog} ({HOTDOG}), other class {text}": bench.experiment(
            "hotdog-row", other_row=rest, num_epochs=epochs
        )
        for rest, text in REST.items()
    }
    arms[f"row {wrong} ({WRONG_ROW}), other class {REST['mean']}"] = bench.experiment(
        "hotdog-row", row=WRONG_ROW, num_epochs=epochs
    )
    arms[RANDOM] = bench.experiment("finetune", num_epochs=epochs)
    runs = bench.train(list(arms.values()))
    return Numbers(
        frameworks=bench.frameworks,
        seeds=bench.seeds,
        epochs=epochs,
        detectors=detectors,
        hotdog=hotdog,
        wrong=wrong,
        others=[row for row in range(len(some["rows"])) if row not in (hotdog, wrong)],
        before={name: {f: accuracies(runs[e][f], 0) for f in bench.frameworks} for name, e in arms.items()},
        after={name: {f: accuracies(runs[e][f]) for f in bench.frameworks} for name, e in arms.items()},
    )


# --- tables ---


def tables(n: Numbers) -> list[Table]:
    """Rows as detectors, what may stand for the other class, and output layers before and after training."""
    images = n.detectors[n.frameworks[0]]["images"]
    names = [NAMES[f] for f in n.frameworks]
    header = [f"{name} {what}" for what in ("AUC", "accuracy") for name in names]
    return [
        Table(
            f"Every row as a detector of hot dogs, nothing trained: its logit less the mean of all others, on {images} test "
            "images.",
            ["row", *header],
            _rows(n),
        ),
        Table(
            "The hot dog row against what may stand for the other class.",
            ["the other class", *header],
            [[REST[rest], *_detector(n, "fills", rest)] for rest in n.measured_rest],
        ),
        Table(
            f"As an output layer: test accuracy before training and after {plural(n.epochs, 'epoch')}, and what it adds to that of "
            f"two random rows after training, in points ({over_seeds(n.seeds)}).",
            ["output layer", *(f"{name} {when}" for when in ("before", "after", "adds") for name in names)],
            [_layer(n, layer) for layer in n.after],
        ),
    ]


def _rows(n):
    """The hot dog's row, the wrong one, the best of all others, and the median of these."""
    best = max(n.others, key=lambda row: n.auc(n.frameworks[0], row))
    notes = {n.hotdog: "", n.wrong: "", best: f", the best of the {len(n.others)} others"}
    rows = [[f"{row} ({n.label(row)}){note}", *_detector(n, "rows", row)] for row, note in notes.items()]
    medians = [f"{statistics.median(n.auc(f, row) for row in n.others):.3f}" for f in n.frameworks]
    return [*rows, [f"the {len(n.others)} others, median", *medians, *("–" for _ in n.frameworks)]]


def _detector(n, kind, which):
    """AUC in each framework, then accuracy in each."""
    return [f"{n.detectors[f][kind][which][what]:.3f}" for what in ("auc", "accuracy") for f in n.frameworks]


def _layer(n, layer):
    """An output layer: accuracy before and after training in each framework, and its gain."""
    accuracies = [str(t_interval(values[layer][f])) for values in (n.before, n.after) for f in n.frameworks]
    gains = ["–" if layer == RANDOM else n.gain(f, layer).in_points() for f in n.frameworks]
    return [layer, *accuracies, *gains]


# --- answer ---

GAIN = {"positive": "still ahead", "undecided": "which the seeds do not tell from nothing", "negative": "behind"}


def answer(n: Numbers) -> list[str]:
    """How well the row ranks the images, what the other class's row decides, and what is left after training."""
    fs = n.frameworks
    ahead = {f: sum(n.auc(f, row) > n.auc(f, n.hotdog) for row in n.others) for f in fs}
    gains = {f: n.gain(f, next(iter(n.after))) for f in fs}  # of the hot dog row beside the others' mean
    return [
        "Before any training the hot dog row ranks the test images with an AUC of "
        f"{each(fs, lambda f: f'{n.auc(f, n.hotdog):.3f}')}, the {WRONG_ROW}'s row with "
        f"{each(fs, lambda f: f'{n.auc(f, n.wrong):.3f}')}; 0.5 is chance, and below it the order is the wrong way round. Of the "
        f"{len(n.others)} other rows, {each(fs, lambda f: str(ahead[f] or 'none'))} rank the images better than the hot dog's.",
        "What the other class is given sets the threshold: before training the accuracy is "
        f"{'; '.join(_threshold(n, rest) for rest in n.measured_rest)}.",
        f"After {plural(n.epochs, 'epoch')} the hot dog row, the others' mean beside it, differs from two random rows by "
        f"{each(fs, lambda f: f'{gains[f].in_points()} points ({GAIN[gains[f].sign]})')}.",
    ]


def _threshold(n, rest):
    accuracy = each(n.frameworks, lambda f: f"{n.detectors[f]['fills'][rest]['accuracy']:.3f}")
    return f"{accuracy} with {REST[rest]}"


# --- picture, of the first framework ---


def draw(figure, n: Numbers):
    """Left the scores of the hot dog row and of the wrong one; right the AUC of all rows."""
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    _draw_scores(left, n)
    _draw_aucs(right, n)


def _draw_scores(panel, n):
    from matplotlib.patches import Patch

    kinds = {"hotdog": ("hot dogs", COLOURS["hotdog-row"]), "other": ("others", OTHER_COLOUR)}
    scores = n.detectors[n.frameworks[0]]["scores"]
    for i, label in enumerate((HOTDOG, WRONG_ROW)):
        for j, (kind, (_, colour)) in enumerate(kinds.items()):
            style = {"widths": 0.26, "patch_artist": True, "showfliers": False, "medianprops": {"color": "black"}}
            drawn = panel.boxplot([scores[label][kind]], positions=[i + 0.32 * j], **style)
            drawn["boxes"][0].set(facecolor=colour, alpha=0.7)
    panel.axhline(0, color="black", linewidth=0.8, linestyle=":")
    panel.set(xticks=[0.16, 1.16], xticklabels=[f"row {n.hotdog}\n{HOTDOG}", f"row {n.wrong}\n{WRONG_ROW}"])
    panel.set_ylabel("row's logit less the mean of the others")
    panel.legend(
        handles=[Patch(facecolor=colour, alpha=0.7, label=text) for text, colour in kinds.values()], fontsize=8
    )


def _draw_aucs(panel, n):
    f = n.frameworks[0]
    order = sorted([n.hotdog, n.wrong, *n.others], key=lambda row: (-n.auc(f, row), row))
    colours = {n.hotdog: COLOURS["hotdog-row"], n.wrong: "black"}
    width = 1.0 if len(order) > 100 else 0.8
    heights = [n.auc(f, row) for row in order]
    panel.bar(range(len(order)), heights, width, color=[colours.get(row, "#c7c7c7") for row in order])
    for row in (n.hotdog, n.wrong):
        place = order.index(row)
        side = "left" if place < len(order) / 2 else "right"
        text = panel.text(place, n.auc(f, row) + 0.02, n.label(row), ha=side, fontsize=8)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8})
    panel.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    panel.set(xlabel=f"all {len(order)} rows, best first", ylabel="AUC as a detector of hot dogs")
    panel.set(ylim=(0, 1), xticks=[])
    panel.set_title(f"before any training, {NAMES[f]}", fontsize=9)
