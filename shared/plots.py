"""Pictures, made from records. Gluon is drawn solid and PyTorch dashed everywhere; colours tell experiments apart."""

from pathlib import Path

import matplotlib
from PIL import Image

matplotlib.use("Agg")  # files only: works without a display
import matplotlib.pyplot as plt  # noqa: E402

from shared.datasets import Dataset  # noqa: E402
from shared.report import title  # noqa: E402
from shared.runs import Run, write_atomically  # noqa: E402

LINES = {"gluon": "-", "torch": "--"}
COLOURS = {
    "finetune": "#d62728",
    "scratch": "#1f77b4",
    "frozen": "#2ca02c",
    "hotdog-row": "#ff7f0e",
}


def save_figure(figure, path: Path):
    """Write `figure` as a PNG on white, so that it can be read on light and dark pages alike."""
    write_atomically(Path(path), lambda file: figure.savefig(file, dpi=110, facecolor="white", format="png"))
    plt.close(figure)


def plot_run(run: Run) -> Path:
    """Write the run's `curves.png`: loss, and training and test accuracy, over its epochs. Returns the file's path."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), constrained_layout=True)
    epochs = [e["epoch"] for e in run.epochs]
    colour = COLOURS.get(run.experiment["name"], "black")
    draw = {"marker": "o", "markersize": 3, "linestyle": LINES[run.framework], "color": colour}
    left.plot(epochs, _values(run, "train_loss"), **draw)
    left.set(xlabel="epoch", ylabel="mean training loss")
    right.plot(epochs, _values(run, "test_accuracy"), label="test", **draw)
    right.plot(epochs, _values(run, "train_accuracy"), label="training", **draw | {"alpha": 0.4})
    right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1))
    right.legend(loc="lower right")
    figure.suptitle(f"{run.experiment['name']} on {run.dataset['name']}, {run.framework}, seed {run.seed}")
    save_figure(figure, run.folder / "curves.png")
    return run.folder / "curves.png"


def plot_runs(runs: list[Run], path: Path) -> Path:
    """Write test accuracy over epochs of several runs as one picture, one panel per experiment. Returns `path`."""
    names = list(dict.fromkeys(title(run) for run in runs))
    figure, panels = plt.subplots(
        1, len(names), figsize=(3 * len(names), 3), sharey=True, constrained_layout=True, squeeze=False
    )
    for panel, name in zip(panels[0], names, strict=True):
        labelled = set()
        for run in (run for run in runs if title(run) == name):
            label = run.framework if run.framework not in labelled else None
            labelled.add(run.framework)
            panel.plot(
                [e["epoch"] for e in run.epochs],
                _values(run, "test_accuracy"),
                linestyle=LINES[run.framework],
                color=COLOURS.get(run.experiment["name"], "black"),
                marker="o",
                markersize=3,
                label=label,
            )
        panel.set(title=name, xlabel="epoch", ylim=(0, 1))
        panel.grid(alpha=0.3)
        panel.legend(loc="lower right")
    panels[0][0].set_ylabel("test accuracy")
    save_figure(figure, path)
    return path


def contact_sheet(dataset: Dataset, path: Path, count: int = 8) -> Path:
    """Write the first `count` training images of every class as one picture, a class a row. Returns `path`."""
    rows = len(dataset.classes)
    figure, panels = plt.subplots(
        rows, count, figsize=(1.1 * count, 1.2 * rows), constrained_layout=True, squeeze=False
    )
    for label, (name, row) in enumerate(zip(dataset.classes, panels, strict=True)):
        chosen = [n for n, y in zip(dataset.train.names, dataset.train.labels, strict=True) if y == label]
        for panel in row:
            panel.set_axis_off()
        for panel, file in zip(row, chosen, strict=False):
            with Image.open(dataset.train.folder / file) as image:
                panel.imshow(image.convert("RGB"))
        row[0].set_title(name, loc="left", fontsize=9)
    save_figure(figure, path)
    return path


def _values(run, key):
    return [float("nan") if e[key] is None else e[key] for e in run.epochs]
