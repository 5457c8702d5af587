"""The tables of speeds that README.md and chapter.md show, from `results/speed.json` (made by `python -m tests.benchmarks`)."""

import json
from pathlib import Path
from statistics import median

from shared.book.quotes import RECORDS
from shared.book.recorded import machine
from shared.runs.frameworks import NAMES
from shared.runs.tables import markdown_table

CONTESTANTS = ("book", "book with our threads", "ours", "ceiling", "ours in bf16")
OTHERS = [name for name in CONTESTANTS if name != "ours"]
WORKS = {
    "finetune": "training everything",
    "frozen": "features frozen",
    "frozen-locked": "features frozen, batch norm too",
    "evaluation": "evaluation",
}


def speeds(path: Path = RECORDS / "speed.json") -> str:
    """Three tables in Markdown: images per second, how many times as fast as whom, and what else was measured."""
    record = json.loads(path.read_text(encoding="utf-8"))
    groups = grouped(record["rows"])
    about = record["about"]
    rounds = [len(row["turns"]) for row in record["rows"]]
    many = str(min(rounds)) if len(set(rounds)) == 1 else f"{min(rounds)} to {max(rounds)}"
    note = (
        f"Images per second at {about['size']} pixels, data loading counted: the median of {many} turns, lowest and highest in "
        "brackets. The contestants are processes that took turns on the same images. *book*: the chapter's pipeline and network, "
        "steps and evaluations by d2l's functions. *ceiling*: the framework's bare step on one batch in memory. "
        + machine({"cores": about["cores"], "cpu": about["cpu"]}, about["versions"])
    )
    return "\n\n".join([images_table(groups), note, ratios_table(groups), rest_table(groups)])


def grouped(rows: list[dict]) -> dict[tuple, dict[str, dict]]:
    """{(work, batch, framework): {contestant: its row}}, as measured."""
    groups = {}
    for row in rows:
        if row["turns"]:
            groups.setdefault((row["work"], row["batch"], row["framework"]), {})[row["contestant"]] = row
    return groups


def images_per_second(row: dict) -> list[float]:
    """Of each turn."""
    return [images / seconds for images, seconds, _ in row["turns"]]


def ratio(group: dict[str, dict], other: str) -> float | None:
    """How many times as many images a second as `other` ours does: the median of the pairs of turns; None where there is none."""
    if other not in group or "ours" not in group:
        return None
    pairs = zip(images_per_second(group["ours"]), images_per_second(group[other]), strict=False)
    return median(mine / theirs for mine, theirs in pairs)


def cores_busy(row: dict) -> float:
    """Processor seconds over wall seconds, all turns together."""
    return sum(processor for *_, processor in row["turns"]) / sum(seconds for _, seconds, _ in row["turns"])


def images_table(groups) -> str:
    header = ["what", "batch", "framework", *CONTESTANTS]
    rows = [[*_start(key), *(_spread(group.get(name)) for name in CONTESTANTS)] for key, group in groups.items()]
    return markdown_table(header, rows)


def _spread(row):
    if row is None:
        return "–"
    values = images_per_second(row)
    return f"{median(values):.1f} ({min(values):.1f}–{max(values):.1f})"


def ratios_table(groups) -> str:
    header = ["what", "batch", "framework", *(f"ours / {name}" for name in OTHERS)]
    rows = [[*_start(key), *(_show(ratio(group, name)) for name in OTHERS)] for key, group in groups.items()]
    return markdown_table(header, rows)


def _show(value):
    return "–" if value is None else f"{value:.2f}"


def rest_table(groups) -> str:
    names = ("book", "ours")
    header = ["what", "batch", "framework"]
    for what in ("cores busy", "seconds to the first step", "peak memory, MiB"):
        header += [f"{what}: {name}" for name in names]
    rows = []
    for key, group in groups.items():
        found = [group.get(name) for name in names]
        row = [*_start(key), *("–" if r is None else f"{cores_busy(r):.2f}" for r in found)]
        row += ["–" if r is None else f"{r['first_step_seconds']:.1f}" for r in found]
        rows.append([*row, *("–" if r is None else f"{r['peak_mib']:,}" for r in found)])
    return markdown_table(header, rows)


def _start(key):
    work, batch, framework = key
    return [WORKS[work], str(batch), NAMES[framework]]
