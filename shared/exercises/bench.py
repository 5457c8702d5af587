"""The chapter's four exercises: each trains what it needs, and makes tables, a picture and an answer of what came out.

An exercise is a plain function of a `Bench`, which hands it runs and measurements: new ones (`hotdog exercise`), or recorded
ones (chapter.md quotes those). The answers are sentences around numbers; which sentence is written depends on the numbers.
"""

import json
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy import stats

from shared import experiments
from shared.errors import UserError
from shared.exercises.measurements import measured_with
from shared.experiments import Experiment
from shared.files import new_folder, write_atomically
from shared.runs.execute import execute
from shared.runs.figures import HATCHES, save_figure
from shared.runs.find import COMPLETE
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.job import Job
from shared.runs.record import Run, read_runs
from shared.runs.tables import markdown_table, mean, show


@dataclass
class Report:
    """What an exercise found. tables: (caption, header, rows). answer: sentences. draw: draws on a matplotlib figure."""

    title: str
    tables: list[tuple[str, list[str], list[list[str]]]]
    answer: list[str]
    draw: Callable

    def tables_in_markdown(self) -> str:
        """The tables, each below its caption."""
        return "\n\n".join(f"{caption}\n\n{markdown_table(header, rows)}" for caption, header, rows in self.tables)

    def markdown(self) -> str:
        """The tables and the answer."""
        return self.tables_in_markdown() + "\n\n" + "\n".join(f"- {sentence}" for sentence in self.answer)

    def save_picture(self, path: Path) -> Path:
        """Write the picture as a PNG. Returns `path`."""
        figure = Figure(figsize=(8, 4), layout="constrained")
        self.draw(figure)
        save_figure(figure, path)
        return path


@dataclass
class Bench:
    """Where an exercise is carried out: its folder, its settings, and what trains and measures when something is not there.

    overrides: fields of every Experiment (size, batch size …). epochs: instead of the exercise's own number. launch(tasks, holdout)
    trains {framework: [(Experiment, seed)]}, and inspect(name, frameworks) measures; without them only records are read.
    fingerprints: of the images ("data", "held out" where some of the training images are) and of the "source" network, which
    records must have. chance: accuracy of always answering the most frequent class.
    """

    folder: Path
    preset: str
    seeds: list[int]
    frameworks: list[str] = field(default_factory=lambda: list(FRAMEWORKS))
    overrides: dict = field(default_factory=dict)
    epochs: int | None = None
    chance: float = 0.5
    draws: str = "own"
    fingerprints: dict = field(default_factory=dict)
    launch: Callable | None = None
    inspect: Callable | None = None

    def experiment(self, name: str, **fields) -> Experiment:
        """The experiment `name` under the bench's preset and overrides."""
        return experiments.experiment(name, self.preset, **self.overrides | fields)

    def train(self, wanted: list[Experiment], holdout=0.0, seeds=None) -> list[dict[str, list[Run]]]:
        """{framework: its runs, one per seed} of every wanted experiment: recorded ones, the others trained now.

        Raises UserError when some are still missing.
        """
        seeds = self.seeds if seeds is None else seeds
        # every experiment once, a whole seed before the next
        keys = list(dict.fromkeys((e, f, seed) for seed in seeds for e in wanted for f in self.frameworks))
        have = self._recorded(holdout)
        missing = [key for key in keys if key not in have]
        if missing and self.launch:
            tasks = {f: [(e, seed) for e, g, seed in missing if g == f] for f in self.frameworks}
            self.launch({f: some for f, some in tasks.items() if some}, holdout)
            have = self._recorded(holdout)
            missing = [key for key in keys if key not in have]
        if missing:
            e, f, seed = missing[0]
            raise UserError(
                f"{self.folder}: {len(missing)} of {len(keys)} runs are missing, first {e.name} (lr {e.learning_rate:g}) "
                f"in {f}, seed {seed}: do the exercise again, it goes on from here"
            )
        return [{f: [have[e, f, seed] for seed in seeds] for f in self.frameworks} for e in wanted]

    def _recorded(self, holdout):
        wanted = self.fingerprints["held out" if holdout else "data"], self.fingerprints["source"]
        found = {}
        for run in read_runs(self.folder):
            if (
                run.status in COMPLETE
                and run.draws == self.draws
                and (run.dataset["fingerprint"], run.source["fingerprint"]) == wanted
            ):
                found[Experiment(**run.experiment), run.framework, run.seed] = run
        return found

    def measure(self, name: str) -> dict[str, dict]:
        """{framework: what its features gave} of the measurement `name`, one of MEASUREMENTS."""

        def read():
            found = {}
            for f in self.frameworks:
                try:
                    record = json.loads((self.folder / f"{name}-{f}.json").read_text(encoding="utf-8"))
                    if record["settings"] == self._settings(name):
                        found[f] = record
                except (FileNotFoundError, ValueError, KeyError):
                    pass  # measured anew
            return found

        found = read()
        missing = [f for f in self.frameworks if f not in found]
        if missing and self.inspect:
            self.inspect(name, missing)
            found = read()
        for f in self.frameworks:
            if f not in found:
                raise UserError(f"{self.folder} has no {name}-{f}.json that fits: do the exercise again")
        return found

    def _settings(self, name):
        some = self.experiment("finetune")
        return measured_with(name, self.fingerprints["data"], self.fingerprints["source"], some.size, some.batch_size)


SETTINGS = ("preset", "seeds", "frameworks", "overrides", "epochs", "chance", "draws", "fingerprints")


