"""Runs and their records: an experiment on one framework with one seed, and everything needed to repeat or compare it.

A run is a folder: `run.json` (what was done, on what, with what result), `test_probabilities.csv` (one row per test image, after
the last epoch), `epoch_probabilities.npz` (after every epoch), `weights.safetensors` (canonical names) and `curves.png`. Files are
written beside their place and then moved there; `run.json` is renewed after every epoch, so a run that fails or is interrupted
keeps what it had.
"""

import csv
import io
import json
import sys
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from shared.errors import UserError, reason_of
from shared.experiments import Experiment, completed, translated
from shared.files import read_regular, write_atomically, write_text
from shared.runs.schema import (
    Count,
    DatasetFacts,
    DeviceFacts,
    Draws,
    EpochFacts,
    Framework,
    MemoryFacts,
    Positive,
    ProcessFacts,
    Seed,
    SourceFacts,
    Status,
    Text,
    checked,
    parse,
)

# The version of the record's shape, 1 where a record has none. A field that is added needs no new one: its default says what the
# records without it meant. A change that old records cannot be read with gets the next number, and a step in `_migrated`.
SCHEMA = 3


@dataclass
class Run:
    """The contents of a run's `run.json`; `folder` is where it lies. The annotations are the schema that records are read by.

    draws: where the random numbers came from, one stream for both frameworks (`shared`) or each framework's `own`. kept_epoch: the
    one whose weights were kept, where that was asked; else the last one's were. more: entries that this version does not know; they
    are written back as they were.
    """

    folder: Path
    experiment: dict  # checked as an Experiment
    framework: Framework
    seed: Seed
    dataset: DatasetFacts
    source: SourceFacts
    device: DeviceFacts
    versions: dict[str, Text]
    memory: MemoryFacts = field(default_factory=dict)
    status: Status = "running"
    started: Text = ""
    finished: Text | None = None
    error: Text | None = None
    draws: Draws = "own"
    process: ProcessFacts = field(default_factory=dict)
    epochs: list[EpochFacts] = field(default_factory=list)
    kept_epoch: Count | None = None
    schema: Positive = SCHEMA
    more: dict = field(default_factory=dict)

    @property
    def test_accuracy(self) -> float | None:
        """Test accuracy after the last recorded epoch, or after the one whose weights were kept."""
        return self.epochs[-1 if self.kept_epoch is None else self.kept_epoch]["test_accuracy"] if self.epochs else None

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
            self.draws,
            self.device.get("precision", "fp32"),
            self.dataset["fingerprint"],
            self.source["fingerprint"],
        )

    def save(self):
        """Write `run.json`, all or nothing."""
        record = asdict(self)
        del record["folder"]
        more = record.pop("more")
        record = {"schema": record.pop("schema")} | record | more
        write_text(self.folder / "run.json", json.dumps(record, indent=1, allow_nan=False) + "\n")


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
        text = read_regular(path, most=None).decode("utf-8")
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        classes = header[2:]
        if classes != run.dataset["classes"]:
            raise ValueError("its classes are not those of the run")
        labels = np.array([classes.index(row[1]) for row in rows], dtype=np.int64)
        probabilities = np.array([row[2:] for row in rows], dtype=np.float64)
        if probabilities.shape != (run.dataset["test"], len(classes)):
            raise ValueError(f"it should have a line for each of {run.dataset['test']} images")
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise ValueError("a probability is not within 0 and 1")
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise UserError(f"{path} is damaged ({reason_of(error)}): delete its folder and train that run again") from None
    return [row[0] for row in rows], labels, probabilities


EPOCH_PROBABILITIES = "epoch_probabilities.npz"


def write_epoch_probabilities(folder: Path, labels, probabilities):
    """Keep what a run said of every test image after every epoch, in `folder`/epoch_probabilities.npz.

    labels: (N,) class indices. probabilities: (epochs + 1, N, classes) of any float dtype, epoch 0 first. Kept as `log_ratios`,
    float16: 6 KB for 400 images, 6 epochs and two classes, a third of float32. See `packed_probabilities` for what is lost.
    """
    arrays = {"labels": np.asarray(labels, dtype=np.int16), "log_ratios": packed_probabilities(probabilities)}
    if arrays["log_ratios"].ndim != 3 or arrays["log_ratios"].shape[1] != len(arrays["labels"]):
        raise ValueError(f"probabilities have shape {arrays['log_ratios'].shape} for {len(arrays['labels'])} labels")

    def write(temporary):
        with open(temporary, "wb") as file:  # given a name, savez would add an ending to it
            np.savez_compressed(file, **arrays)

    write_atomically(folder / EPOCH_PROBABILITIES, write)


