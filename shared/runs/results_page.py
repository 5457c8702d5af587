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
from shared.runs.answers import FEW, measures, most_confident_errors
from shared.runs.figures import COLOURS
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.liveness import now, state
from shared.runs.record import Run
from shared.runs.tables import grouped, mean, plural, results_table, sentences, show, where_they_ran
from shared.runs.thumbnails import Pictures
from shared.runs.together import CURVES, Group, curve, groups_of, in_the_mean, pairs_of, said_by
from shared.version import DISTRIBUTION, VERSION

PAGE = Path(__file__).parent / "page"
CARDS = 12  # images that are shown of each experiment: its mistakes, and where the frameworks differ
POINTS = 2000  # images in one figure
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
    sections = [_section(i, group, pictures, told.get(group.all[0].key())) for i, group in enumerate(groups)]
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


# --- curves ---


def _curves_table(group):
    """Header and rows, an epoch each: what a group's curves show; None where no run has come anywhere."""
    chosen = {NAMES[f]: in_the_mean(group.runs[f]) for f in FRAMEWORKS}
    named = [
        (f"{name}, {key.replace('_', ' ')}", curve(some, key))
        for key in CURVES
        for name, some in chosen.items()
        if some
    ]
    named = [(name, values) for name, values in named if values]
    if not named:
        return None
    rows = [
        [_with_spread(means[i], spreads[i]) if i < len(means) else "–" for _, (means, spreads) in named]
        for i in range(max(len(means) for _, (means, _) in named))
    ]
    return ["epoch", *(name for name, _ in named)], rows


def _with_spread(value, spread):
    return show(value) + ("" if spread is None else f" ± {show(spread)}")


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
            colours[number] = max(free, key=lambda c: min((np.abs(_rgb(c) - _rgb(u)).sum() for u in used), default=0))
            used.add(colours[number])
    return [[readable(one, LIGHT), readable(one, DARK)] for one in colours]


def readable(colour: str, background: str, least: float = 4.0) -> str:
    """`colour` (#rrggbb) moved away from `background` until their contrast is `least` to 1 (WCAG 2 asks for 3)."""
    rgb, target = _rgb(colour), 0.0 if _luminance(_rgb(background)) > 0.5 else 1.0
    for _ in range(50):
        lighter, darker = sorted((_luminance(rgb), _luminance(_rgb(background))), reverse=True)
        if (lighter + 0.05) / (darker + 0.05) >= least:
            break
        rgb = rgb + (target - rgb) * 0.06
    return "#" + "".join(f"{round(255 * value):02x}" for value in rgb)


def _rgb(colour):
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _luminance(rgb):
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# --- one experiment ---


def _section(number, group: Group, pictures: Pictures, sentence) -> dict:
    """All that the page says of one group."""
    said = said_by(group)
    every = [one for f in FRAMEWORKS for one in said[f]]
    pairs = pairs_of(said)
    some = group.all[0]
    return {
        "number": number,
        "label": group.label,
        "sentence": sentence,
        "facts": _facts(some),
        "curves": _curves_table(group),
        "unfinished": [(run, state(run)) for run in group.all if run.status != "finished"],
        "classes": some.dataset["classes"],
        "matrices": [_matrix(NAMES[f], said[f]) for f in FRAMEWORKS if said[f]],
        "mistakes": _mistakes(every, pictures),
        "pairs": [_pair_row(pair) for pair in pairs],
        "differences": _differences(pairs, pictures),
        "scatter": _scatter(pairs),
        "pictures": not every or pictures.tested(some) is not None,
    }


def _facts(run):
    e, data = run.experiment, run.dataset
    row = [("output row", f"{run.source['row']} ({run.source['row_label']})")] if run.source["row"] is not None else []
    return [
        (
            "images",
            f"{data['name']}: {data['train']} to train on, {data['test']} to test on, from {data['tested_on']}/",
        ),
        ("source network", f"{run.source['name']}, {run.source['architecture']}"),
        ("learning rate", f"{e['learning_rate']:g}, output layer × {e['head_lr_mult']:g}"),
        ("epochs, batch, crop", f"{e['num_epochs']}, {e['batch_size']}, {e['size']} px"),
        ("random draws", run.draws),
        *row,
    ]


