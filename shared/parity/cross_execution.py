"""Cross-execution: the weights that one framework trained, evaluated in the other one on the same images.

If both compute the same function, nothing but rounding and the resizing of the images differs, however far apart their trainings
ran. What was found is kept in the run's folder, so that it is measured once.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from shared.errors import UserError
from shared.files import write_text
from shared.images.splits import Dataset
from shared.parity.outcomes import CrossExecution
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.opened import trained_tensors
from shared.runs.processes import run_in_processes
from shared.runs.record import Run, read_probabilities

FILE = "other_framework.json"


def other(framework: str) -> str:
    """The framework that is not `framework`."""
    return next(name for name in FRAMEWORKS if name != framework)


def cross_execution(run: Run, dataset: Dataset, device: str = "cpu", workers: int = 0) -> CrossExecution:
    """Evaluate the weights of a finished `run` in the other framework on the test images of `dataset`, in this process.

    Raises UserError where the run has no weights, or was tested on other images.
    """
    if run.dataset["fingerprint"] != dataset.fingerprint:
        raise UserError(f"{run.folder} was tested on other images than {dataset.name}")
    architecture, tensors = trained_tensors(run)
    data, nets, training = (implementation(other(run.framework), name) for name in ("data", "nets", "training"))
    net = nets.scratch_net(architecture, architecture.classes)
    nets.set_tensors(net, tensors)
    batches = data.test_iter(dataset.test, run.experiment["size"], run.experiment["batch_size"], workers)
    there, _ = training.predict_probabilities(net, batches, training.choose_device(device)[0])
    here = read_probabilities(run)[2]
    gaps = np.abs(here - there).sum(axis=1) / 2
    differ = int(np.sum(here.argmax(axis=1) != there.argmax(axis=1)))
    return CrossExecution(differ, float(gaps.max()), float(gaps.mean()))


def cross_executions(
    runs: list[Run], dataset: Dataset, device: str = "cpu", workers: int = 0
) -> dict[Path, CrossExecution]:
    """{folder: what was found} of those `runs` that have weights: recorded, or measured now in a process per framework."""
    runs = [run for run in runs if run.status == "finished" and (run.folder / "weights.safetensors").is_file()]
    missing = [run for run in runs if _recorded(run) is None]
    parts = {
        f: ([run for run in missing if other(run.framework) == f], dataset, device, workers)
        for f in FRAMEWORKS
        if any(other(run.framework) == f for run in missing)
    }
    run_in_processes(_measure, parts)
    found = {run.folder: _recorded(run) for run in runs}
    return {folder: one for folder, one in found.items() if one is not None}


def _measure(runs, dataset, device, workers):
    for run in runs:
        found = cross_execution(run, dataset, device, workers)
        write_text(run.folder / FILE, json.dumps(asdict(found)) + "\n")


def _recorded(run) -> CrossExecution | None:
    try:
        return CrossExecution(**json.loads((run.folder / FILE).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None  # measured anew
