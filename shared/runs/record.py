"""Runs and their records: an experiment on one framework with one seed, and everything needed to repeat or compare it.

A run is a folder: `run.json` (what was done, on what, with what result), `test_probabilities.csv` (one row per test image),
`weights.safetensors` (canonical names) and `curves.png`. Files are written beside their place and then moved there; `run.json`
is renewed after every epoch, so a run that fails or is interrupted keeps what it had.
"""

import csv
import json
import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from shared.errors import UserError, reason_of
from shared.experiments import completed
from shared.files import write_atomically


@dataclass
class Run:
    """The contents of a run's `run.json`; `folder` is where it lies.

    memory: main memory of the process in MiB, before the run and at its peak up to the run's end.
    """

    folder: Path
    experiment: dict
    framework: str
    seed: int
    dataset: dict
    source: dict
    device: dict
    versions: dict
    memory: dict = field(default_factory=dict)
    status: str = "running"
    started: str = ""
    finished: str | None = None
    error: str | None = None
    epochs: list = field(default_factory=list)

    @property
    def test_accuracy(self) -> float | None:
        """Test accuracy after the last recorded epoch."""
        return self.epochs[-1]["test_accuracy"] if self.epochs else None

    @property
    def images_per_second(self) -> float | None:
        """Training images per second over all epochs, data loading included."""
        trained = [e for e in self.epochs if e["seconds"]]
        seconds = sum(e["seconds"] for e in trained)
        return sum(e["seconds"] * e["images_per_second"] for e in trained) / seconds if seconds else None

    def key(self) -> tuple:
        """What two runs have in common that differ in framework and seed only."""
        # A row is the same row by its label and by its number.
        experiment = self.experiment | {"row": self.source["row"]}
        return (
            json.dumps(experiment, sort_keys=True),
            self.dataset["fingerprint"],
            self.source["fingerprint"],
        )

    def save(self):
        """Write `run.json`, all or nothing."""
        record = asdict(self)
        del record["folder"]
        write_atomically(
            self.folder / "run.json",
            lambda path: path.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n"),
        )


def write_probabilities(path: Path, classes, names, labels, probabilities):
    """Write one row per image: its name, its class, and the probability of every class (six digits)."""

    def write(scratch):
        with open(scratch, "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["image", "class", *classes])
            for name, label, p in zip(names, labels, probabilities, strict=True):
                rows.writerow([name, classes[label], *(f"{value:.6f}" for value in p)])

    write_atomically(path, write)


def read_probabilities(run: Run) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Image names, class indices (N,) int64 and probabilities (N, classes) float64 of a run's test images.

    Raises UserError where the file is missing or damaged.
    """
    path = run.folder / "test_probabilities.csv"
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        classes = header[2:]
        labels = np.array([classes.index(row[1]) for row in rows], dtype=np.int64)
        probabilities = np.array([row[2:] for row in rows], dtype=np.float64)
        if probabilities.shape != (run.dataset["test"], len(run.dataset["classes"])):
            raise ValueError(f"it should have a line for each of {run.dataset['test']} images")
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"{path} is damaged ({reason_of(error)}): delete its folder and train that run again") from None
    return [row[0] for row in rows], labels, probabilities


def read_run(folder: Path) -> Run:
    """The run recorded in `folder`. Raises UserError when there is none or its record cannot be read."""
    path = Path(folder) / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        record = {"memory": {}} | record | {"experiment": completed(record["experiment"])}
        return Run(folder=Path(folder), **{f.name: record[f.name] for f in fields(Run) if f.name != "folder"})
    except FileNotFoundError:
        raise UserError(f"{folder} is no run: it has no run.json") from None
    except KeyError as missing:
        raise UserError(f"{path} is no run record: it has no entry {missing}") from None
    except (ValueError, TypeError, OSError) as error:
        raise UserError(f"{path} is no run record: {reason_of(error)}") from None


def read_runs(out: Path) -> list[Run]:
    """All runs below `out`, in the order in which they were started; a line on standard error for each that cannot be read."""
    found = []
    for path in sorted(Path(out).glob("**/run.json")):
        try:
            found.append(read_run(path.parent))
        except UserError as error:
            print(f"hotdog: left out: {error}", file=sys.stderr)
    return sorted(found, key=lambda run: run.started)
