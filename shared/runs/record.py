"""Runs and their records: an experiment on one framework with one seed, and everything needed to repeat or compare it.

A run is a folder: `run.json` (what was done, on what, with what result), `test_probabilities.csv` (one row per test image),
`weights.safetensors` (canonical names) and `curves.png`. Files are written beside their place and then moved there; `run.json`
is renewed after every epoch, so a run that fails or is interrupted keeps what it had.
"""

import csv
import datetime
import importlib
import json
import math
import os
import platform
import sys
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import packages_distributions, version
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from shared.datasets import Dataset
from shared.devices import cpu_name, memory_mib, peak_memory_mib
from shared.errors import UserError, reason_of
from shared.experiments import Experiment, completed
from shared.sources import Source

FRAMEWORKS = ("gluon", "torch")
PACKAGES = ("mxnet", "torch", "torchvision", "numpy", "PIL")


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; epoch 0 is the network before any training.

    train_loss: mean cross-entropy over the epoch's batches (nats). Accuracies: shares in 0 to 1. seconds: wall time of the
    training half of the epoch, data loading included, evaluation not; images_per_second: over that time.
    """

    epoch: int
    train_loss: float | None = None
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    seconds: float | None = None
    images_per_second: float | None = None


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


def write_atomically(path: Path, write):
    """Call `write` with a temporary path beside `path`, then move the result there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(scratch)
        os.replace(scratch, path)
    except OSError as error:
        if error.filename is None:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from error  # and not the scratch file's name
    finally:
        scratch.unlink(missing_ok=True)


def package_versions() -> dict[str, str]:
    """Versions of Python and of what a run depends on, whatever the distribution is called (mxnet, mxnet-cu112 …)."""
    distributions = packages_distributions()
    found = {name: version(distributions[name][0]) if name in distributions else "missing" for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def implementation(framework: str, module: str):
    """The module `module` (data, nets, training) of a framework's implementation; imports the framework."""
    return importlib.import_module(f"{framework}_impl.{module}")


def target_net(framework: str, experiment: Experiment, source: Source, dataset: Dataset):
    """The network that `experiment` starts from, in `framework`; its randomness comes from the seed set before."""
    nets = implementation(framework, "nets")
    if experiment.start == "scratch":
        net = nets.scratch_net(source.architecture, len(dataset.classes))
    else:
        net = nets.finetune_net(source, len(dataset.classes))
    if experiment.row is not None:
        nets.reuse_row(net, source, source.row(experiment.row), dataset.hotdog_slot, experiment.other_row)
    if experiment.frozen:
        nets.freeze_features(net, experiment.lock_batch_norm)
    return net


def execute(
    framework: str,
    experiment: Experiment,
    dataset: Dataset,
    source: Source,
    seed: int,
    device: str,
    out: Path,
    workers: int = 0,
    watch=lambda batches: batches,
    on_epoch=lambda epoch: None,
    numbers_only: bool = False,
) -> Run:
    """Train and evaluate one run and record it in a new folder below `out`.

    watch: wraps the training batches (for a progress bar). on_epoch: called with each Epoch once it is recorded. numbers_only:
    write `run.json` and neither probabilities nor weights. When anything goes wrong the record keeps the epochs it had, with
    status `failed` or `interrupted`, and the error goes on.
    """
    data, training = implementation(framework, "data"), implementation(framework, "training")
    nets = implementation(framework, "nets")
    if experiment.size == 32 and (len(dataset.train) - 1) % experiment.batch_size == 0 and experiment.num_epochs:
        raise UserError(
            f"the last of {len(dataset.train)} training images would be a batch by itself, and at {experiment.size} pixels that "
            "leaves batch normalisation one value per channel: choose another --batch-size"
        )
    row = source.row(experiment.row) if experiment.row is not None else None
    where, reason = training.choose_device(device)
    training.seed_everything(seed)
    net = target_net(framework, experiment, source, dataset)
    run = Run(
        folder=new_folder(out, f"{dataset.name}-{experiment.name}-{framework}-seed{seed}"),
        experiment=experiment.as_dict(),
        framework=framework,
        seed=seed,
        dataset={
            "name": dataset.name,
            "classes": list(dataset.classes),
            "train": len(dataset.train),
            "test": len(dataset.test),
            "tested_on": dataset.test.folder.name,
            "fingerprint": dataset.fingerprint,
        },
        source={
            "name": source.name,
            "architecture": source.architecture.name,
            "fingerprint": source.fingerprint,
            "row": row,
            "row_label": None if row is None else source.label(row),
        },
        device={
            "used": str(where),
            "why": reason,
            "gpu": reason if "cpu" not in str(where) else None,
            "cpu": cpu_name(),
            "cores": len(os.sched_getaffinity(0)),
            "threads": int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0)))),
            "workers": workers,
        },
        versions=package_versions(),
        memory={"before_mib": memory_mib()},
        started=_now(),
    )
    run.save()

    def record(epoch):
        run.epochs.append(
            {key: _finite(value) for key, value in asdict(epoch).items()}  # a diverged loss is null
        )
        run.save()
        on_epoch(epoch)

    try:
        size, batch_size = experiment.size, experiment.batch_size
        test_batches = data.test_iter(dataset.test, size, batch_size, workers)
        training.train_fine_tuning(
            net,
            watch(data.train_iter(dataset.train, size, batch_size, workers)),
            test_batches,
            experiment.learning_rate,
            experiment.head_lr_mult,
            experiment.weight_decay,
            experiment.num_epochs,
            where,
            record,
        )
        if not numbers_only:
            probabilities, labels = training.predict_probabilities(net, test_batches, where)
            write_probabilities(
                run.folder / "test_probabilities.csv", dataset.classes, dataset.test.names, labels, probabilities
            )
            tensors = nets.get_tensors(net)
            write_atomically(run.folder / "weights.safetensors", lambda path: save_file(tensors, path))
        run.memory["peak_mib"] = peak_memory_mib()
        run.status = "finished"
    except BaseException as error:
        run.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        run.error = f"{type(error).__name__}: {reason_of(error)}"
        raise
    finally:
        run.finished = _now()
        run.save()
    return run


def _finite(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def new_folder(out: Path, stem: str) -> Path:
    """Make and return the first folder `stem`-1, `stem`-2, … below `out` that is not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = out / f"{stem}-{number}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


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


def trained_net(run: Run):
    """The network a finished run ended with, in its own framework. Raises UserError when its weights are not there."""
    from shared.sources import recognise

    file = run.folder / "weights.safetensors"
    if not file.is_file():
        raise UserError(f"{run.folder} has no weights.safetensors: only a finished run can be used")
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {file}: {reason_of(error)}") from None
    if not all(np.isfinite(t).all() for t in tensors.values()):
        raise UserError(f"{file} holds numbers that are not finite: the training of this run diverged")
    nets = implementation(run.framework, "nets")
    architecture = recognise(tensors, str(file))
    net = nets.scratch_net(architecture, architecture.classes)
    nets.set_tensors(net, tensors)
    return net
