"""The chapter's four exercises: each trains what it needs, and makes tables, a picture and an answer of what came out.

An exercise is a plain function of a `Bench`, which hands it runs and measurements: new ones (`hotdog exercise`), or recorded
ones (chapter.md quotes those). The answers are sentences around numbers; which sentence is written depends on the numbers.
"""

import json
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy import stats

from shared import datasets, experiments, runs, sources
from shared.errors import UserError
from shared.experiments import WRONG_ROW, Experiment
from shared.plots import COLOURS, LINES, save_figure
from shared.report import NAMES, markdown_table, mean, show
from shared.runs import FRAMEWORKS, Run
from shared.sources import HOTDOG


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
        for run in runs.read_runs(self.folder):
            if run.status == "finished" and (run.dataset["fingerprint"], run.source["fingerprint"]) == wanted:
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


SETTINGS = ("preset", "seeds", "frameworks", "overrides", "epochs", "chance", "fingerprints")


def recorded(folder: Path) -> Bench:
    """The bench of the exercise whose records lie in `folder`. Raises UserError when there is none."""
    try:
        about = json.loads((folder / "exercise.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} holds no exercise: it has no exercise.json") from None
    return Bench(folder, **{name: about[name] for name in SETTINGS})


def write(bench: Bench, report: Report, about: dict):
    """Keep what `recorded` needs, with `about` what was asked for, and the report as `answer.md`.

    An answer that other settings gave is moved to `earlier-1`, `earlier-2` …, its picture with it.
    """
    settings = about | {name: getattr(bench, name) for name in SETTINGS}
    settings = json.loads(json.dumps(settings))
    if (bench.folder / "exercise.json").is_file() and _settings_in(bench.folder) != settings:
        earlier = runs.new_folder(bench.folder, "earlier")
        for name in ("exercise.json", "answer.md", "picture.png"):
            if (bench.folder / name).is_file():
                (bench.folder / name).rename(earlier / name)
    for file, text in (
        ("exercise.json", json.dumps(settings, indent=1)),
        ("answer.md", f"# {report.title}\n\n{report.markdown()}"),
    ):
        runs.write_atomically(
            bench.folder / file, lambda path, text=text: path.write_text(text + "\n", encoding="utf-8")
        )


def _settings_in(folder):
    try:
        return json.loads((folder / "exercise.json").read_text(encoding="utf-8"))
    except ValueError:
        return None


def train_runs(framework, tasks, data, source, limit, holdout, device, workers, out, say):
    """Train and record every (experiment, seed) of `tasks[framework]`, in this process; say a line for each."""
    dataset, network = datasets.load_dataset(data, limit, holdout), sources.load_source(source)
    for number, (experiment, seed) in enumerate(tasks[framework], 1):
        run = runs.execute(framework, experiment, dataset, network, seed, device, out, workers, numbers_only=True)
        row = "" if experiment.row is None else f", row {experiment.row}, others {experiment.other_row}"
        locked = ", batch normalisation locked" if experiment.lock_batch_norm else ""
        say(
            f"{number:3d}/{len(tasks[framework])} {framework:5s} {experiment.name}, lr {experiment.learning_rate:g} × "
            f"{experiment.head_lr_mult:g}{row}{locked}, seed {seed}: {run.epochs[0]['test_accuracy']:.3f} → "
            f"{run.test_accuracy:.3f} in {experiment.num_epochs} epoch{'s' * (experiment.num_epochs != 1)}"
        )


# --- what features are worth before any training ---


def measure_features(framework, name, data, source, limit, size, batch_size, device, workers, out):
    """Measure `name` (one of MEASUREMENTS) in `framework`, in this process, and write it to `out`/`name`-`framework`.json."""
    dataset, network = datasets.load_dataset(data, limit), sources.load_source(source)
    parts = {part: runs.implementation(framework, part) for part in ("data", "nets", "training")}
    where, _ = parts["training"].choose_device(device)
    parts["training"].seed_everything(0)
    net = parts["nets"].pretrained_net(network)

    def features_of(split, training=False):
        batches = parts["data"].train_iter if training else parts["data"].test_iter
        batches = batches(split, size, batch_size, workers)
        return parts["training"].predict_features(net, batches, where, training)

    record = MEASUREMENTS[name](features_of, dataset, network)
    record["settings"] = measured_with(name, dataset.fingerprint, network.fingerprint, size, batch_size)
    record |= {"device": str(where), "versions": runs.package_versions()}
    text = json.dumps(record, indent=None if name == "rows" else 1)
    runs.write_atomically(out / f"{name}-{framework}.json", lambda file: file.write_text(text + "\n", encoding="utf-8"))


def measured_with(name, data, source, size, batch_size) -> dict:
    """What a measurement depends on: fingerprints, the side of the crops, and for features in train mode the batch."""
    settings = {"data": data, "source": source, "size": size}
    return settings | {"batch_size": batch_size} if name == "limit" else settings


def check_rows(source, dataset):
    """Raise UserError where exercise 4 has nothing to compare: without both rows, a third, and two classes of images."""
    try:
        _ = source.row(HOTDOG), source.row(WRONG_ROW), dataset.hotdog_slot
    except UserError as error:
        raise UserError(
            f"exercise 4 needs output rows labelled {HOTDOG} and {WRONG_ROW}, and a class {HOTDOG}: {error}"
        ) from None
    if source.architecture.classes < 3 or len(dataset.classes) != 2:
        raise UserError(
            f"exercise 4 compares rows for two classes of images; {source.name} has {source.architecture.classes} rows "
            f"(at least 3 are needed), {dataset.name} has {len(dataset.classes)} classes"
        )


def stability_limit(features_of, dataset, source) -> dict:
    """Up to which rate the output layer cannot overshoot, on the features that the first epoch of fine-tuning would give it.

    Those are of random views, normalised by the batch: training never sees the running statistics. The Hessian of the mean
    cross-entropy over the output layer's weights and biases is at most half the second moment of the features (with a 1 appended
    for the bias); for two classes it is that where both have probability one half. Gradient descent on a quadratic diverges
    above 2 / (largest eigenvalue), hence above 4 / (largest eigenvalue of the second moment).
    """
    features, _ = features_of(dataset.train, training=True)
    extended = np.column_stack([features.astype(np.float64), np.ones(len(features))])
    largest = float(np.linalg.eigvalsh(extended.T @ extended / len(extended))[-1])
    return {
        "images": len(features),
        "mean_norm": float(np.linalg.norm(features, axis=1).mean()),
        "largest_eigenvalue": largest,
        "limit": 4 / largest,
    }


def row_scores(features_of, dataset, source) -> dict:
    """What every row of the source's output layer says of the test images, as a detector of hot dogs, before any training.

    A row's score is its logit less the mean logit of all other rows. rows: per row its label, AUC, and accuracy of
    "score above 0"; fills: the same for the hot dog row against other stand-ins for the other class; scores: of the images.
    """
    features, labels = features_of(dataset.test)
    features, is_hotdog = features.astype(np.float64), labels == dataset.hotdog_slot
    weight, bias = (source.tensors[f"output.{leaf}"].astype(np.float64) for leaf in ("weight", "bias"))
    logits = features @ weight.T + bias
    count = logits.shape[1]
    above = (logits * count - logits.sum(axis=1, keepdims=True)) / (count - 1)
    hotdog, wrong = source.row(HOTDOG), source.row(WRONG_ROW)
    fills = {}
    for fill in ("mean", "nearest", "zero"):
        new = {"output.weight": np.zeros((2, weight.shape[1])), "output.bias": np.zeros(2)}
        layer = sources.reused_output(source, hotdog, 0, new, fill)
        pair = features @ layer["output.weight"].T + layer["output.bias"]
        fills[fill] = _detector(pair[:, 0] - pair[:, 1], is_hotdog)
    return {
        "images": len(labels),
        "hotdog": hotdog,
        "wrong": wrong,
        "rows": [{"label": source.label(i)} | _detector(above[:, i], is_hotdog) for i in range(count)],
        "fills": fills,
        "scores": {
            source.label(row): {
                name: [round(float(score), 3) for score in above[chosen, row]]
                for name, chosen in (("hotdog", is_hotdog), ("other", ~is_hotdog))
            }
            for row in (hotdog, wrong)
        },
    }


def _detector(scores, is_hotdog):
    yes, no = scores[is_hotdog], scores[~is_hotdog]
    area = stats.mannwhitneyu(yes, no).statistic / (len(yes) * len(no))
    return {"auc": float(area), "accuracy": float(((scores > 0) == is_hotdog).mean())}


MEASUREMENTS = {"limit": stability_limit, "rows": row_scores}


# --- numbers of several seeds ---


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


# --- 1: keep raising the learning rate ---


def learning_rate(bench: Bench) -> Report:
    """Exercise 1: what becomes of fine-tuning when its learning rate goes up and up, and which layer breaks first?"""
    base = replace(bench.experiment("finetune"), num_epochs=bench.epochs or 2)
    rates = [one_digit(base.learning_rate * factor) for factor in (1 / 10, 1 / 3, 1, 10 / 3, 10, 100 / 3, 100)]
    tenfold = [replace(base, learning_rate=rate) for rate in rates]
    same = [replace(e, head_lr_mult=1.0) for e in tenfold]
    found = dict(zip([*tenfold, *same], bench.train([*tenfold, *same]), strict=True))
    limit = {f: record["limit"] for f, record in bench.measure("limit").items()}

    def accuracy(e, f):
        return mean(accuracies(found[e][f]))

    best = {f: max(found, key=lambda e, f=f: accuracy(e, f)) for f in bench.frameworks}

    def broke(e, f):
        return accuracy(e, f) < (accuracy(best[f], f) + bench.chance) / 2

    def rows(sweep):
        return [
            [f"{e.learning_rate:g}", f"{e.learning_rate * e.head_lr_mult:g}"]
            + [
                text
                for f in bench.frameworks
                for text in (
                    spread(accuracies(found[e][f])) + ", broke" * broke(e, f),
                    f"{mean(losses(found[e][f])):.3g}",
                )
            ]
            for e in sweep
        ]

    header = ["lr of the features", "lr of the output layer"]
    header += [f"{NAMES[f]} {what}" for f in bench.frameworks for what in ("test accuracy", "training loss")]
    many = f"{base.head_lr_mult:g} times"
    gaps = {
        (ten, f): paired_differences(found[ten][f], found[one][f])
        for ten, one in zip(tenfold, same, strict=True)
        for f in bench.frameworks
    }
    kinds = {1: "better", 0: "undecided", -1: "worse"}
    tables = [
        (
            f"The output layer at {many} the features' rate ({epochs_of(base)}, {intervals(bench.seeds)}; broke: nearer "
            "to chance than to the best).",
            header,
            rows(tenfold),
        ),
        ("The output layer at the features' own rate.", header, rows(same)),
        (
            f"What {many} the rate at the output layer adds to the test accuracy, in points.",
            ["lr of the features", *(NAMES[f] for f in bench.frameworks)],
            [
                [
                    f"{e.learning_rate:g}",
                    *(f"{points(gaps[e, f])}, {kinds[sign(gaps[e, f])]}" for f in bench.frameworks),
                ]
                for e in tenfold
            ],
        ),
    ]

    def top(sweep, f):
        e = max(sweep, key=lambda e: accuracy(e, f))
        even = sum(sign(paired_differences(found[e][f], found[o][f])) == 0 for o in sweep if o is not e)
        notes = [
            at_the_end(e, sweep),
            f"the seeds do not tell it from {even} of the {len(sweep) - 1} others" if even else "",
        ]
        notes = "; ".join(filter(None, notes))
        return f"{spread(accuracies(found[e][f]))} at {e.learning_rate:g}" + (f" ({notes})" if notes else "")

    def first_broken(f):
        top = max(tenfold, key=lambda e: accuracy(e, f)).learning_rate
        above = (e.learning_rate for e in tenfold if e.learning_rate > top and broke(e, f))
        return next((f"at {rate:g}" for rate in above), "at no rate tried")

    def decided(f):
        some = {s: [e.learning_rate for e in tenfold if sign(gaps[e, f]) == s] for s in (1, -1)}
        return " and ".join(f"{kinds[s]} at {listed(rates)}" for s, rates in some.items() if rates) or "undecided"

    answer = [
        f"With the output layer at {many} the features' rate fine-tuning does best with "
        + each(bench.frameworks, lambda f: top(tenfold, f))
        + ", and breaks "
        + each(bench.frameworks, first_broken)
        + ". With the output layer at the features' own rate the best is "
        + each(bench.frameworks, lambda f: top(same, f))
        + ".",
        f"Does {many} the rate at the output layer help, the features' rate being the same? It is "
        + each(bench.frameworks, decided)
        + "; at all other rates the seeds do not decide.",
        "Up to a rate of "
        + each(bench.frameworks, lambda f: f"{limit[f]:.2g}")
        + " the output layer cannot overshoot on the features that training starts with; at "
        + f"{many} the features' rate that is reached when theirs is "
        + each(bench.frameworks, lambda f: f"{limit[f] / base.head_lr_mult:.2g}")
        + ".",
    ]
    for f in bench.frameworks:
        # the lowest rate that the features bear, and the output layer at ten times of it does not
        pairs = zip(tenfold, same, strict=True)
        alone = next((ten for ten, one in pairs if broke(ten, f) and not broke(one, f)), None)
        if alone is None:
            answer.append(f"In {NAMES[f]} no rate tried breaks the output layer alone.")
            continue
        cost = [-gap for gap in gaps[alone, f]]
        answer.append(
            f"In {NAMES[f]}, with the features at {alone.learning_rate:g}, {many} that rate for the output layer costs "
            f"{points(cost)} points of accuracy"
            + (
                ": it is the output layer that breaks first."
                if sign(cost) > 0
                else "; the seeds do not tell that from nothing."
            )
        )

    def draw(figure):
        left, right = figure.subplots(1, 2)
        handles = []
        for kind, sweep, colour, factor in (
            ("ten times the", tenfold, COLOURS["finetune"], base.head_lr_mult),
            ("the same", same, "#7f7f7f", 1),
        ):
            for k, f in enumerate(bench.frameworks):
                x = [e.learning_rate * (1 + 0.06 * k) for e in sweep]  # beside each other, not upon each other
                y = [accuracy(e, f) for e in sweep]
                half = [half_interval(accuracies(found[e][f])) or 0 for e in sweep]
                style = {"color": colour, "linestyle": LINES[f], "marker": "o", "markersize": 3}
                label = f"{NAMES[f]}, output layer at {kind} rate"
                handles.append(left.errorbar(x, y, half, capsize=2, elinewidth=0.8, label=label, **style))
                right.plot(x, [min(mean(losses(found[e][f])), 1e6) for e in sweep], **style)
            for panel in (left, right):
                line = panel.axvline(mean(limit.values()) / factor, color=colour, linewidth=1.2, alpha=0.6)
            handles.append(line)
            line.set_label(f"limit of the output layer at {kind} rate")
        guessing = math.log(len(found[tenfold[0]][bench.frameworks[0]][0].dataset["classes"]))  # nats
        mark(left, bench.chance, "chance")
        mark(right, guessing, "guessing")
        for panel in (left, right):
            panel.set(xscale="log", xlabel="learning rate of the features")
            panel.grid(alpha=0.3)
        left.set(ylabel="test accuracy", ylim=(0.3, 1))
        right.set(ylabel="training loss, nats", yscale="log")
        right.yaxis.set_major_formatter("{x:g}")
        right.yaxis.set_minor_formatter("{x:g}")
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)

    return Report("Keep raising the learning rate", tables, answer, draw)


