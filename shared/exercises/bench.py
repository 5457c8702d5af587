"""Where an exercise is carried out: what trains and measures, and the records that are there already.

An exercise is done by a `Bench`, which hands it runs and measurements: new ones (`hotdog exercise`), or recorded ones (chapter.md
quotes those). What is recorded is not trained again, so an interrupted exercise goes on where it was.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shared import experiments
from shared.errors import UserError, reason_of
from shared.exercises import spoiled
from shared.exercises.measurements import measured_with
from shared.experiments import Experiment
from shared.images.draws import OWN, SHARED
from shared.runs.execute import execute
from shared.runs.find import COMPLETE
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.job import Job
from shared.runs.record import Run, read_runs
from shared.runs.tables import plural


@dataclass
class Bench:
    """Where an exercise is carried out: its folder, its settings, and what trains and measures when something is not there.

    preset: one of PRESETS. changes: what it changes in the chapter's experiments; as it was when the exercise was done, for presets
    move on and records stay. overrides: fields of every Experiment (size, batch size …). epochs: instead of the exercise's own
    number. launch(tasks, holdout, measured) trains {framework: [(Experiment, seed)]}, and inspect(name, frameworks) measures;
    without them only records are read. fingerprints: of the images ("data", "held out" where some of the training images are) and
    of the "source" network, which records must have. chance: accuracy of always answering the most frequent class. images: how
    many there are to train on. draws: of all runs, `shared` or `own`.
    """

    folder: Path
    preset: str
    seeds: list[int]
    frameworks: list[str] = field(default_factory=lambda: list(FRAMEWORKS))
    overrides: dict = field(default_factory=dict)
    epochs: int | None = None
    chance: float = 0.5
    images: int = 0
    draws: str = SHARED
    fingerprints: dict = field(default_factory=dict)
    launch: Callable | None = None
    inspect: Callable | None = None
    changes: dict | None = None

    def __post_init__(self):
        if self.changes is None:
            self.changes = experiments.PRESETS[self.preset]

    def experiment(self, name: str, **fields) -> Experiment:
        """The experiment `name` with the bench's changes and overrides."""
        return experiments.experiment(name, **self.changes.get(name, {}) | self.overrides | fields)

    def train(
        self, arms: list[Experiment], holdout=0.0, seeds=None, measured=None, only=None
    ) -> dict[Experiment, dict[str, list[Run]]]:
        """{arm: {framework: its runs, one a seed}}: runs that are recorded, the others trained now.

        Arms are what the exercise compares. With shared draws, runs of two arms that have the same seed are a pair: they start
        with the same output layer and see the same images in the same order and views. measured: what is measured of every
        network once it is trained, one of MEASURED; a run without it is trained again, for it kept no weights. only: {arm: the
        framework} that trains it alone.
        Raises UserError when some runs are still missing.
        """
        seeds = self.seeds if seeds is None else seeds
        of = {arm: [only[arm]] if only else self.frameworks for arm in arms}
        # every arm once, a whole seed before the next
        wanted = list(dict.fromkeys((arm, f, seed) for seed in seeds for arm in arms for f in of[arm]))
        runs = self._recorded(holdout, measured)
        missing = [key for key in wanted if key not in runs]
        if missing and self.launch:
            tasks = {f: [(arm, seed) for arm, g, seed in missing if g == f] for f in self.frameworks}
            self.launch({f: tasks[f] for f in tasks if tasks[f]}, holdout, measured)
            runs = self._recorded(holdout, measured)
            missing = [key for key in wanted if key not in runs]
        if missing:
            arm, f, seed = missing[0]
            raise UserError(
                f"{self.folder}: {len(missing)} of {len(wanted)} runs are missing, first {arm.name} (lr {arm.learning_rate:g}) "
                f"in {f}, seed {seed}: do the exercise again, it goes on from here"
            )
        return {arm: {f: [runs[arm, f, seed] for seed in seeds] for f in of[arm]} for arm in arms}

    def names(self, wanted: list[str]) -> list[str]:
        """Those of the experiments `wanted` that can be had: all where runs can be made, else those that are recorded."""
        there = {run.experiment["name"] for run in read_runs(self.folder)} if self.launch is None else wanted
        return [name for name in wanted if name in there]

    def _recorded(self, holdout, measured):
        images = self.fingerprints["held out" if holdout else "data"]
        return {
            (Experiment(**run.experiment), run.framework, run.seed): run
            for run in read_runs(self.folder)
            if run.status in COMPLETE
            and run.draws == self.draws
            and run.dataset["fingerprint"] == images
            and run.source["fingerprint"] == self.fingerprints["source"]
            and (measured is None or MEASURED[measured].recorded(run))
        }

    def measurement(self, name: str) -> dict[str, dict]:
        """{framework: what its features gave} of the measurement `name`, one of MEASUREMENTS: recorded, or measured now."""
        records = self._measured(name)
        missing = [f for f in self.frameworks if f not in records]
        if missing and self.inspect:
            self.inspect(name, missing)
            records = self._measured(name)
        for f in self.frameworks:
            if f not in records:
                raise UserError(f"{self.folder} has no {name}-{f}.json that fits: do the exercise again")
        return records

    def _measured(self, name):
        arm = self.experiment("finetune")
        images, source = self.fingerprints["data"], self.fingerprints["source"]
        settings = measured_with(name, images, source, arm.size, arm.batch_size, self.draws)
        records = {}
        for f in self.frameworks:
            try:
                record = json.loads((self.folder / f"{name}-{f}.json").read_text(encoding="utf-8"))
                if record["settings"] == settings:
                    records[f] = record
            except (FileNotFoundError, ValueError, KeyError):
                pass  # measured anew
        return records