def _matrix(name, said):
    """The confusion matrix of a framework's runs together, shares and counts; of many classes what is confused most."""
    classes = said[0].run.dataset["classes"]
    matrices, _, areas = zip(*(measures(one.labels, one.predicted, one.p) for one in said), strict=True)
    counts = np.sum(matrices, axis=0)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    found = {"name": name, "runs": len(said), "area": mean(areas)}
    if len(classes) <= FEW:
        cells = [list(zip(s, c, strict=True)) for s, c in zip(shares.tolist(), counts.tolist(), strict=True)]
        return found | {"rows": list(zip(classes, cells, strict=True))}
    confused = counts * (1 - np.eye(len(classes), dtype=counts.dtype))
    worst = [divmod(int(i), len(classes)) for i in np.argsort(-confused, axis=None, kind="stable")[:FEW]]
    return found | {"worst": [(classes[i], classes[j], int(confused[i, j])) for i, j in worst if confused[i, j]]}


def _mistakes(said, pictures):
    """The images that the runs together, by their mean probabilities, get wrong most surely."""
    if not said:
        return None
    p, labels = np.mean([one.p for one in said], axis=0), said[0].labels
    predicted = p.argmax(axis=1)
    chosen = most_confident_errors(labels, predicted, p, CARDS)
    return {
        "wrong": int((predicted != labels).sum()),
        "of": len(labels),
        "runs": len(said),
        "cards": [_card(said, int(i), pictures) for i in chosen],
    }


def _card(said, i, pictures):
    """What some runs say of the image at position i."""
    first = said[0]
    classes = first.run.dataset["classes"]
    lines = []
    for f in FRAMEWORKS:
        some = [one for one in said if one.run.framework == f]
        if some:
            p = np.mean([one.p[i] for one in some], axis=0)
            called = classes[int(p.argmax())]
            lines.append(
                {"framework": f, "called": called, "p": float(p.max()), "right": called == classes[first.labels[i]]}
            )
    name = first.names[i]
    return {
        "name": name,
        "is": classes[first.labels[i]],
        "lines": lines,
        "picture": pictures.thumbnail(first.run, name),
    }


# --- where the frameworks differ ---


def _pair_row(pair):
    largest = int(pair.gaps.argmax())
    return {
        "seed": pair.gluon.run.seed,
        "differ": int(pair.differ.sum()),
        "of": len(pair.gaps),
        "same": float(1 - pair.differ.mean()),
        "mean": float(pair.gaps.mean()),
        "largest": float(pair.gaps[largest]),
        "image": pair.gluon.names[largest],
    }


def _differences(pairs, pictures):
    """The images in which the runs of a pair differ most, of all seeds: other labels first, then by |Δp|."""
    ranked = sorted(
        (not pair.differ[i], -pair.gaps[i], pair.gluon.run.seed, int(i), number)
        for number, pair in enumerate(pairs)
        for i in pair.ranked()[:CARDS]
    )
    cards = []
    for same, gap, seed, i, number in ranked[:CARDS]:
        card = _card([pairs[number].gluon, pairs[number].torch], i, pictures)
        cards.append(card | {"gap": -float(gap), "seed": seed, "differ": not same})
    return cards


def _scatter(pairs):
    """Of each image the probability of its class in Gluon and in PyTorch; where there are many, of the most different ones."""
    if not pairs:
        return None
    names, points = pairs[0].gluon.names, []
    for pair in pairs:
        rows = np.arange(len(pair.gaps))
        x, y = pair.gluon.p[rows, pair.gluon.labels], pair.torch.p[rows, pair.torch.labels]
        points += zip(pair.gaps, x, y, [pair.gluon.run.seed] * len(rows), rows, pair.differ, strict=True)
    kept = sorted(points, key=lambda point: -point[0])[:POINTS]
    return {
        "names": tuple(names),
        "points": [[round(float(x), 4), round(float(y), 4), seed, int(i), int(d)] for _, x, y, seed, i, d in kept],
        "of": len(points),
    }
