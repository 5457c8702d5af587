"""`hotdog results --html FILE`: any set of runs as one page that a browser opens from the file system, without a network.

The page is `page/results.html`, a Jinja template that escapes whatever is put into it, with its style and script; plotly.js, which
draws what can be zoomed into, is put into the page whole. What the page says is gathered here, as plain data.
"""

import html
import json
from pathlib import Path

import numpy as np

from shared.errors import UserError, printable
from shared.files import write_text
from shared.runs.contrast import readable, rgb_of
from shared.runs.figures import COLOURS
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.liveness import now, state
from shared.runs.record import Run
from shared.runs.results_section import section_of
from shared.runs.tables import grouped, mean, plural, results_table, sentences, show, where_they_ran
from shared.runs.thumbnails import Pictures
from shared.runs.together import CURVES, curve, groups_of, in_the_mean
from shared.version import DISTRIBUTION, VERSION

PAGE = Path(__file__).parent / "page"
DARK, LIGHT = "#16181d", "#ffffff"  # the page's backgrounds, as in page/results.css


def write_page(found: list[Run], path: Path, places=(), title: str = "runs") -> Path:
    """Write the page of the runs `found` to `path`, which appears whole or not at all. Returns `path`.

    places: where the images of the runs may be, beside the cache, as --data takes them. title: where the runs lie.
    Raises UserError where plotly is not installed.
    """
    script = plotly_script()
    write_text(path, page_text(found, script, Pictures(places), title))
    return path


def plotly_script() -> str:
    """The text of plotly.js."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise UserError(
            "the page is drawn by plotly, which is not installed: uv run --extra watch hotdog results … --html FILE"
        ) from None
    return get_plotlyjs()


def page_text(found: list[Run], script: str, pictures: Pictures, title: str = "runs") -> str:
    """The page as text. script: that of plotly.js."""
    from jinja2 import Environment
    from markupsafe import Markup

    groups = groups_of(found)
    finished = [run for group in groups for run in group.all if run.status == "finished"]
    told = dict(zip(map(_key, grouped(finished)), sentences(finished), strict=True))
    sections = [section_of(i, group, pictures, told.get(group.all[0].key())) for i, group in enumerate(groups)]
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=lambda v: printable(v) if type(v) is str else v
    )
    labels = {run.key(): group.label for group in groups for run in group.all}
    header, rows = results_table(finished)
    content = {
        "title": title,
        "made": f"{now().replace('T', ' ').replace('+00:00', ' UTC')} by {DISTRIBUTION} {VERSION}",
        "tiles": _tiles(found, groups, sections),
        "summary": (header, [[labels[_key(per)], *row[1:]] for per, row in zip(grouped(finished), rows, strict=True)]),
        "sections": sections,
        "runs": [_run_row(run, labels[run.key()]) for run in found],
        "devices": where_they_ran(found),
        "names": NAMES,
        "style": Markup(_part("results.css")),
        "script": Markup(_part("results.js")),
        "plotly": Markup(script),
        "data": Markup(_as_script(_figures(groups, sections))),
    }
    return environment.from_string(_part("results.html")).render(content) + "\n"


def _part(name):
    return (PAGE / name).read_text(encoding="utf-8")


def _key(per):
    return next(run for group in per.values() for run in group).key()


def _as_script(data):
    # Inside of <script> nothing is decoded, and only </ and <!-- could end or change it.
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _drawn(text):
    """`text` for plotly, which takes some tags for its own and fills %{…} in: they are shown as they stand."""
    return html.escape(printable(text)).replace("{", "&#123;")


# --- what all runs say ---


def _tiles(found, groups, sections):
    states = [state(run) for run in found]
    counts = [f"{states.count(one)} {one}" for one in dict.fromkeys(states)]
    tiles = [
        ("runs", str(len(found)), ", ".join(counts)),
        ("experiments", str(len(groups)), _few([g.all[0].experiment["name"] for g in groups])),
    ]
    best = max((run for run in found if run.status == "finished"), key=lambda r: r.test_accuracy, default=None)
    if best:
        label = next(group.label for group in groups if group.all[0].key() == best.key())
        tiles.append(
            ("best test accuracy", show(best.test_accuracy), f"{label}, {NAMES[best.framework]}, seed {best.seed}")
        )
    same = [pair["same"] for section in sections for pair in section["pairs"]]
    if same:
        alike = f"{100 * mean(same):.1f} %"
        tiles.append(
            ("the frameworks call alike", alike, f"of the test images, in {plural(len(same), 'pair')} of runs")
        )
    return tiles


def _few(names, most=6):
    names = list(dict.fromkeys(names))
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def _run_row(run, label):
    """A row of the table of all runs: (text, what it is sorted by) of each cell, and why the run has no end, if so."""
    accuracies = [run.epochs[0]["test_accuracy"] if run.epochs else None, run.test_accuracy]
    loss = run.epochs[-1]["train_loss"] if run.epochs else None
    seconds = sum(e["seconds"] or 0 for e in run.epochs) if run.epochs else None
    numbers = [
        *((show(a), a) for a in accuracies),
        (show(loss, ".4f"), loss),
        (show(run.images_per_second, ".1f"), run.images_per_second),
        (show(seconds, ".1f"), seconds),
    ]
    done, wanted = max(len(run.epochs) - 1, 0), run.experiment["num_epochs"]
    return {
        "label": label,
        "framework": NAMES[run.framework],
        "seed": run.seed,
        "data": run.dataset["name"],
        "state": state(run),
        "error": run.error,
        "epochs": (f"{done}" if done == wanted else f"{done} of {wanted}", done),
        "numbers": numbers,
        "folder": str(run.folder),
    }


# --- curves, which the script draws ---


def _figures(groups, sections):
    """What the script draws. names: the lists of image names that scatters refer to, as many have the same one."""
    names, scatters = {}, []
    for section in sections:
        if one := section["scatter"]:
            one = one | {"names": names.setdefault(one["names"], len(names))}
        scatters.append(one)
    return {"series": _series(groups), "scatter": scatters, "names": [[_drawn(n) for n in some] for some in names]}


def _series(groups):
    """A line for each group and framework, with a band where there are several seeds."""
    found = []
    for number, (group, colour) in enumerate(zip(groups, _colours(groups), strict=True)):
        for framework in FRAMEWORKS:
            some = in_the_mean(group.runs[framework])
            if some:
                curves = {key: curve(some, key) for key in CURVES}
                series = {"group": number, "label": _drawn(group.label), "framework": framework, "seeds": len(some)}
                found.append(series | {"colour": colour, "curves": curves})
    return found


def _colours(groups):
    """For each group its colours on a light and a dark page: its experiment's own, or else the free one least like others."""
    used, colours = set(), [None] * len(groups)
    for number, group in enumerate(groups):
        own = COLOURS.get(group.all[0].experiment["name"])
        if own and own not in used:
            colours[number] = own
            used.add(own)
    for number in range(len(groups)):
        if colours[number] is None:
            free = [one for one in COLOURS.values() if one not in used] or [*COLOURS.values()][number % len(COLOURS) :]
            colours[number] = max(
                free, key=lambda c: min((np.abs(rgb_of(c) - rgb_of(u)).sum() for u in used), default=0)
            )
            used.add(colours[number])
    return [[readable(one, LIGHT), readable(one, DARK)] for one in colours]
