"""How time and memory grow: table and plot from `results/growth.json` (made by `python -m tests.benchmarks.growth`)."""

import json
from pathlib import Path
from statistics import median

import matplotlib
import numpy as np

from shared.book.quotes import RECORDS
from shared.book.recorded import machine
from shared.runs.figures import FONT, LINES, WIDTH, new_figure, save_figure
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.tables import markdown_table

AXES = {"images": "training images", "batch": "images per batch", "size": "side in pixels"}


def series(rows: list[dict], axis: str) -> dict[str, list[dict]]:
    """{framework: points along one axis, by its value}, the other two as most points of that axis have them.

    A point: value, and the medians over the rounds of `seconds` (an epoch), `per_image` (milliseconds) and `peak_mib`.
    """
    others = [name for name in AXES if name != axis]
    kinds = {}
    for row in rows:
        kinds.setdefault(tuple(row[name] for name in others), set()).add(row[axis])
    chosen = max(kinds, key=lambda kind: len(kinds[kind]))
    found = {}
    for framework in FRAMEWORKS:
        mine = [r for r in rows if r["framework"] == framework and tuple(r[name] for name in others) == chosen]
        found[framework] = [_point([r for r in mine if r[axis] == value], value) for value in sorted(kinds[chosen])]
    return found


def _point(rows, value):
    return {
        "value": value,
        "seconds": median(r["seconds"] for r in rows),
        "per_image": 1000 * median(r["seconds"] / r["trained"] for r in rows),
        "peak_mib": median(r["peak_mib"] for r in rows),
    }


def slope(points: list[dict], what: str) -> float:
    """The exponent of growth: the slope of log(what) over log(value) by least squares. 1: proportional, 0: constant."""
    return float(np.polyfit(np.log([p["value"] for p in points]), np.log([p[what] for p in points]), 1)[0])


def growth(path: Path = RECORDS / "growth.json") -> str:
    """Markdown: a table of all points, and a sentence on how time and memory grow with the images."""
    record = json.loads(path.read_text(encoding="utf-8"))
    table = []
    for axis, name in AXES.items():
        found = series(record["rows"], axis)
        for points in zip(*found.values(), strict=True):
            cells = [f"{p['seconds']:.1f}" for p in points] + [f"{p['per_image']:.1f}" for p in points]
            table.append([name, str(points[0]["value"]), *cells, *(f"{p['peak_mib']:,.0f}" for p in points)])
    header = ["along", "value"]
    for what in ("seconds an epoch", "ms an image", "peak memory, MiB"):
        header += [f"{what}: {NAMES[f]}" for f in FRAMEWORKS]
    along = series(record["rows"], "images")
    first, last = (along[FRAMEWORKS[0]][i]["value"] for i in (0, -1))
    said = [
        f"in {NAMES[f]} the time of an epoch goes with the images to the power of {slope(points, 'seconds'):.2f}, and peak memory "
        f"with {last / first:.0f} times the images is {points[-1]['peak_mib'] / points[0]['peak_mib']:.2f} times as much"
        for f, points in along.items()
    ]
    about = record["about"]
    note = machine({"cores": about["cores"], "cpu": about["cpu"]}, about["versions"])
    return f"{markdown_table(header, table)}\n\nFrom {first} to {last:,} images: {'; '.join(said)}. {note}"


@matplotlib.rc_context(FONT)
def plot_growth(path: Path, record: Path = RECORDS / "growth.json") -> Path:
    """Write milliseconds an image and peak memory along the three axes as one picture. Returns `path`."""
    rows = json.loads(record.read_text(encoding="utf-8"))["rows"]
    figure = new_figure(WIDTH, 3.8)
    panels = figure.subplots(2, len(AXES), sharey="row")
    for column, (axis, name) in zip(panels.T, AXES.items(), strict=True):
        for framework, points in series(rows, axis).items():
            values = [p["value"] for p in points]
            style = {"linestyle": LINES[framework], "color": "black", "marker": "o", "markersize": 3}
            column[0].plot(values, [p["per_image"] for p in points], label=NAMES[framework], **style)
            column[1].plot(values, [p["peak_mib"] for p in points], **style)
        for panel in column:
            panel.set_xscale("log")
            panel.set_xticks(values, [str(v) for v in values], fontsize=7)
            panel.minorticks_off()
            panel.set_ylim(bottom=0)
            panel.grid(alpha=0.3)
        column[1].set_xlabel(name)
    panels[0, 0].set_ylabel("ms an image, training")
    panels[1, 0].set_ylabel("peak memory, MiB")
    panels[0, 0].legend(loc="upper left")
    save_figure(figure, path)
    return path