SETTINGS = (
    "preset",
    "changes",
    "seeds",
    "frameworks",
    "overrides",
    "epochs",
    "chance",
    "images",
    "draws",
    "fingerprints",
)
# What the presets were when records did not say.
EARLIER = {
    "resnet18_v1": {
        "finetune": {"learning_rate": 0.003},
        "frozen": {"learning_rate": 0.001},
        "hotdog-row": {"learning_rate": 0.003},
    }
}


def recorded(folder: Path) -> Bench:
    """The bench of the exercise whose records lie in `folder`. Raises UserError when there is none."""
    try:
        settings = json.loads((folder / "exercise.json").read_text(encoding="utf-8"))
        # the first records did not say
        unsaid = {"draws": OWN, "images": settings.get("train", 0), "changes": EARLIER.get(settings["preset"])}
        settings = unsaid | settings
        return Bench(folder, **{name: settings[name] for name in SETTINGS})
    except FileNotFoundError:
        raise UserError(f"{folder} holds no exercise: it has no exercise.json") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / 'exercise.json'} is damaged ({reason_of(error)}): do the exercise again") from None


# What can be measured of a trained network: modules with `measure` and `recorded`.
MEASURED = {"spoiled": spoiled}


def train_runs(jobs: list[Job], say, measured: str | None = None):
    """Carry out jobs on the same images and source network, in this process; say a line for each.

    measured: also what to measure of each trained network, one of MEASURED.
    """
    dataset, network = jobs[0].load()

    def on_end(run, net, device):
        if measured:
            MEASURED[measured].measure(run, net, dataset, device)

    for number, job in enumerate(jobs, 1):
        run = execute(job, dataset, network, on_end=on_end)
        say(f"{number:3d}/{len(jobs)} {job.framework:5s} {_said(job.experiment)}, seed {job.seed}: {_course(run)}")


def _said(arm):
    """An arm in words."""
    row = "" if arm.row is None else f", row {arm.row}, others {arm.other_row}"
    locked = ", batch normalisation locked" if arm.lock_batch_norm else ""
    return f"{arm.name}, lr {arm.learning_rate:g} × {arm.head_lr_mult:g}{row}{locked}"


def _course(run):
    first, last = run.epochs[0]["test_accuracy"], run.test_accuracy
    return f"{first:.3f} → {last:.3f} in {plural(run.epochs[-1]['epoch'], 'epoch')}"


# --- what runs gave, a value a seed ---


def accuracies(runs: list[Run], epoch: int = -1) -> list[float]:
    """Test accuracy of every run after `epoch`."""
    return [run.epochs[epoch]["test_accuracy"] for run in runs]


def losses(runs: list[Run]) -> list[float]:
    """Mean training loss of every run's last epoch (nats), infinite where it was no number."""
    return [math.inf if run.epochs[-1]["train_loss"] is None else run.epochs[-1]["train_loss"] for run in runs]
