"""Pictures that show no images: what fine-tuning copies, and where two frameworks part."""

import math
from pathlib import Path

import matplotlib
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator

from shared.runs.figures import FONT, WIDTH, new_figure, save_figure

# The series of a lockstep record: label, colour (of no experiment), marker.
ARITHMETIC = {
    "float32": ("float32", "#e69f00", "o"),
    "float64": ("float64", "#56b4e9", "s"),
    "float64, rates exact": ("float64, rate and decay that float32 holds exactly", "black", "^"),
}
EPSILONS = {2.0**-23: "float32", 2.0**-52: "float64"}
NOTHING = 1e-17  # where no difference at all is drawn on a logarithmic axis


@matplotlib.rc_context(FONT)
def plot_fine_tuning(path: Path) -> Path:
    """Write fine-tuning's four steps as a diagram: what is copied from the source network, and what is new. Returns `path`."""
    figure = new_figure(WIDTH, 2.9)
    panel = figure.subplots()
    panel.set(xlim=(0, 10), ylim=(0, 4.2))
    panel.set_axis_off()
    old, new = "#dddddd", "#f3c9a5"

    def box(x, y, text, colour):
        style = {"boxstyle": "round,pad=0.02,rounding_size=0.08", "facecolor": colour, "edgecolor": "#444444"}
        panel.add_patch(FancyBboxPatch((x, y), 3, 0.7, **style))
        panel.text(x + 1.5, y + 0.35, text, ha="center", va="center")

    def arrow(start, end, **style):
        panel.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#444444", **style})

    for x, heading, data in ((0.2, "1. source network", "source images"), (6.8, "2. target network", "target images")):
        panel.text(x + 1.5, 4, heading, ha="center", va="center", fontweight="bold")
        panel.text(x + 1.5, 0.1, data, ha="center", va="center")
        for y in (0.3, 1.5, 2.6):
            arrow((x + 1.5, y), (x + 1.5, y + 0.35))
        box(x, 0.7, "features: early layers", old)
        box(x, 1.85, "features: late layers", old)
    box(0.2, 3, "output layer: source classes", old)
    box(6.8, 3, "3. new output layer", new)
    for y in (1.05, 2.2):
        arrow((3.3, y), (6.7, y))
        panel.text(5, y + 0.15, "copied", ha="center")
    arrow((3.3, 3.35), (6.7, 3.35), linestyle=":")
    panel.text(5, 3.5, "stays behind\n(hotdog-row: but one row)", ha="center")
    panel.text(5, 0.1, "4. train all of the target network", ha="center", va="center")
    save_figure(figure, path, dpi=110)
    return path


@matplotlib.rc_context(FONT)
def plot_divergence(record: dict, path: Path) -> Path:
    """Write how far two frameworks in lockstep are apart after every step, from a record of `diverge`. Returns `path`.

    One column per experiment; above the gap between the losses, below the distance of the weights.
    """
    series = record["series"]
    names = list(dict.fromkeys(one["experiment"]["name"] for one in series))
    figure = new_figure(WIDTH, 5.6)
    panels = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False)
    for column, name in zip(panels.T, names, strict=True):
        own = [one for one in series if one["experiment"]["name"] == name]
        column[0].set_title(f"{name}, learning rate {own[0]['experiment']['learning_rate']:g}")
        for panel, key in zip(column, ("loss_gap", "way"), strict=True):
            for one in own:
                values = [math.nan if step[key] is None else max(step[key], NOTHING) for step in one["steps"]]
                label, colour, marker = ARITHMETIC[one["name"]]
                steps = [step["step"] for step in one["steps"]]
                panel.semilogy(steps, values, color=colour, marker=marker, markersize=3, linewidth=1.2, label=label)
            panel.grid(alpha=0.3)
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        column[1].set_xlabel("step")
    powers = range(-15, 1, 3)
    ticks, labels = [10.0**p for p in powers], [f"$10^{{{p}}}$" for p in powers]
    panels[0, 0].set(yticks=[NOTHING, *ticks], yticklabels=["0", *labels], ylim=(NOTHING / 3, 30))
    panels[1, 0].set(yticks=ticks, yticklabels=labels, ylim=(1e-16, 30))
    for epsilon, dtype in EPSILONS.items():
        _mark(panels[0], epsilon, f"ε of {dtype}")
    _mark(panels[1], 1, "as far apart as they have moved")
    panels[0, 0].set_ylabel("difference of the two losses")
    panels[1, 0].set_ylabel("distance of the two sets of weights,\nas a share of how far they have moved")
    figure.legend(handles=panels[0, 0].lines[: len(own)], loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)
    return path


def _mark(row, height, text):
    """A thin line across the panels of a row, with a word on it in the one where it is in nobody's way."""
    for panel in row:
        panel.axhline(height, color="#777777", linestyle=":", linewidth=0.8)
    panel = row[0] if height == 1 else row[-1]
    panel.text(
        0.98, height, text, color="#777777", fontsize=8, transform=panel.get_yaxis_transform(), ha="right", va="top"
    )
