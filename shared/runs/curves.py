"""Curves of runs over their epochs. Gluon is drawn solid and PyTorch dashed; colours tell experiments apart."""

import math
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from shared.runs.figures import COLOURS, FONT, LINES, WIDTH, new_figure, save_figure
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.record import Run
from shared.runs.tables import title


@matplotlib.rc_context(FONT)
def plot_run(run: Run) -> Path:
    """Write the run's `curves.png`: loss, and training and test accuracy, over its epochs. Returns the file's path."""
    figure = new_figure(WIDTH, 2.8)
    left, right = figure.subplots(1, 2)
    epochs = [e["epoch"] for e in run.epochs]
    colour = COLOURS.get(run.experiment["name"], "black")
    draw = _line(run.framework, colour)
    left.plot(epochs, _values(run, "train_loss"), **draw)
    left.set(xlabel="epoch", ylabel="mean training loss")
    right.plot(epochs, _values(run, "test_accuracy"), label="test", **draw)
    right.plot(epochs, _values(run, "train_accuracy"), label="training", **draw | {"alpha": 0.4})
    right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1))
    right.legend(loc="lower right")
    figure.suptitle(f"{run.experiment['name']} on {run.dataset['name']}, {NAMES[run.framework]}, seed {run.seed}")
    save_figure(figure, run.folder / "curves.png")
    return run.folder / "curves.png"


@matplotlib.rc_context(FONT)
def plot_runs(runs: list[Run], path: Path) -> Path:
    """Write test accuracy over epochs of several runs as one picture, one panel per experiment. Returns `path`.

    Of several seeds: their mean, in a band of one standard deviation up and down.
    """
    groups = {}
    for run in runs:
        groups.setdefault(title(run), {f: [] for f in FRAMEWORKS})[run.framework].append(run)
    columns = min(3, len(groups))
    rows = math.ceil(len(groups) / columns)
    spare = rows * columns > len(groups)  # an empty panel takes the legend
    figure = new_figure(WIDTH, 2.2 * rows + 0.5 * (not spare))
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for panel, (name, group) in zip(panels.flat, groups.items(), strict=False):
        for framework in (f for f in FRAMEWORKS if group[f]):
            _curve(panel, framework, group[framework])
        panel.set(title=name, xlabel="epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
    for row in panels:
        row[0].set_ylabel("test accuracy")
    _legend(
        figure, panels.flat[len(groups) :], max(len(found) for group in groups.values() for found in group.values())
    )
    save_figure(figure, path)
    return path


def _curve(panel, framework, found):
    """Test accuracy of runs of one experiment in one framework."""
    length = max(len(run.epochs) for run in found)
    values = np.full((len(found), length), np.nan)
    for row, run in zip(values, found, strict=True):
        row[: len(run.epochs)] = _values(run, "test_accuracy")
    colour = COLOURS.get(found[0].experiment["name"], "black")
    values = np.ma.masked_invalid(values)
    middle = values.mean(axis=0)
    panel.plot(range(length), middle, **_line(framework, colour))
    if len(found) > 1:
        spread = values.std(axis=0, ddof=1)
        panel.fill_between(range(length), middle - spread, middle + spread, **_band(framework, colour))


def _line(framework, colour):
    face = {"gluon": colour, "torch": "white"}[framework]
    shape = {"linestyle": LINES[framework], "linewidth": 1.3, "marker": "o", "markersize": 3.5}
    return {"color": colour, "markerfacecolor": face, **shape}


def _band(framework, colour):
    # Filled for one and hatched for the other: both can be seen where they overlap.
    if framework == "gluon":
        return {"facecolor": colour, "edgecolor": "none", "alpha": 0.25}
    return {"facecolor": "none", "edgecolor": colour, "linewidth": 0.5, "hatch": "////", "alpha": 0.45}


def _legend(figure, spare, seeds):
    """What the lines and bands of `seeds` runs stand for: in the last of the `spare` panels, else below the others."""
    grey = "#444444"
    handles = [Line2D([], [], **_line(f, grey)) for f in FRAMEWORKS]
    if seeds > 1:
        handles = [(Patch(**_band(f, grey)), line) for f, line in zip(FRAMEWORKS, handles, strict=True)]
    legend = {"handles": handles, "labels": [NAMES[f] for f in FRAMEWORKS], "frameon": False, "handlelength": 4}
    if seeds > 1:
        legend["title"] = f"mean of {seeds} seeds\n± one standard deviation"
    for panel in spare:
        panel.set_axis_off()
    if len(spare):
        spare[-1].legend(loc="center", handleheight=1.8, labelspacing=1, **legend)
    else:
        figure.legend(loc="outside lower center", ncols=2, **legend)


def _values(run, key):
    return [float("nan") if e[key] is None else e[key] for e in run.epochs]