def listed(rates: list[float]) -> str:
    """Rates in words: "0.01, 0.03 and 0.1"."""
    texts = [f"{rate:g}" for rate in rates]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def at_the_end(chosen: Experiment, tried: list[Experiment]) -> str:
    """Which end of the rates tried a chosen one is: beyond it there may be a better one. Empty for one in between."""
    rates = [e.learning_rate for e in tried]
    ends = {min(rates): "the lowest rate tried", max(rates): "the highest rate tried"}
    return ends.get(chosen.learning_rate, "")


# --- 2: tune both further ---

HOLDOUT = 0.2
# Accuracies swing from one late epoch to the next, from scratch by ten points and more: where a network stays is a mean of these.
SETTLED = 3


def settled(run: Run, epochs: int) -> float:
    """Mean test accuracy after the last three of the first `epochs` epochs of a run."""
    return mean(e["test_accuracy"] for e in run.epochs[1 : epochs + 1][-SETTLED:])


def tuning(bench: Bench) -> Report:
    """Exercise 2: what is left of the difference between fine-tuned and from scratch when both are tuned at equal budget?"""
    most = bench.epochs or 7
    given = {name: bench.experiment(name) for name in ("finetune", "scratch")}
    candidates = {
        name: [replace(e, learning_rate=one_digit(e.learning_rate * f), num_epochs=most) for f in (1 / 3, 1, 10 / 3)]
        for name, e in given.items()
    }
    flat = [e for some in candidates.values() for e in some]
    searched = dict(zip(flat, bench.train(flat, holdout=HOLDOUT, seeds=bench.seeds[:1]), strict=True))
    held_out = {e: mean(settled(run, most) for some in per.values() for run in some) for e, per in searched.items()}
    tuned = {name: max(some, key=held_out.get) for name, some in candidates.items()}
    # Where the rate is the given one, the longer run is the given one as well, up to its last epoch.
    start = {
        name: tuned[name] if (tuned[name].learning_rate, most > e.num_epochs) == (e.learning_rate, True) else e
        for name, e in given.items()
    }
    wanted = [*start.values(), *tuned.values()]
    trained = dict(zip(wanted, bench.train(wanted), strict=True))
    before = {
        name: {f: [settled(run, given[name].num_epochs) for run in trained[e][f]] for f in bench.frameworks}
        for name, e in start.items()
    }
    after = {
        name: {f: [settled(run, most) for run in trained[e][f]] for f in bench.frameworks} for name, e in tuned.items()
    }
    names = [NAMES[f] for f in bench.frameworks]
    tables = [
        (
            f"The search at equal budget: three rates for {most} epochs, trained on {1 - HOLDOUT:.0%} of the training images, "
            f"judged on the others; one seed, mean of the last {min(SETTLED, most)} epochs"
            + " and of both frameworks."
            * (len(bench.frameworks) > 1),
            ["experiment", "lr", "held-out accuracy", ""],
            [
                [e.name, f"{e.learning_rate:g}", show(held_out[e]), "chosen" if e in tuned.values() else ""]
                for e in searched
            ],
        ),
        (
            f"On the test images, mean of the last {min(SETTLED, most)} epochs ({intervals(bench.seeds)}).",
            ["experiment", "setting", "lr", "epochs", *names],
            [
                [name, setting, f"{es[name].learning_rate:g}", str(es[name].num_epochs)]
                + [spread(found[name][f]) for f in bench.frameworks]
                for name in given
                for setting, es, found in (("as given", given, before), ("tuned", tuned, after))
            ],
        ),
    ]

    def gaps(found, f):
        return [a - b for a, b in zip(found["finetune"][f], found["scratch"][f], strict=True)]

    same = " and ".join(name for name in given if tuned[name].learning_rate == given[name].learning_rate)
    ends = [(name, at_the_end(e, candidates[name])) for name, e in tuned.items()]
    ends = ", ".join(f"for {name} {end}" for name, end in ends if end)
    answer = [
        (f"The search chose the given rate for {same}: tuned differs in the number of epochs only. " if same else "")
        + "As given, fine-tuning leads by "
        + each(bench.frameworks, lambda f: f"{points(gaps(before, f))} points")
        + "; with both tuned at the same budget by "
        + each(bench.frameworks, lambda f: f"{points(gaps(after, f))} points")
        + "."
        + (f" What the search chose is {ends}: there may be a better one beyond it." if ends else "")
    ]
    for f in bench.frameworks:
        change = [now - was for was, now in zip(gaps(before, f), gaps(after, f), strict=True)]
        closes = {1: "widens", 0: "is not seen to change", -1: "closes"}[sign(change)]
        ahead = {
            1: "fine-tuning is still ahead",
            0: "the seeds do not decide which of the two is ahead",
            -1: "the network from scratch is ahead",
        }
        answer.append(
            f"In {NAMES[f]} the gap {closes} by tuning ({points(change)} points), and after it {ahead[sign(gaps(after, f))]}."
            + f" From scratch is not told from chance there, {spread(after['scratch'][f])}, so there is little to compare with."
            * (sign([a - bench.chance for a in after["scratch"][f]]) == 0 and len(bench.seeds) > 1)
        )

    def draw(figure):
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for name, some in candidates.items():
            for rank, e in enumerate(some):
                curve = [
                    mean(run.epochs[i]["test_accuracy"] for f in bench.frameworks for run in searched[e][f])
                    for i in range(1, most + 1)
                ]
                style = {"color": COLOURS[name], "marker": "osv"[rank], "markersize": 4, "alpha": 0.4 + 0.3 * rank}
                left.plot(range(1, most + 1), curve, label=f"{name}, lr {e.learning_rate:g}", **style)
        left.set(xlabel="epoch", ylabel="held-out accuracy", title="the search", ylim=(0.4, 1))
        left.grid(alpha=0.3)
        for i, name in enumerate(given):
            for j, (found, alpha) in enumerate(((before, 0.4), (after, 0.9))):
                for k, f in enumerate(bench.frameworks):
                    style = {"color": COLOURS[name], "alpha": alpha, "hatch": HATCHES[f], "edgecolor": "white"}
                    error = half_interval(found[name][f])
                    right.bar(
                        i + 0.42 * j + 0.19 * k,
                        mean(found[name][f]),
                        0.17,
                        yerr=error,
                        ecolor="black",
                        capsize=2,
                        **style,
                    )
        right.set(ylabel="test accuracy", title="as given (pale) and tuned", ylim=(0.4, 1))
        for panel in (left, right):
            mark(panel, bench.chance, "chance")
        right.set(xticks=[0.3, 1.3], xticklabels=list(given))
        right.legend(handles=framework_patches(bench.frameworks), loc="upper right", fontsize=8)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)

    return Report("Tune both further", tables, answer, draw)


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


