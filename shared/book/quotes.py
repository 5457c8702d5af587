"""What README.md and chapter.md quote: source code, and tables from the records in `results/`.

`uv run cog -r README.md chapter.md` puts it all in; a test fails when a file is stale.
"""

import ast
import datetime
import json
import statistics
import sys
import textwrap
from pathlib import Path

from safetensors import safe_open

from shared import experiments
from shared.book.verdicts import equivalence, likeness  # noqa: F401 (for cog)
from shared.exercises import bench
from shared.exercises.bench import points, recorded
from shared.exercises.index import EXERCISES
from shared.networks.reading import load_source
from shared.networks.source import HOTDOG, MINI_FILE
from shared.parity.comparisons import read_record
from shared.parity.divergence import read_divergence
from shared.runs import tables
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.record import Run, read_runs
from shared.runs.tables import (
    any_of,
    epochs_table,
    grouped,
    markdown_table,
    mean,
    results_table,
    seeds_table,
    sentences,
    show,
)

ROOT = Path(__file__).parent.parent.parent
RECORDS = Path(__file__).parent.parent / "results"
ROOMS = {"gluon": "gluon_impl", "torch": "torch_impl"}


def name_of(node: ast.stmt) -> str | None:
    """The name that a statement defines: a function's, a class's or a constant's."""
    return getattr(node, "name", None) or (
        getattr(node.targets[0], "id", None) if isinstance(node, ast.Assign) else None
    )


def source_of(file: str, *names: str) -> str:
    """The source of the functions, classes, constants or methods (`Class.method`) `names` of `file`, a path from the root.

    Raises KeyError for a name that is not there.
    """
    text = (ROOT / file).read_text(encoding="utf-8")
    found = {}

    def find(nodes, prefix=""):
        for node in nodes:
            name = name_of(node)
            if name:
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
                lines = text.splitlines()[first - 1 : node.end_lineno]
                found[prefix + name] = textwrap.dedent("\n".join(lines))
            if isinstance(node, ast.ClassDef):
                find(node.body, f"{name}.")

    find(ast.parse(text).body)
    return "\n\n\n".join(found[name] for name in names)


def quote(file: str, *names: str) -> str:
    """A Markdown block with the source of `names` in `file`, below the file's path."""
    return f"[`{file}`]({file})\n\n```python\n{source_of(file, *names)}\n```"


def pair(module: str, *names: str) -> str:
    """The source of `names` in both implementations' `module`: Gluon first, then PyTorch."""
    return "\n\n".join(f"**{NAMES[f]}**, {quote(f'{room}/{module}.py', *names)}" for f, room in ROOMS.items())


def records(name: str) -> list[Run]:
    """The finished runs recorded below `results/name`."""
    return [run for run in read_runs(RECORDS / name) if run.status == "finished"]


def photographs() -> str:
    """The results table of the photographs, and the machine it comes from."""
    found = records("photographs")
    missing = [
        f"{name} in {NAMES[f]}"
        for name in ("finetune", "scratch", "frozen", "hotdog-row")
        for f in FRAMEWORKS
        if not any(r.experiment["name"] == name and r.framework == f for r in found)
    ]
    return "\n\n".join(
        [
            markdown_table(*results_table(found)),
            machine(found[0].device, found[0].versions)
            + " The machine was shared with other work, more of it during some runs than during "
            "others, so the images per second (Gluon / PyTorch, data loading counted) do not compare the frameworks. "
            "`uv run hotdog results --out shared/results/photographs` prints this table."
            + (f" Not recorded: {', '.join(missing)}." if missing else ""),
        ]
    )


def machine(device: dict, versions: dict) -> str:
    """One sentence: the machine and the versions of a record."""
    packages = ", ".join(f"{name} {versions[name]}" for name in ("mxnet", "torch", "torchvision", "numpy"))
    return f"Recorded on {device['cores']} cores of a machine whose processor says {device['cpu']!r}, with {packages}."


def wall_seconds(found: list[Run]) -> float:
    """Seconds from the start of the first of `found` to the end of the last."""
    times = [datetime.datetime.fromisoformat(t) for run in found for t in (run.started, run.finished)]
    return (max(times) - min(times)).total_seconds()


def default_run() -> str:
    """The recorded output of `uv run hotdog`: table, sentences, and some of the images."""
    found = records("default")
    return "\n\n".join(
        [
            markdown_table(*epochs_table(found)),
            f"{machine(found[0].device, found[0].versions)} Both frameworks ran at once, sharing the cores. From the "
            f"first record to the last it took {wall_seconds(found):.0f} s.",
            "\n".join(f"- {sentence}" for sentence in sentences(found)),
            f"![Eight drawn hot dogs, and eight drawings of other food]({RECORDS.relative_to(ROOT)}/pictures/contact-sheet.png)",
        ]
    )


def seeds() -> str:
    """The table of several seeds on the drawn images: mean and standard deviation per experiment and framework."""
    return markdown_table(*seeds_table(records("seeds")))


