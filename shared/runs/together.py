"""Runs put together to be looked at: those of one experiment, their curves, what they say of images, and where two differ."""

import sys
from dataclasses import dataclass, fields

import numpy as np

from shared.errors import UserError
from shared.experiments import Experiment
from shared.images.draws import SHARED
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import Run, read_probabilities
from shared.runs.tables import diverged, title

WORDS = {"learning_rate": "lr", "head_lr_mult": "output ×", "num_epochs": "epochs", "batch_size": "batch", "size": "px"}


@dataclass(frozen=True)
class Group:
    """Runs that differ in framework and seed only, {framework: [run]}; label: what tells them from the other groups."""

    label: str
    runs: dict[str, list[Run]]

    @property
    def all(self) -> list[Run]:
        return [run for some in self.runs.values() for run in some]


@dataclass(frozen=True, eq=False)
class Said:
    """What a run said of its N test images: names, labels (N,) class indices, p (N, classes)."""

    run: Run
    names: list[str]
    labels: np.ndarray
    p: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        return self.p.argmax(axis=1)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two runs, one of each framework, with the same seed and shared draws. gaps: |Δp| of every image, (N,)."""

    gluon: Said
    torch: Said
    gaps: np.ndarray

    @property
    def differ(self) -> np.ndarray:
        """(N,) bool: the images that the two call differently."""
        return self.gluon.predicted != self.torch.predicted

    def ranked(self) -> np.ndarray:
        """Positions of all images: those with different labels first, then by |Δp|, the largest first."""
        return np.lexsort((-self.gaps, ~self.differ))


def gaps(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """|Δp| of every image: half of the summed absolute difference of probabilities (N, classes), so that two classes count once."""
    return np.abs(p - q).sum(axis=-1) / 2


def groups_of(found: list[Run]) -> list[Group]:
    """`found` runs in groups, in order of first appearance.

    Of several with the same framework and seed one counts: the last that is finished, else the last that has come furthest.
    """
    by_key = {}
    for run in found:
        by_seed = by_key.setdefault(run.key(), {f: {} for f in FRAMEWORKS})[run.framework]
        other = by_seed.get(run.seed)
        if other is None or _rank(run) >= _rank(other):
            by_seed[run.seed] = run
    parts = [{f: [per[f][seed] for seed in sorted(per[f])] for f in FRAMEWORKS} for per in by_key.values()]
    some = [next(run for f in FRAMEWORKS for run in part[f]) for part in parts]
    return [Group(label, part) for label, part in zip(labels_of(some), parts, strict=True)]


def _rank(run):
    return run.status == "finished", len(run.epochs)


def labels_of(some: list[Run]) -> list[str]:
    """A label for each of `some` runs: the experiment, and of what differs among those that are called the same, its values."""
    titles, labels = [title(run) for run in some], []
    for run, name in zip(some, titles, strict=True):
        facts = [_facts(other) for other, called in zip(some, titles, strict=True) if called == name]
        own = _facts(run)
        parts = [f"{what} {value}" for what, value in own.items() if len({one[what] for one in facts}) > 1]
        labels.append(", ".join([name, *parts]))
    for number, label in enumerate(labels):
        if labels.count(label) > 1:  # other images of the same name and number, or another source network
            run = some[number]
            labels[number] = f"{label}, {run.dataset['fingerprint'][:6]} {run.source['fingerprint'][:6]}"
    return labels


def _facts(run):
    names = [field.name for field in fields(Experiment) if field.name not in ("name", "row")]
    facts = {WORDS.get(name, name.replace("_", " ")): _word(run.experiment[name]) for name in names}
    data = f"{run.dataset['name']} ({run.dataset['train']} + {run.dataset['test']})"
    return facts | {"on": data, "tested on": run.dataset["tested_on"], "from": run.source["name"], "draws": run.draws}


def _word(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format(value, "g") if isinstance(value, float) else str(value)


CURVES = ("test_accuracy", "train_accuracy", "train_loss")


def in_the_mean(some: list[Run]) -> list[Run]:
    """Those of `some` runs, of one experiment and framework, that a mean over seeds is of.

    The finished ones; where none is, those that have come anywhere. Diverged ones only where there are no others.
    """
    for wanted in (
        lambda r: r.status == "finished" and not diverged(r),
        lambda r: r.status != "diverged",
        lambda r: True,
    ):
        chosen = [run for run in some if run.epochs and wanted(run)]
        if chosen:
            return chosen
    return []


def curve(some: list[Run], key: str) -> tuple[list, list] | None:
    """Mean and standard deviation over `some` runs of an epoch's `key`, for every epoch; None for an epoch that has nothing.

    None instead of both where no epoch has anything.
    """
    length = max(len(run.epochs) for run in some)
    values = np.full((len(some), length), np.nan)
    for row, run in zip(values, some, strict=True):
        row[: len(run.epochs)] = [np.nan if e[key] is None else e[key] for e in run.epochs]
    there = np.isfinite(values).sum(axis=0)
    if not there.any():
        return None
    filled = np.ma.masked_invalid(values)
    means = filled.mean(axis=0).filled(np.nan)
    spreads = filled.std(axis=0, ddof=1).filled(np.nan) if len(some) > 1 else np.full(length, np.nan)
    spreads = np.where(there > 1, spreads, np.nan)
    return _rounded(means), _rounded(spreads)


def _rounded(values):
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]


def said_by(group: Group) -> dict[str, list[Said]]:
    """What the finished runs of a group said, {framework: [Said]}; runs that kept no probabilities are left out.

    A line on standard error for each whose file is damaged, and for each whose images are not those of the others.
    """
    kept = {f: [] for f in FRAMEWORKS}
    names = None
    for run in group.all:
        if run.status != "finished" or not (run.folder / "test_probabilities.csv").is_file():
            continue
        try:
            said = Said(run, *read_probabilities(run))
            if names not in (None, said.names):
                raise UserError(f"{run.folder}/test_probabilities.csv names other images than the runs beside it")
        except UserError as error:
            print(f"hotdog: left out: {error}", file=sys.stderr)
            continue
        names = said.names
        kept[run.framework].append(said)
    return kept


def pairs_of(said: dict[str, list[Said]]) -> list[Pair]:
    """Runs of both frameworks with the same seed and shared draws, in the order of seeds."""
    torch = {one.run.seed: one for one in said["torch"]}
    found = [(one, torch[one.run.seed]) for one in said["gluon"] if one.run.seed in torch]
    return [Pair(a, b, gaps(a.p, b.p)) for a, b in found if a.run.draws == b.run.draws == SHARED]
