"""The tables and sentences of README.md and chapter.md that come from the records in `results/`.

Quoted code: quotes.py. What the experiments and the source network are: facts.py.
"""

import datetime
import json
import statistics
from pathlib import Path

from shared.book.quotes import RECORDS
from shared.exercises.bench import accuracies
from shared.exercises.intervals import difference
from shared.networks.source import HOTDOG
from shared.parity.comparisons import read_record
from shared.parity.divergence import read_divergence
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.record import Run, read_runs
from shared.runs.tables import (
    any_of,
    epochs_table,
    grouped,
    markdown_table,
    mean,
    plural,
    results_table,
    seeds_table,
    sentences,
    show,
    title,
)

PICTURES = Path("shared/results/pictures")  # as seen from the texts


def finished(name: str) -> list[Run]:
    """The finished runs recorded below `results/name`."""
    return [run for run in read_runs(RECORDS / name) if run.status == "finished"]


def _record(name):
    return json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))


# --- runs ---


def machine(device: dict, versions: dict) -> str:
    """One sentence: the machine and the versions of a record."""
    packages = ", ".join(f"{name} {versions[name]}" for name in ("mxnet", "torch", "torchvision", "numpy"))
    return f"Recorded on {device['cores']} cores of a machine whose processor says {device['cpu']!r}, with {packages}."


def default_run() -> str:
    """The recorded output of `uv run hotdog`: table, sentences, and a few of the images."""
    runs = finished("default")
    return "\n\n".join(
        [
            markdown_table(*epochs_table(runs)),
            f"{machine(runs[0].device, runs[0].versions)} Both frameworks ran at once, sharing the cores. From the "
            f"first record to the last it took {_wall_seconds(runs):.0f} s.",
            "\n".join(f"- {sentence}" for sentence in sentences(runs)),
            f"![Eight drawn hot dogs, and eight drawings of other food]({PICTURES}/contact-sheet.png)",
        ]
    )


def _wall_seconds(runs):
    """Seconds from the start of the first run to the end of the last."""
    times = [datetime.datetime.fromisoformat(time) for run in runs for time in (run.started, run.finished)]
    return (max(times) - min(times)).total_seconds()


def printed(name: str) -> str:
    """What the chapter's own training of `name` prints, from the recorded runs with own draws and the same seed."""
    runs = {run.framework: run for run in finished("chapter") if run.experiment["name"] == name}
    lines = ["  ".join(f"{NAMES[f]:28s}" for f in FRAMEWORKS)]
    for epochs in zip(*(runs[f].epochs for f in FRAMEWORKS), strict=True):
        lines.append("  ".join(f"epoch {e['epoch']}: test accuracy {e['test_accuracy']:.3f}" for e in epochs))
    return "\n".join(["```text", *(line.rstrip() for line in lines), "```"])


def strategies() -> str:
    """The recorded output of `hotdog strategies`: the table, and where it was made."""
    runs = finished("strategies")
    return (
        f"{markdown_table(*epochs_table(runs))}\n\n{machine(runs[0].device, runs[0].versions)} "
        f"Both frameworks ran at once, sharing the cores, in {_wall_seconds(runs):.0f} s."
    )


PHOTOGRAPHS = (
    "{machine} The machine was shared with other work, more of it during some runs than during others, so the images per second "
    "(Gluon / PyTorch, data loading counted) do not compare the frameworks. "
    "`uv run hotdog results --out shared/results/photographs` prints this table."
)


def photographs() -> str:
    """The results table of the photographs, and the machine it comes from."""
    runs = finished("photographs")
    recorded = {(run.experiment["name"], run.framework) for run in runs}
    names = ("finetune", "scratch", "frozen", "hotdog-row")
    missing = [f"{name} in {NAMES[f]}" for name in names for f in FRAMEWORKS if (name, f) not in recorded]
    text = PHOTOGRAPHS.format(machine=machine(runs[0].device, runs[0].versions))
    if missing:
        text += f" Not recorded: {', '.join(missing)}."
    return f"{markdown_table(*results_table(runs))}\n\n{text}"


def seeds() -> str:
    """The table of several seeds on the drawn images: mean and standard deviation per experiment and framework."""
    return markdown_table(*seeds_table(finished("seeds")))


def other_images() -> str:
    """How far an accuracy lies from what other test images would give, in a sentence: the normal interval of a share."""
    runs = [run for run in finished("seeds") if run.experiment["name"] == "finetune"]
    images, share = runs[0].dataset["test"], mean(accuracies(runs))
    half = 1.96 * (share * (1 - share) / images) ** 0.5
    return (
        f"All seeds are judged on the same {images} images, so ± says how far another seed would lie, not how far other images "
        f"would: a share of {share:.2f} among {images} has a 95 % interval of {100 * half:.1f} points either way."
    )


def start_slope_asymptote() -> str:
    """The three parts of a learning curve, as measured over the seeds on the drawn images."""
    header = ["experiment", "framework", "start", "after epoch 1", "last epoch", "of the way in epoch 1"]
    header.append("size of the change from one epoch to the next, up or down, after the first")
    rows = []
    for group in grouped(finished("seeds")):
        if any_of(group).experiment["name"] not in ("finetune", "scratch"):
            continue
        for f in FRAMEWORKS:
            start, first, last = (mean(accuracies(group[f], epoch)) for epoch in (0, 1, -1))
            changes = [abs(b - a) for run in group[f] for a, b in _steps(run)]
            row = [title(any_of(group)), NAMES[f], *map(show, (start, first, last))]
            rows.append([*row, f"{(first - start) / (last - start):.0%}", show(mean(changes))])
    return markdown_table(header, rows)