def recorded_by(name: str) -> str:
    """What `results/name.json` says of its runs: seeds, images, size, source network and machine."""
    about, outcomes = read_record(RECORDS / f"{name}.json")
    data, seeds = about["dataset"][0], len({o.seed for o in outcomes})
    sizes = " and ".join(sorted({f"{e['size']} pixels" for e in about["experiments"]}))
    return (
        f"{seeds} seeds, {data['train']} training and {data['test']} test images at {sizes}, source network "
        f"{about['source'][0]['name']}. {machine(about['devices']['gluon'][0], about['versions'][0])}"
    )


def ladder() -> str:
    """The parity ladder as recorded: per rung the worst difference and its tolerance, then the known divergences."""
    record = json.loads((RECORDS / "parity-ladder-cpu.json").read_text(encoding="utf-8"))
    rows = [[f"{r['rung']} {r['name']}", r["what"], f"{r['worst']:.2g}", _limit(r)] for r in record["rungs"]]
    return markdown_table(["rung", "where it was worst", "difference", "tolerance"], rows)


def _limit(rung):
    limit = rung["tolerance"] if isinstance(rung["tolerance"], str) else f"{rung['tolerance']:.2g}"
    return limit if rung["at least"] is None else f"known: {rung['at least']:.2g} to {limit}"


def faults() -> str:
    """The planted faults and the rung that catches each, from the tests that plant them."""
    sys.path.insert(0, str(ROOT / "tests"))
    from parity import faults

    return faults.table()


def exercise(number: int) -> str:
    """Tables, answer and picture of exercise `number` on the drawn images."""
    told, where = _recorded_exercise(number, "mini")
    picture = (RECORDS / "pictures" / f"exercise-{number}.png").relative_to(ROOT)
    return f"{told.markdown()}\n\n{where}\n\n![{told.title}]({picture})"


def exercise_on_photographs(number: int) -> str:
    """The answer of exercise `number` on some of the photographs; its tables are folded away."""
    told, where = _recorded_exercise(number, "photographs")
    answer = "\n".join(f"- {sentence}" for sentence in told.answer)
    return (
        f"**On photographs.** {where} Other work ran on the machine meanwhile.\n\n{answer}\n\n"
        f"<details><summary>tables</summary>\n\n{told.tables_in_markdown()}\n\n</details>"
    )


def _recorded_exercise(number, data):
    folder = RECORDS / "exercises" / f"exercise-{number}-{data}"
    about = json.loads((folder / "exercise.json").read_text(encoding="utf-8"))
    told, some = EXERCISES[number](recorded(folder)), read_runs(folder)[0]
    images = f"{about['train']} training and {about['test']} test images at {some.experiment['size']} pixels"
    batches, source = some.experiment["batch_size"], some.source["name"]
    where = f"{images}, batches of {batches}, source network {source}. {machine(some.device, some.versions)}"
    return told, where


def start_slope_asymptote() -> str:
    """The three parts of a learning curve, as measured over the seeds on the drawn images."""
    header = ["experiment", "framework", "start", "after epoch 1", "last epoch", "of the way in epoch 1"]
    header.append("size of the change from one epoch to the next, up or down, after the first")
    rows = []
    for per in grouped(records("seeds")):
        if any_of(per).experiment["name"] in ("finetune", "scratch"):
            for f in FRAMEWORKS:
                start, first, last = (mean(r.epochs[i]["test_accuracy"] for r in per[f]) for i in (0, 1, -1))
                share = f"{(first - start) / (last - start):.0%}"
                late = [[e["test_accuracy"] for e in run.epochs[1:]] for run in per[f]]
                swing = mean(
                    abs(b - a) for accuracies in late for a, b in zip(accuracies, accuracies[1:], strict=False)
                )
                name = tables.title(any_of(per))
                rows.append([name, NAMES[f], *map(show, (start, first, last)), share, show(swing)])
    return markdown_table(header, rows)


def parting() -> str:
    """How far the two losses are apart after some steps in lockstep, from `results/divergence.json`."""
    record = read_divergence(RECORDS / "divergence.json")
    steps = (1, 2, 4, 8, 16, len(record["series"][0]["steps"]))
    header = ["experiment", "numbers", *(f"step {i}" for i in steps)]
    rows = [
        [
            f"{s['experiment']['name']}, lr {s['experiment']['learning_rate']!r}",
            s["name"].replace("rates", "rate and decay"),
        ]
        + [{0: "0", None: "–"}.get(gap) or f"{gap:.0e}" for gap in (s["steps"][i - 1]["loss_gap"] for i in steps)]
        for s in record["series"]
    ]
    return markdown_table(header, rows)


