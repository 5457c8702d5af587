"""Which networks the page offers: the runs that were named, or the newest ones; and their source network, where it is at hand."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from shared.errors import UserError
from shared.networks.reading import load_source
from shared.networks.source import MINI_FILE, Source
from shared.runs.find import with_twins
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.record import Run, read_run, read_runs
from shared.runs.tables import mean, title


@dataclass(frozen=True)
class Choice:
    """What each framework opens, {framework: finished run}: a run and its twin, or one run in both."""

    runs: dict[str, Run]

    @property
    def run(self) -> Run:
        """The Gluon run, for what both have in common."""
        return self.runs["gluon"]

    @property
    def name(self) -> str:
        """The line that it is chosen by: experiment, seed, images, and how many of these each framework got right."""
        found = {id(run): run for run in self.runs.values()}.values()
        right = " / ".join(f"{run.test_accuracy:.3f}" for run in found)
        alone = "" if len(found) > 1 else f" ({NAMES[self.run.framework]} only)"
        return f"{title(self.run)}, seed {self.run.seed}, {self.run.dataset['name']}: {right}{alone}"


def named(folders: list[Path]) -> list[Choice]:
    """The runs in `folders` with their twins, in the order given. Raises UserError for what is no finished run."""
    chosen = [read_run(folder) for folder in folders]
    for run in chosen:
        if not _usable(run):
            lacks = "has no weights.safetensors" if run.status == "finished" else f"is {run.status}"
            raise UserError(f"{run.folder} {lacks}: only a finished run can be used")
    return _choices(with_twins(chosen))


def newest(out: Path) -> list[Choice]:
    """Of the finished runs below `out` those on the images of the newest, from its folder, best test accuracy first; or none.

    Runs of both frameworks come before runs of one.
    """
    found = [run for run in read_runs(out) if _usable(run)] if out.is_dir() else []
    choices = _choices(found)
    pairs = [one for one in choices if len({run.folder for run in one.runs.values()}) > 1] or choices
    if not pairs:
        return []
    last = max(pairs, key=lambda one: max(run.started for run in one.runs.values()))
    beside = [one for one in pairs if _place(one.run) == _place(last.run)]
    return sorted(beside, key=lambda one: -mean([run.test_accuracy for run in one.runs.values()]))


def sources_of(choices: list[Choice], spec: str | None = None) -> dict[str, Source]:
    """{fingerprint: source network with class labels} of the runs, of those source networks that are on this machine.

    spec: one more place to look in, as --source takes it. Nothing is downloaded, and nothing taken that has not the fingerprint in
    a run's record. Raises UserError for a `spec` that is none of them.
    """
    wanted = {one.run.source["fingerprint"]: one.run for one in choices}
    found = {}
    if spec is not None:
        source = load_source(spec)
        if source.fingerprint not in wanted:
            run = choices[0].run
            raise UserError(f"--source {spec} is not the network that {run.folder} started from ({run.source['name']})")
        found[source.fingerprint] = source
    for fingerprint, run in wanted.items():
        if fingerprint not in found:
            found |= {source.fingerprint: source for source in _at_hand(run.source["name"])}
    return {f: source for f, source in found.items() if f in wanted and source.classes}


def _at_hand(name):
    """Source networks called `name`: the drawings' comes with this project, others lie where their libraries keep them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    torch = Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser()
    mxnet = Path(os.environ.get("MXNET_HOME", "~/.mxnet")).expanduser()
    files = {
        "mini": [MINI_FILE],
        "imagenet": (mxnet / "models").glob("resnet18_v2-*.params"),
        "torchvision": (torch / "hub" / "checkpoints").glob("resnet18-*.pth"),
    }
    for file in files.get(name, ()):
        with contextlib.suppress(UserError):
            yield load_source(str(file))


def _usable(run):
    return run.status == "finished" and run.epochs and (run.folder / "weights.safetensors").is_file()


def _place(run):
    return run.folder.resolve().parent, run.dataset["fingerprint"]


def _choices(found):
    """Runs that differ in framework only, together; of several alike the last one counts."""
    groups = {}
    for run in found:
        groups.setdefault((run.folder.resolve().parent, run.key(), run.seed), {})[run.framework] = run
    return [Choice({f: by.get(f) or next(iter(by.values())) for f in FRAMEWORKS}) for by in groups.values()]
