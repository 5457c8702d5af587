"""The records of comparisons: what every run got right, kept without the runs."""

import json
from pathlib import Path

import numpy as np

from shared.experiments import completed
from shared.files import write_atomically
from shared.parity.accuracies import Outcome
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import Run


def about(command: str, found: list[Run]) -> dict:
    """What a record has to say about its runs: the command, data, source, experiments, devices and versions."""

    def distinct(values):
        return [json.loads(text) for text in dict.fromkeys(json.dumps(value, sort_keys=True) for value in values)]

    return {
        "command": command,
        "dataset": distinct(r.dataset for r in found),
        "source": distinct({key: r.source[key] for key in ("name", "architecture", "fingerprint")} for r in found),
        "experiments": distinct(r.experiment for r in found),
        "devices": {f: distinct(r.device for r in found if r.framework == f) for f in FRAMEWORKS},
        "versions": distinct(r.versions for r in found),
        "started": [min(r.started for r in found), max(r.started for r in found)],
    }


def write_record(path: Path, about: dict, outcomes: list[Outcome]):
    """Keep outcomes without their runs: `about` and, one line per run, what it got right as hexadecimal bits."""
    rows = [
        {
            "experiment": o.experiment,
            "framework": o.framework,
            "seed": o.seed,
            "accuracy": round(o.accuracy, 6),
            "images": len(o.correct),
            "correct": np.packbits(o.correct).tobytes().hex(),
        }
        for o in outcomes
    ]
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    text = f'{{\n "about": {json.dumps(about, indent=1)},\n "runs": [\n{lines}\n ]\n}}\n'
    write_atomically(Path(path), lambda file: file.write_text(text, encoding="utf-8"))


def read_record(path: Path) -> tuple[dict, list[Outcome]]:
    """What `write_record` wrote."""
    record = json.loads(Path(path).read_text(encoding="utf-8"))
    outcomes = []
    for row in record["runs"]:
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(row["correct"]), dtype=np.uint8), count=row["images"])
        outcomes.append(Outcome(row["experiment"], row["framework"], row["seed"], bits.astype(bool)))
    about = record["about"] | {"experiments": [completed(e) for e in record["about"]["experiments"]]}
    return about, outcomes
