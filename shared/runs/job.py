"""A job: an experiment on one framework with one seed, on given images and source network. Carried out, it is a run."""

import math
from dataclasses import dataclass
from pathlib import Path

from shared.device import PRECISIONS
from shared.errors import UserError
from shared.experiments import Experiment
from shared.images.cache import CACHE_MIB
from shared.images.draws import DRAWS, SHARED
from shared.images.folders import load_dataset
from shared.images.splits import Dataset
from shared.networks.reading import load_source
from shared.networks.source import Source
from shared.parts import check_parts, check_shared
from shared.runs.events import check_log


@dataclass(frozen=True)
class Job:
    """What the command builds, what a process is given, what is carried out.

    data, source: as on the command line. draws: `shared` streams or each framework's `own` generators. limit, holdout, split: as
    `load_dataset` takes them. numbers_only: keep neither weights nor probabilities. keep_going: train on where the loss explodes.
    cache_mib: main memory for decoded images and test batches; changes no number. log: `tensorboard` or None, shared.runs.events.
    cache_mib: main memory for decoded images and test batches; changes no number.
    precision: what the network computes in, one of PRECISIONS; anything but fp32 is PyTorch's alone.
    devices: how many share every batch, see shared.parts. resume: go on with an unfinished run of the same job where there is one.
    """

    experiment: Experiment
    framework: str
    seed: int
    data: str
    source: str
    draws: str = SHARED
    limit: int | None = None
    holdout: float = 0.0
    split: float | None = None
    device: str = "auto"
    workers: int = 0
    cache_mib: int = CACHE_MIB
    out: Path = Path("runs")
    numbers_only: bool = False
    keep_going: bool = False
    devices: int = 1
    log: str | None = None
    precision: str = PRECISIONS[0]
    resume: bool = False

    def __post_init__(self):
        if self.draws not in DRAWS:
            raise UserError(f"draws is {self.draws!r}: choose from {', '.join(DRAWS)}")
        if self.precision not in PRECISIONS:
            raise UserError(f"precision is {self.precision!r}: choose from {', '.join(PRECISIONS)}")

    def load(self, progress=None) -> tuple[Dataset, Source]:
        """The job's images and source network."""
        return load_dataset(self.data, self.limit, self.holdout, self.split, progress), load_source(self.source)

    def check(self, dataset: Dataset, source: Source):
        """Raise UserError for what can be refused before anything is trained."""
        e = self.experiment
        if self.log:
            check_log()
        if (e.keep_best or e.patience) and not self.holdout:
            raise UserError(
                "--keep-best and --patience choose an epoch by images that are held out, never by test images: give --holdout too"
            )
        if (e.mixing != "none" or e.augmentation != "plain") and self.draws != SHARED:
            raise UserError(f"{e.name}: images are mixed and augmented by shared draws only; leave out --draws own")
        if e.row is not None:
            source.row(e.row)
            _ = dataset.hotdog_slot  # refuses where there is no such class
        if e.size == 32 and (len(dataset.train) - 1) % e.batch_size == 0 and e.num_epochs:
            raise UserError(
                f"the last of {len(dataset.train)} training images would be a batch by itself, and at {e.size} pixels that "
                "leaves batch normalisation one value per channel: choose another --batch-size"
            )
        if self.precision != "fp32" and self.framework == "gluon":
            raise UserError(
                f"--precision {self.precision}: Gluon computes in fp32 only (MXNet 1.9.1 has no switch for TF32, and its AMP "
                "changes nothing where NumPy semantics are on): add --framework torch"
            )
        if self.devices > 1:
            if self.precision != "fp32":
                raise UserError(f"--precision {self.precision} goes with one device: leave out --devices")
            check_shared(e)
            check_parts(self.devices, len(dataset.train), e.batch_size, e.size, len(dataset.test))

    def identity(self, dataset: Dataset, source: Source) -> dict:
        """What makes two jobs the same: experiment (its row as a number), framework, seed, draws, images, source network."""
        experiment = self.experiment.as_dict()
        if self.experiment.row is not None:
            experiment["row"] = source.row(self.experiment.row)
        return {
            **experiment,
            "framework": self.framework,
            "seed": self.seed,
            "draws": self.draws,
            "devices": self.devices,
            "precision": self.precision,
            "images": dataset.fingerprint,
            "source network": source.fingerprint,
        }


def identity_of(run) -> dict:
    """What `Job.identity` gave for the job whose record `run` is."""
    return {
        **run.experiment,
        "row": run.source["row"],
        "framework": run.framework,
        "seed": run.seed,
        "draws": run.draws,
        "devices": run.device.get("devices", 1),
        "precision": run.device.get("precision", "fp32"),
        "images": run.dataset["fingerprint"],
        "source network": run.source["fingerprint"],
    }


def first_difference(one: dict, other: dict) -> str | None:
    """The first entry in which two identities differ, in words; None where they are the same."""
    for name in one:
        if one[name] != other.get(name):
            return f"{name.replace('_', ' ')} {other.get(name)} then, {one[name]} now"
    return None


# A loss this many times that of guessing (the logarithm of the number of classes) at an epoch's end no longer comes back.
EXPLODED = 100


def exploded(train_loss: float | None, classes: int) -> bool:
    """Whether a mean training loss says that training has diverged: no finite number, or EXPLODED times that of guessing."""
    return train_loss is not None and not train_loss <= EXPLODED * math.log(classes)
