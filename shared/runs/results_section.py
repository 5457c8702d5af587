"""What the page of results says of one experiment: facts, curves, confusion matrices, mistakes, where the frameworks differ."""

import numpy as np

from shared.runs.answers import FEW, measures, most_confident_errors
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.liveness import state
from shared.runs.tables import mean, show
from shared.runs.thumbnails import Pictures
from shared.runs.together import CURVES, Group, curve, in_the_mean, pairs_of, said_by

CARDS = 12  # images that are shown of each experiment: its mistakes, and where the frameworks differ
POINTS = 2000  # images in one figure


def section_of(number, group: Group, pictures: Pictures, sentence) -> dict:
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