def published_and_measured() -> str:
    """What people published for the chapter's code, and what was recorded here: test accuracy after the last epoch."""
    published = json.loads((RECORDS / "published.json").read_text(encoding="utf-8"))
    names = ("finetune", "scratch", "frozen", "hotdog-row")

    def told(entry):
        if entry is None:
            return "–"
        if "each" in entry:
            return ", ".join(f"{value:.3f}" for value in entry["each"])
        deviation = f" ± {entry['deviation']:.3f}" if entry["deviation"] is not None else ""
        return f"{entry['mean']:.3f}{deviation}, {entry['runs']} run{'s' * (entry['runs'] != 1)}"

    rows = [
        [f"published, the book's {NAMES[f]} tab", *(told(published[f].get(name)) for name in names)] for f in FRAMEWORKS
    ]
    for what, folder in (("the photographs", "photographs"), ("the drawings", "seeds")):
        for f in FRAMEWORKS:
            found = {name: [] for name in names}
            for run in records(folder):
                if run.framework == f and run.source["row_label"] in (None, HOTDOG):
                    found[run.experiment["name"]].append(run.test_accuracy)
            rows.append([f"here, {NAMES[f]} on {what}", *(told(_summary(values)) for values in found.values())])
    return markdown_table(["test accuracy", *names], rows)


def _summary(values):
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"runs": len(values), "mean": mean(values), "deviation": deviation}


def hyperparameters() -> str:
    """Every hyperparameter of the experiments: a table of the chapter's, and what the two other source networks have instead."""
    header = ["experiment", "learning rate", "of the output layer", "weight decay", "batch", "epochs", "pixels"]
    rows = [
        [e.name, f"{e.learning_rate:g}", f"× {e.head_lr_mult:g}", f"{e.weight_decay:g}"]
        + [str(e.batch_size), str(e.num_epochs), str(e.size)]
        for e in experiments.CHAPTER.values()
    ]
    words = {"learning_rate": "learning rate {:g}", "size": "{} pixels", "batch_size": "batches of {}"}
    lines = []
    for preset, name in (("resnet18_v1", "the photographs"), ("mini", "the drawings")):
        changes = {}
        for experiment, instead in experiments.PRESETS[preset].items():
            for field, value in instead.items():
                changes.setdefault(words[field].format(value), []).append(experiment)
        said = [
            change + ("" if len(names) == len(experiments.CHAPTER) else f" for {', '.join(names)}")
            for change, names in changes.items()
        ]
        lines.append(f"- {name} (`{preset}`): {'; '.join(said)}")
    return markdown_table(header, rows) + "\n\nInstead of these, on\n\n" + "\n".join(lines)


def source_network() -> str:
    """What the drawn images' source network is, from its file."""
    source = load_source("mini")
    with safe_open(MINI_FILE, framework="numpy") as file:
        about = file.metadata()
    return (
        f"It is a thin `{source.architecture.name}` of {sum(t.size for t in source.tensors.values()):,} numbers that tells "
        f"{len(source.classes)} kinds of drawn things apart, `{HOTDOG}` (row {source.row(HOTDOG)}) and "
        f"`{experiments.WRONG_ROW}` (row {source.row(experiments.WRONG_ROW)}) among them, and gets "
        f"{float(about['top1']):.1%} of held-out drawings right (`uv run hotdog mini build` draws and trains it again)."
    )


def printed(name: str) -> str:
    """What the chapter's own training of `name` prints, from the recorded default run, which has the same seed."""
    found = [run for run in records("default") if run.experiment["name"] == name]
    lines = [" " * 10 + "  ".join(f"{NAMES[f]:28s}" for f in FRAMEWORKS)]
    per = [next(run for run in found if run.framework == f) for f in FRAMEWORKS]
    for epochs in zip(*(run.epochs for run in per), strict=True):
        lines.append(
            " " * 10 + "  ".join(f"epoch {e['epoch']}: test accuracy {e['test_accuracy']:.3f}" for e in epochs)
        )
    return "```text\n" + "\n".join(line.rstrip()[10:] for line in lines) + "\n```"


def rows_worth() -> str:
    """The hot dog row against the wrong one and against random rows, over the seeds on the drawn images."""
    groups = {tables.title(any_of(per)): per for per in grouped(records("seeds"))}
    chosen = {title: per for title, per in groups.items() if title.startswith(("finetune", "hotdog-row"))}
    right = next(per for title, per in chosen.items() if title.endswith(f"({HOTDOG})"))
    header = ["output layer starts with", *(f"{NAMES[f]} {when}" for f in FRAMEWORKS for when in WHEN)]
    rows = []
    for title, per in chosen.items():
        row = ["two random rows" if title == "finetune" else title.replace("hotdog-row", "row")]
        for f in FRAMEWORKS:
            for epoch in WHEN.values():
                values = bench.accuracies(per[f], epoch)
                lead = [a - b for a, b in zip(bench.accuracies(right[f], epoch), values, strict=True)]
                row.append(show(mean(values)) + (f" ({points(lead)})" if per is not right else ""))
        rows.append(row)
    return markdown_table(header, rows)


WHEN = {"before": 0, "after epoch 1": 1, "after the last": -1}


def collected_from() -> str:
    """The repositories whose published accuracies `published_and_measured` shows."""
    return ", ".join(json.loads((RECORDS / "published.json").read_text(encoding="utf-8"))["collected from"]) + "."