def read_epoch_probabilities(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Class indices (N,) int64 and probabilities (epochs + 1, N, classes) float64 of a run's test images, epoch 0 first.

    A run made before they were kept has those of its last epoch only: (1, N, classes), from test_probabilities.csv. The file is
    written before run.json, so that of an unfinished run may hold epochs that were not recorded any more: they are left out.
    Raises UserError where the file is damaged.
    """
    path = run.folder / EPOCH_PROBABILITIES
    if not path.is_file():
        _, labels, probabilities = read_probabilities(run)
        return labels, probabilities[None]
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels, ratios = arrays["labels"].astype(np.int64), arrays["log_ratios"]
        wanted = (len(run.epochs), run.dataset["test"], len(run.dataset["classes"]))
        if run.status != "finished":
            ratios = ratios[: wanted[0]]
        if ratios.shape != wanted or labels.shape != wanted[1:2]:
            raise ValueError(f"it should hold {wanted[0]} epochs of {wanted[1]} images")
        if (ratios > 0).any() or not ((labels >= 0) & (labels < wanted[2])).all():  # a diverged network has said NaN
            raise ValueError("a probability is not within 0 and 1, or a label is none of the classes")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged ({reason_of(error)}): delete its folder and train that run again") from None
    return labels, unpacked_probabilities(ratios)


def packed_probabilities(probabilities) -> np.ndarray:
    """Probabilities (…, classes) as float16 logarithms of their ratio to the largest.

    The most probable class stays the same one (its ratio is 1, exactly), and a probability is off by 1.1e-4 at most
    (two classes); as a float16 itself it would be off by 2.4e-4, and near 0.5 both classes could become equal.
    """
    with np.errstate(divide="ignore"):  # a probability of 0 is minus infinity
        logs = np.log(np.asarray(probabilities, dtype=np.float64))
    return (logs - logs.max(axis=-1, keepdims=True)).astype(np.float16)


def unpacked_probabilities(ratios: np.ndarray) -> np.ndarray:
    """The probabilities (…, classes) float64 that `packed_probabilities` was given; float32 would make near ones equal."""
    shares = np.exp(ratios.astype(np.float64))
    return shares / shares.sum(axis=-1, keepdims=True)


def read_run(folder: Path) -> Run:
    """The run recorded in `folder`. Raises UserError, in one line, when there is none or its record is not what it should be."""
    path = Path(folder) / "run.json"
    newer = ""
    try:
        record = parse(read_regular(path))
        version = record.get("schema", 1)
        if type(version) is int and version > SCHEMA:
            newer = f"; it was written by a newer version (schema {version}, this one knows {SCHEMA})"
        return _run(Path(folder), _migrated(record))
    except FileNotFoundError:
        raise UserError(f"{folder} is no run: it has no run.json") from None
    except ValueError as error:
        raise UserError(f"{path} is no run record: {reason_of(error)}{newer}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def _migrated(record):
    """A record of any older schema, as today's would have it."""
    # Schema 1 is that of the first 506 records; what they lack has a default. Until schema 2 an experiment was `frozen` or not.
    record = {"schema": 1} | record
    if isinstance(record.get("experiment"), dict):
        record["experiment"] = translated(record["experiment"])
    return record


def _run(folder, record):
    if "experiment" not in record:
        raise ValueError("it has no entry 'experiment'")
    checked(Experiment, record["experiment"], "experiment")
    known = {f.name for f in fields(Run)} - {"folder", "more"}
    run = checked(Run, {key: record[key] for key in record.keys() & known} | {"folder": str(folder)})
    run.experiment = completed(run.experiment)
    run.schema = max(run.schema, SCHEMA)
    run.more = {key: value for key, value in record.items() if key not in known}
    _check_agreement(run)
    return run


def _check_agreement(run):
    """Raise ValueError where entries that are right by themselves do not go together."""
    if len(set(run.dataset["classes"])) < len(run.dataset["classes"]):
        raise ValueError("two of its classes have the same name")
    if [e["epoch"] for e in run.epochs] != list(range(len(run.epochs))):
        raise ValueError("its epochs are not 0, 1, 2 … in order")
    if any(e["test_accuracy"] is None for e in run.epochs):
        raise ValueError("an epoch has no test accuracy")
    wanted = run.experiment["num_epochs"] + 1
    early = run.experiment["patience"] and 0 < len(run.epochs) < wanted
    if run.kept_epoch is not None and run.kept_epoch >= len(run.epochs):
        raise ValueError(f"it kept epoch {run.kept_epoch}, and has {len(run.epochs)} epochs recorded")
    if run.status == "finished" and len(run.epochs) != wanted and not early:
        raise ValueError(
            f"it is finished with {len(run.epochs)} epochs recorded, of {wanted} (the untrained one counts)"
        )


def read_runs(out: Path, name: str = "**") -> list[Run]:
    """All runs below `out`, or in those of its folders that the pattern `name` fits, in the order in which they were started.

    A line on standard error for each that cannot be read.
    """
    found = []
    for path in sorted(Path(out).glob(f"{name}/run.json")):
        try:
            found.append(read_run(path.parent))
        except UserError as error:
            print(f"hotdog: left out: {error}", file=sys.stderr)
    return sorted(found, key=lambda run: run.started)