# --- 3: freeze the features ---


def freezing(bench: Bench) -> Report:
    """Exercise 3: what frozen features cost in accuracy, what they save, and what batch normalisation has to do with it."""
    epochs = {"num_epochs": bench.epochs} if bench.epochs else {}
    variants = {
        "finetune": bench.experiment("finetune", **epochs),
        "frozen, normalised by the batch": bench.experiment("frozen", **epochs),
        "frozen, batch normalisation locked": bench.experiment("frozen", lock_batch_norm=True, **epochs),
    }
    # A process each, so that each has a memory of its own.
    found = {name: bench.train([e])[0] for name, e in variants.items()}

    def seconds(name, f):
        return [e["seconds"] for run in found[name][f] for e in run.epochs if e["seconds"]]

    def typical(name, f):
        return statistics.median(seconds(name, f))

    def memory(name, f):
        some = found[name][f]
        if any("cpu" not in run.device["used"] or "peak_mib" not in run.memory for run in some):
            return None  # what a graphics card holds is not known here
        return max(run.memory["peak_mib"] for run in some) - min(run.memory["before_mib"] for run in some)

    weighed = any(memory(name, f) for name in variants for f in bench.frameworks)
    header = ["what is trained"]
    for what in ("test accuracy", "s per epoch", "memory, MiB")[: 3 if weighed else 2]:
        header += [f"{NAMES[f]} {what}" for f in bench.frameworks]
    rows = [
        [name]
        + [spread(accuracies(found[name][f])) for f in bench.frameworks]
        + [f"{typical(name, f):.2f}" for f in bench.frameworks]
        + [show(memory(name, f), ".0f") for f in bench.frameworks if weighed]
        for name in variants
    ]
    devices = [run.device for per in found.values() for some in per.values() for run in some]
    places = {
        d["gpu"] or f"{d['threads']} thread{'s' * (d['threads'] != 1)} of {d['cpu']!r} ({d['used']})" for d in devices
    }
    caption = (
        f"{epochs_of(variants['finetune'])}, {intervals(bench.seeds)}; seconds: the median epoch's training, images loaded, "
        f"on {' and on '.join(sorted(places))}" + ("; memory: what the process grew by." if weighed else ".")
    )
    full, batch, locked = variants

    def change(a, b, value):
        return each(
            bench.frameworks, lambda f: show(value(a, f) / value(b, f) if value(a, f) and value(b, f) else None, ".2f")
        )

    def less(a, b):
        kinds = {1: "ahead", 0: "undecided", -1: "behind"}
        gaps = {f: paired_differences(found[a][f], found[b][f]) for f in bench.frameworks}
        return each(bench.frameworks, lambda f: f"{points(gaps[f])} points ({kinds[sign(gaps[f])]})")

    answer = [
        f"Test accuracy of fine-tuning less that of features frozen and normalised by the batch: {less(full, batch)}; less that of "
        f"features frozen with locked batch normalisation: {less(full, locked)}.",
        f"Locked less batch: {less(locked, batch)}. The features are the same to the bit in both; what differs is what the output "
        "layer is trained on.",
        f"In multiples of fine-tuning's, a frozen epoch takes {change(batch, full, typical)}"
        + (f", and the memory it needs is {change(batch, full, memory)}." if weighed else "."),
    ]

    def draw(figure):
        panels = figure.subplots(1, 3 if weighed else 2)
        colours = (COLOURS["finetune"], COLOURS["frozen"], "#98df8a")
        short = ["fine-\ntuned", "frozen,\nbatch", "frozen,\nlocked"]
        for i, (name, colour) in enumerate(zip(variants, colours, strict=True)):
            for k, f in enumerate(bench.frameworks):
                values = accuracies(found[name][f])
                heights = (mean(values), typical(name, f), memory(name, f) or 0)
                for panel, height, error in zip(panels, heights, (half_interval(values), None, None), strict=False):
                    style = {
                        "color": colour,
                        "hatch": HATCHES[f],
                        "edgecolor": "white",
                        "ecolor": "black",
                        "capsize": 3,
                    }
                    panel.bar(i + 0.4 * k, height, 0.36, yerr=error, **style)
        for panel, title in zip(panels, ("test accuracy", "seconds per epoch", "memory, MiB"), strict=False):
            panel.set(title=title, xticks=[0.2, 1.2, 2.2], xticklabels=short)
        panels[0].set_ylim(0.4, 1)
        mark(panels[0], bench.chance, "chance")
        panels[1].legend(handles=framework_patches(bench.frameworks), fontsize=8)

    return Report("Freeze the features", [(caption, header, rows)], answer, draw)


