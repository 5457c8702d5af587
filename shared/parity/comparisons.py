"""The records of comparisons: what every run said of the test images, kept without the runs."""

import base64
import json
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from shared.errors import UserError, reason_of
from shared.experiments import completed
from shared.files import read_regular, write_rows
from shared.parity.outcomes import CrossExecution, Outcome
from shared.parity.plans import Plan
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import Run, packed_probabilities, unpacked_probabilities


def about(command: str, found: list[Run], plans: list[Plan]) -> dict:
    """What a record has to say about its runs: the command, plans, data, source, experiments, devices and versions."""

    def distinct(values):
        return [json.loads(text) for text in dict.fromkeys(json.dumps(value, sort_keys=True) for value in values)]

    return {
        "command": command,
        "plans": [asdict(plan) for plan in plans],
        "dataset": distinct(r.dataset for r in found),
        "source": distinct({key: r.source[key] for key in ("name", "architecture", "fingerprint")} for r in found),
        "experiments": distinct(r.experiment for r in found),
        "devices": {f: distinct(r.device for r in found if r.framework == f) for f in FRAMEWORKS},
        "versions": distinct(r.versions for r in found),
        "started": [min(r.started for r in found), max(r.started for r in found)],
    }


def write_record(path: Path, about: dict, outcomes: list[Outcome]):
    """Keep outcomes without their runs: `about`, the labels of the test images once, and one line per run.

    A run's probabilities after every epoch are kept as they are in its folder (`packed_probabilities`), deflated, in base64: 8 KB
    for 400 images, 6 epochs and two classes. So any endpoint can be computed again. What an older record knew less of stays so.
    """
    labels = {" ".join(map(str, o.labels)) for o in outcomes if o.labels is not None}
    if len(labels) > 1:
        raise ValueError("the runs were tested on images with different labels")
    head = {"about": about, "labels": labels.pop()} if labels else {"about": about}
    write_rows(Path(path), head, "runs", map(_row, outcomes))


def _row(o: Outcome) -> dict:
    row = {"experiment": o.experiment, "framework": o.framework, "seed": o.seed, "draws": o.draws, "images": o.images}
    if o.diverged:
        return row | {"diverged": True}
    row |= {"accuracy": round(o.accuracy, 6), "accuracies": [round(a, 6) for a in o.accuracies]}
    if o.elsewhere is not None:
        row["elsewhere"] = asdict(o.elsewhere)
    if o.probabilities is None:
        return row | {"correct": np.packbits(o.correct[-1]).tobytes().hex()}
    packed = packed_probabilities(o.probabilities)
    text = base64.b64encode(zlib.compress(packed.astype("<f2").tobytes(), 9)).decode("ascii")
    return row | {"shape": list(packed.shape), "probabilities": text}


def read_record(path: Path) -> tuple[dict, list[Outcome]]:
    """What `write_record` wrote, now or in an older project. Raises UserError where the file is none of that."""
    path = Path(path)
    try:
        record = json.loads(read_regular(path))
        labels = np.array(record.get("labels", "").split(), dtype=np.int64)
        outcomes = [_outcome(row, labels) for row in record["runs"]]
        about = record["about"] | {"experiments": [completed(e) for e in record["about"]["experiments"]]}
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such record") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise UserError(f"{path} is no record of a comparison: {reason_of(error)}") from None
    return about, outcomes


def _outcome(row: dict, labels) -> Outcome:
    run = (row["experiment"], row["framework"], row["seed"])
    draws, images = row.get("draws", "own"), row["images"]
    if row.get("diverged"):
        return Outcome(*run, (), np.zeros((0, images), dtype=bool), draws=draws, diverged=True)
    elsewhere = CrossExecution(**row["elsewhere"]) if "elsewhere" in row else None
    if "probabilities" not in row:  # older: which images were right after the last epoch, as bits
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(row["correct"]), dtype=np.uint8), count=images).astype(bool)
        accuracies = tuple(row.get("accuracies", [bits.mean()]))
        return Outcome(*run, accuracies, bits[None], draws=draws, elsewhere=elsewhere)
    packed = np.frombuffer(zlib.decompress(base64.b64decode(row["probabilities"])), dtype="<f2").reshape(row["shape"])
    probabilities = unpacked_probabilities(packed)
    correct = probabilities.argmax(axis=-1) == labels
    return Outcome(*run, tuple(row["accuracies"]), correct, probabilities, labels, draws, elsewhere=elsewhere)