def recorded(folder: Path) -> Bench:
    """The bench of the exercise whose records lie in `folder`. Raises UserError when there is none."""
    try:
        about = json.loads((folder / "exercise.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} holds no exercise: it has no exercise.json") from None
    about = {"draws": "own"} | about  # the first records did not say
    return Bench(folder, **{name: about[name] for name in SETTINGS})


def write(bench: Bench, report: Report, about: dict):
    """Keep what `recorded` needs, with `about` what was asked for, and the report as `answer.md`.

    An answer that other settings gave is moved to `earlier-1`, `earlier-2` …, its picture with it.
    """
    settings = about | {name: getattr(bench, name) for name in SETTINGS}
    settings = json.loads(json.dumps(settings))
    if (bench.folder / "exercise.json").is_file() and _settings_in(bench.folder) != settings:
        earlier = new_folder(bench.folder, "earlier")
        for name in ("exercise.json", "answer.md", "picture.png"):
            if (bench.folder / name).is_file():
                (bench.folder / name).rename(earlier / name)
    for file, text in (
        ("exercise.json", json.dumps(settings, indent=1)),
        ("answer.md", f"# {report.title}\n\n{report.markdown()}"),
    ):
        write_atomically(bench.folder / file, lambda path, text=text: path.write_text(text + "\n", encoding="utf-8"))


def _settings_in(folder):
    try:
        return json.loads((folder / "exercise.json").read_text(encoding="utf-8"))
    except ValueError:
        return None


def train_runs(jobs: list[Job], say):
    """Carry out jobs on the same images and source network, in this process; say a line for each."""
    dataset, network = jobs[0].load()
    for number, job in enumerate(jobs, 1):
        run, experiment = execute(job, dataset, network), job.experiment
        row = "" if experiment.row is None else f", row {experiment.row}, others {experiment.other_row}"
        locked = ", batch normalisation locked" if experiment.lock_batch_norm else ""
        say(
            f"{number:3d}/{len(jobs)} {job.framework:5s} {experiment.name}, lr {experiment.learning_rate:g} × "
            f"{experiment.head_lr_mult:g}{row}{locked}, seed {job.seed}: {run.epochs[0]['test_accuracy']:.3f} → "
            f"{run.test_accuracy:.3f} in {experiment.num_epochs} epoch{'s' * (experiment.num_epochs != 1)}"
        )


def half_interval(values: list[float]) -> float | None:
    """Half the width of the 95 % confidence interval (Student's t) of the mean of `values`; None for fewer than two."""
    if len(values) < 2:
        return None
    return float(stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values)))


def spread(values: list[float], form: str = ".3f") -> str:
    """Mean ± half the 95 % interval."""
    half = half_interval(values)
    return show(mean(values), form) + ("" if half is None else f" ± {half:{form}}")


def accuracies(found: list[Run], epoch: int = -1) -> list[float]:
    """Test accuracies of runs after `epoch`."""
    return [run.epochs[epoch]["test_accuracy"] for run in found]


def losses(found: list[Run]) -> list[float]:
    """Mean training loss of the last epoch of runs, infinite where it was no number."""
    return [math.inf if run.epochs[-1]["train_loss"] is None else run.epochs[-1]["train_loss"] for run in found]


def each(frameworks: list[str], value: Callable) -> str:
    """`value` of every framework in words: "0.85 in Gluon and 0.86 in PyTorch"."""
    return " and ".join(f"{value(f)} in {NAMES[f]}" for f in frameworks)


def one_digit(value: float) -> float:
    """`value` rounded to one digit: 0.00333 -> 0.003."""
    return float(f"{value:.0e}")


def epochs_of(experiment: Experiment) -> str:
    """How long it trains, for a caption."""
    return f"{experiment.num_epochs} epoch{'s' * (experiment.num_epochs != 1)}"


def intervals(seeds: list[int]) -> str:
    """What ± means, for a caption."""
    return f"mean ± half the 95 % interval over {len(seeds)} seeds" if len(seeds) > 1 else "one seed"


def listed(rates: list[float]) -> str:
    """Rates in words: "0.01, 0.03 and 0.1"."""
    texts = [f"{rate:g}" for rate in rates]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def at_the_end(chosen: Experiment, tried: list[Experiment]) -> str:
    """Which end of the rates tried a chosen one is: beyond it there may be a better one. Empty for one in between."""
    rates = [e.learning_rate for e in tried]
    ends = {min(rates): "the lowest rate tried", max(rates): "the highest rate tried"}
    return ends.get(chosen.learning_rate, "")


def mark(panel, height, what):
    """A dotted line across the panel, and its name at the left end."""
    panel.axhline(height, color="black", linewidth=0.8, linestyle=":")
    panel.annotate(what, (0.01, height), (2, 2), ("axes fraction", "data"), "offset points", fontsize=8)


def paired_differences(a, b):
    """Test accuracies of runs `a` less those of `b`, seed by seed."""
    return [x - y for x, y in zip(accuracies(a), accuracies(b), strict=True)]


def sign(values):
    """1 or -1 where the 95 % interval of the mean of `values` lies above or below zero, else 0; one value decides nothing."""
    half = half_interval(values)
    return 0 if half is None or abs(mean(values)) <= half else 1 if mean(values) > 0 else -1


def points(values: list[float]) -> str:
    """Differences of accuracies in points: mean ± half the 95 % interval."""
    half = half_interval(values)
    return f"{100 * mean(values):.1f}" + ("" if half is None else f" ± {100 * half:.1f}")


def framework_patches(frameworks):
    return [Patch(facecolor="#7f7f7f", edgecolor="white", hatch=HATCHES[f], label=NAMES[f]) for f in frameworks]