# --- 4: use the hot dog row ---


FILLS = {
    "mean": "the mean of all other rows",
    "nearest": f"the mean of the {sources.NEAREST} most similar rows",
    "zero": "zero",
    "random": "a random row",
}


def hotdog_row(bench: Bench) -> Report:
    """Exercise 4: what the source network's own hot dog row is worth in the output layer, before training and after."""
    scores = bench.measure("rows")
    some = scores[bench.frameworks[0]]
    hotdog, wrong = some["hotdog"], some["wrong"]
    epochs = {"num_epochs": bench.epochs or 1}
    variants = {
        f"row {hotdog} ({HOTDOG}), other class {text}": bench.experiment("hotdog-row", other_row=fill, **epochs)
        for fill, text in FILLS.items()
    }
    variants |= {
        f"row {wrong} ({WRONG_ROW}), other class {FILLS['mean']}": bench.experiment(
            "hotdog-row", row=WRONG_ROW, **epochs
        ),
        "two random rows (finetune)": bench.experiment("finetune", **epochs),
    }
    found = dict(zip(variants, bench.train(list(variants.values())), strict=True))
    others = [i for i in range(len(some["rows"])) if i not in (hotdog, wrong)]

    def auc(f, row):
        return scores[f]["rows"][row]["auc"]

    def both(value):
        return [value(f) for f in bench.frameworks]

    def numbers(value):
        return both(lambda f: f"{value(f)['auc']:.3f}") + both(lambda f: f"{value(f)['accuracy']:.3f}")

    names = [NAMES[f] for f in bench.frameworks]
    header = [f"{name} {what}" for what in ("AUC", "accuracy") for name in names]
    best = max(others, key=lambda i: auc(bench.frameworks[0], i))
    rows = [
        [f"{i} ({some['rows'][i]['label']})" + note, *numbers(lambda f, i=i: scores[f]["rows"][i])]
        for i, note in ((hotdog, ""), (wrong, ""), (best, f", the best of the {len(others)} others"))
    ]
    median = both(lambda f: f"{statistics.median(auc(f, i) for i in others):.3f}")
    rows.append([f"the {len(others)} others, median", *median, *both(lambda f: "–")])
    stand_ins = [[FILLS[fill], *numbers(lambda f, fill=fill: scores[f]["fills"][fill])] for fill in some["fills"]]
    after = f"after {epochs['num_epochs']} epoch{'s' * (epochs['num_epochs'] != 1)}"
    tables = [
        (
            f"Every row as a detector of hot dogs, nothing trained: its logit less the mean of all others, "
            f"on {some['images']} test images.",
            ["row", *header],
            rows,
        ),
        ("The hot dog row against what may stand for the other class.", ["the other class", *header], stand_ins),
        (
            f"As an output layer: test accuracy before training and {after} ({intervals(bench.seeds)}).",
            ["output layer", *[f"{name} {when}" for when in ("before", "after") for name in names]],
            [
                [name, *both(lambda f, per=per: spread(accuracies(per[f], 0)))]
                + both(lambda f, per=per: spread(accuracies(per[f])))
                for name, per in found.items()
            ],
        ),
    ]
    with_row, without = found[next(iter(variants))], found[list(variants)[-1]]
    gains = {f: paired_differences(with_row[f], without[f]) for f in bench.frameworks}
    ahead = {f: sum(auc(f, i) > auc(f, hotdog) for i in others) for f in bench.frameworks}

    def start(fill):
        return each(bench.frameworks, lambda f: f"{scores[f]['fills'][fill]['accuracy']:.3f}")

    def told(f):
        kind = {1: "still ahead", 0: "which the seeds do not tell from nothing", -1: "behind"}[sign(gains[f])]
        return f"{points(gains[f])} points ({kind})"

    answer = [
        "Before any training the hot dog row ranks the test images with an AUC of "
        + each(bench.frameworks, lambda f: f"{auc(f, hotdog):.3f}")
        + f", the {WRONG_ROW}'s row with "
        + each(bench.frameworks, lambda f: f"{auc(f, wrong):.3f}")
        + f"; 0.5 is chance, and below it the order is the wrong way round. Of the {len(others)} other rows, "
        + each(bench.frameworks, lambda f: str(ahead[f] or "none"))
        + " rank the images better than the hot dog's.",
        "What the other class is given sets the threshold: before training the accuracy is "
        + "; ".join(f"{start(fill)} with {FILLS[fill]}" for fill in some["fills"])
        + ".",
        f"{after[0].upper()}{after[1:]} the hot dog row, the others' mean beside it, differs from two random rows by "
        + each(bench.frameworks, told)
        + ".",
    ]

    def draw(figure):
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
        f = bench.frameworks[0]
        for i, label in enumerate((HOTDOG, WRONG_ROW)):
            for j, (kind, colour) in enumerate((("hotdog", COLOURS["hotdog-row"]), ("other", "#1f77b4"))):
                box = left.boxplot(
                    [scores[f]["scores"][label][kind]],
                    positions=[i + 0.32 * j],
                    widths=0.26,
                    patch_artist=True,
                    showfliers=False,
                    medianprops={"color": "black"},
                )
                box["boxes"][0].set(facecolor=colour, alpha=0.7)
        left.axhline(0, color="black", linewidth=0.8, linestyle=":")
        left.set(xticks=[0.16, 1.16], xticklabels=[f"row {hotdog}\n{HOTDOG}", f"row {wrong}\n{WRONG_ROW}"])
        left.set_ylabel("row's logit less the mean of the others")
        kinds = (("hot dogs", COLOURS["hotdog-row"]), ("others", "#1f77b4"))
        left.legend(handles=[Patch(facecolor=c, alpha=0.7, label=k) for k, c in kinds], fontsize=8)
        order = sorted(range(len(some["rows"])), key=lambda i: -auc(f, i))
        colours = [COLOURS["hotdog-row"] if i == hotdog else "black" if i == wrong else "#c7c7c7" for i in order]
        right.bar(range(len(order)), [auc(f, i) for i in order], 1.0 if len(order) > 100 else 0.8, color=colours)
        for i in (hotdog, wrong):
            place = order.index(i)
            side = "left" if place < len(order) / 2 else "right"
            right.text(place, auc(f, i) + 0.02, some["rows"][i]["label"], ha=side, fontsize=8).set_bbox(
                {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
            )
        right.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
        right.set(xlabel=f"all {len(order)} rows, best first", ylabel="AUC as a detector of hot dogs")
        right.set(ylim=(0, 1), xticks=[])
        right.set_title(f"before any training, {NAMES[f]}", fontsize=9)

    return Report("Use the hot dog row", tables, answer, draw)


# --- all four ---

EXERCISES = {1: learning_rate, 2: tuning, 3: freezing, 4: hotdog_row}
HATCHES = {"gluon": "", "torch": "///"}


def framework_patches(frameworks):
    return [Patch(facecolor="#7f7f7f", edgecolor="white", hatch=HATCHES[f], label=NAMES[f]) for f in frameworks]
