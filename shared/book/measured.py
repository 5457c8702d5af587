"""What `results/scale.json` says that a run on a cluster and a step on several devices cost, for the model in scaling.py.

The record is made by `python -m tests.benchmarks.scale`: lines of kind `runs`, `steps` and `hop`, each of a round and a turn.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from shared.book.quotes import RECORDS
from shared.book.recorded import finished
from shared.book.scaling import RunCost, StepCost, line_through

PARTS = ("compute", "wait", "exchange", "rest")  # of a step


@dataclass(frozen=True)
class Measured:
    """The record: what it is `about`, and its lines, `rows`, of all rounds."""

    about: dict
    rows: list[dict]

    def of(self, **wanted) -> list[dict]:
        """The lines with these entries; those from an imitated line only if `line` is among them."""
        wanted = {"line": None} | wanted
        return [row for row in self.rows if all(row.get(key) == value for key, value in wanted.items())]

    def median(self, value: str | Callable[[dict], float], **wanted) -> float:
        """The median over the rounds of an entry, or of what is made of a line."""
        return median(value(row) if callable(value) else row[value] for row in self.of(**wanted))

    @property
    def counts(self) -> tuple[int, int]:
        """How many runs a turn has: the turn with few, and the others."""
        counts = [row["runs"] for row in self.of(kind="runs")]
        return min(counts), max(counts)

    def further(self, key: str) -> float:
        """What one more run costs a cluster with one worker: the turn with more runs less the one with few, per run."""
        few, many = (self.of(kind="runs", workers=1, runs=count) for count in self.counts)
        more = self.counts[1] - self.counts[0]
        return median((b[key] - a[key]) / more for a, b in zip(few, many, strict=True))

    def further_worker(self, key: str) -> float:
        """What one more worker costs, for the same runs: the turn with most workers less the one before, per worker."""
        first, second = sorted({row["workers"] for row in self.of(kind="runs")})[-2:]
        few, more = (self.of(kind="runs", workers=workers) for workers in (first, second))
        return median((b[key] - a[key]) / (second - first) for a, b in zip(few, more, strict=True))


def read_measured(path: Path = RECORDS / "scale.json") -> Measured:
    """The record without a round that is not at its end yet."""
    record = json.loads(path.read_text(encoding="utf-8"))
    turns = {}
    for row in record["rows"]:
        turns.setdefault(row["round"], set()).add(row["turn"])
    whole = {number for number, names in turns.items() if names == turns[1]}
    return Measured(record["about"], [row for row in record["rows"] if row["round"] in whole])


def run_costs(measured: Measured) -> tuple[RunCost, RunCost]:
    """What carrying out runs costs by `hotdog run` alone, and on a cluster.

    A worker's first run and the gap behind it take longer, for its process loads what the later ones find there; that is counted as
    time before the first run.
    """

    def begin(row):
        return row["seconds"] - row["last"] - row["runs"] * median(row["run"]) - (row["runs"] - 1) * usual_gap(row)

    def times(workers):
        turn = {"kind": "runs", "workers": workers, "runs": measured.counts[1]}
        return [measured.median(value, **turn) for value in (begin, usual_gap, "last")]

    return RunCost(*times(0)), RunCost(*times(1), max(measured.further("client"), measured.further("scheduler")))


def usual_gap(row: dict) -> float:
    """Seconds between two runs of a worker."""
    return median(row["gaps"])


def step_cost(measured: Measured, network: str, engine: str = "gloo") -> StepCost:
    """What a step of `network` costs on one core, from the parts that several devices would get.

    In processor seconds: with one thread they are the wall seconds of an idle machine, and nobody else's work is in them.
    """
    alone = {"kind": "steps", "engine": engine, "network": network, "devices": 1}
    batches = sorted({row["batch"] for row in measured.of(**alone)})
    points = [(b, measured.median(_computed, **alone, batch=b)) for b in batches]
    packing = measured.median("exchange processor", **alone, batch=batches[-1])
    (gradients,) = {row["gradient_bytes"] for row in measured.of(**alone)}
    return StepCost(*line_through(points), packing, gradients, measured.median("seconds", kind="hop"))


def _computed(row):
    return row["compute processor"] + row["rest processor"]


def seconds_of_step(row: dict) -> float:
    """All parts of a step."""
    return sum(row[part] for part in PARTS)


def recorded_lengths() -> dict[str, float]:
    """{on what: seconds} of a run of `finetune` in PyTorch as recorded, from its first moment to its last."""
    found = {}
    for what, folder in (("the drawings", "default"), ("photographs", "photographs")):
        (run,) = [r for r in finished(folder) if (r.experiment["name"], r.framework) == ("finetune", "torch")]
        began, ended = map(datetime.fromisoformat, (run.started, run.finished))
        found[what] = (ended - began).total_seconds()
    return found