def _steps(run):
    """Test accuracies of consecutive epochs of training, in pairs."""
    trained = [epoch["test_accuracy"] for epoch in run.epochs[1:]]
    return zip(trained, trained[1:], strict=False)


WHEN = {"before": 0, "after epoch 1": 1, "after the last": -1}


def rows_worth() -> str:
    """The hot dog row against the wrong one and against random rows, over the seeds on the drawn images."""
    groups = {title(any_of(group)): group for group in grouped(finished("seeds"))}
    groups = {name: group for name, group in groups.items() if name.startswith(("finetune", "hotdog-row"))}
    hotdog = next(name for name in groups if name.endswith(f"({HOTDOG})"))
    header = ["output layer starts with", *(f"{NAMES[f]} {when}" for f in FRAMEWORKS for when in WHEN)]
    rows = []
    for name, group in groups.items():
        row = ["two random rows" if name == "finetune" else name.replace("hotdog-row", "row")]
        for f in FRAMEWORKS:
            for epoch in WHEN.values():
                values = accuracies(group[f], epoch)
                lead = difference(accuracies(groups[hotdog][f], epoch), values).in_points()
                row.append(show(mean(values)) if name == hotdog else f"{show(mean(values))} ({lead})")
        rows.append(row)
    return markdown_table(header, rows)


# --- comparisons of the frameworks ---


def recorded_by(name: str) -> str:
    """What `results/name.json` says of its runs: seeds, images, size, source network and machine."""
    about, outcomes = read_record(RECORDS / f"{name}.json")
    data, num_seeds = about["dataset"][0], len({o.seed for o in outcomes})
    sizes = " and ".join(sorted({f"{e['size']} pixels" for e in about["experiments"]}))
    return (
        f"{num_seeds} seeds, {data['train']} training and {data['test']} test images at {sizes}, source network "
        f"{about['source'][0]['name']}. {machine(about['devices']['gluon'][0], about['versions'][0])}"
    )


def ladder() -> str:
    """The parity ladder as recorded: per rung the worst difference and its tolerance, then the known divergences."""
    rungs = _record("parity-ladder-cpu")["rungs"]
    rows = [[f"{r['rung']} {r['name']}", r["what"], f"{r['worst']:.2g}", _tolerance(r)] for r in rungs]
    return markdown_table(["rung", "where it was worst", "difference", "tolerance"], rows)


def _tolerance(rung):
    tolerance = rung["tolerance"] if isinstance(rung["tolerance"], str) else f"{rung['tolerance']:.2g}"
    return tolerance if rung["at least"] is None else f"known: {rung['at least']:.2g} to {tolerance}"


def parting() -> str:
    """How far the two losses are apart after several steps in lockstep, from `results/divergence.json`."""
    series = read_divergence(RECORDS / "divergence.json")["series"]
    steps = (1, 2, 4, 8, 16, len(series[0]["steps"]))
    header = ["experiment", "numbers", *(f"step {i}" for i in steps)]
    rows = []
    for one in series:
        experiment = f"{one['experiment']['name']}, lr {one['experiment']['learning_rate']!r}"
        gaps = [one["steps"][i - 1]["loss_gap"] for i in steps]
        rows.append([experiment, one["name"].replace("rates", "rate and decay"), *map(_gap, gaps)])
    return markdown_table(header, rows)


def _gap(gap):
    return "–" if gap is None else "0" if gap == 0 else f"{gap:.0e}"


# --- published accuracies beside ours ---


def published_and_measured() -> str:
    """What people published for the chapter's code, and what was recorded here: test accuracy after the last epoch."""
    published = _record("published")
    names = ("finetune", "scratch", "frozen", "hotdog-row")
    rows = [
        [f"published, the book's {NAMES[f]} tab", *(_summary(published[f].get(name)) for name in names)]
        for f in FRAMEWORKS
    ]
    for what, folder in (("the photographs", "photographs"), ("the drawings", "seeds")):
        runs = [run for run in finished(folder) if run.source["row_label"] in (None, HOTDOG)]
        for f in FRAMEWORKS:
            measured = [_measured([r for r in runs if (r.framework, r.experiment["name"]) == (f, n)]) for n in names]
            rows.append([f"here, {NAMES[f]} on {what}", *map(_summary, measured)])
    return markdown_table(["test accuracy", *names], rows)


def _measured(runs):
    """Test accuracies of runs as an entry of `published.json`, None where there is no run."""
    values = [run.test_accuracy for run in runs]
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"runs": len(values), "mean": mean(values), "deviation": deviation} if values else None


def _summary(entry):
    if entry is None:
        return "–"
    if "each" in entry:
        return ", ".join(f"{value:.3f}" for value in entry["each"])
    deviation = "" if entry["deviation"] is None else f" ± {entry['deviation']:.3f}"
    return f"{entry['mean']:.3f}{deviation}, {plural(entry['runs'], 'run')}"


def collected_from() -> str:
    """The repositories whose published accuracies `published_and_measured` shows."""
    return ", ".join(_record("published")["collected from"]) + "."
