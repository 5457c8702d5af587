"""How far two networks in lockstep are apart after every step: measured, recorded, as a table. book/pictures.py draws it."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from shared.errors import UserError
from shared.experiments import Experiment
from shared.files import write_rows
from shared.images import feed
from shared.images.splits import Dataset
from shared.networks.source import Source
from shared.parity.lockstep import exact_in_float32, train, trained_only, twins
from shared.parity.tensors import relative
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.machine import cpu_name, package_versions, threads_of
from shared.runs.tables import show
from shared.threads import usable_cores


@dataclass(frozen=True)
class Step:
    """How far two networks in lockstep are apart after one step; None where a number is not finite.

    Losses: mean cross-entropy of the step's batch (nats), before the step. weights: Euclidean distance of all trained weights as a
    share of their norm. way: the same distance as a share of the way that training has moved PyTorch's weights so far; about 1 says
    that the two have no more to do with each other than two runs. worst_tensor: the one of the largest relative distance, `worst`.
    """

    step: int
    gluon_loss: float | None
    torch_loss: float | None
    loss_gap: float | None
    weights: float | None
    way: float | None
    worst_tensor: str
    worst: float | None


# Three ways to run an experiment: (dtype, whether its rates are rounded to what float32 holds exactly), and what to call them.
WAYS = {
    ("float32", False): "float32",
    ("float64", False): "float64",
    ("float64", True): "float64, rates exact",
}


def measure(experiment: Experiment, source: Source, dataset: Dataset, batches: list, devices: dict, dtype, seed=0):
    """Train both frameworks over the NumPy batches, one step each. -> a Step per batch.

    Keeps Gluon's weights after every step until PyTorch's come by: the network's size times the number of steps.
    """
    nets = twins(experiment, source, dataset, devices, dtype, seed)

    def weights(framework):
        tensors = trained_only(implementation(framework, "nets").get_tensors(nets[framework]))
        return {n: t for n, t in tensors.items() if n.startswith("output.") or not experiment.frozen}

    start = _flat(weights("torch"))

    @np.errstate(invalid="ignore", over="ignore")  # rates that are too high end in infinity
    def apart(step):
        gluon, torch = gluons[step], weights("torch")
        each = {n: relative(gluon[n], torch[n]) for n in torch}
        worst = max(each, key=each.get)
        gluon, torch = _flat(gluon), _flat(torch)
        distance, way = np.linalg.norm(gluon - torch), np.linalg.norm(torch - start)
        return distance / np.linalg.norm(torch), distance / way if way else None, worst, each[worst]

    gluon, gluons = train(
        "gluon", nets["gluon"], experiment, batches, devices["gluon"], dtype, see=lambda _: weights("gluon")
    )
    torch, distances = train("torch", nets["torch"], experiment, batches, devices["torch"], dtype, see=apart)
    steps = []
    for i in range(1, len(batches) + 1):
        losses = gluon[i].train_loss, torch[i].train_loss
        share, way, worst_tensor, worst = distances[i]
        numbers = [_finite(value) for value in (*losses, abs(losses[0] - losses[1]), share, way)]
        steps.append(Step(i, *numbers, worst_tensor, _finite(worst)))
    return steps


def _flat(tensors):
    return np.concatenate([t.astype(np.float64).ravel() for t in tensors.values()])


def _finite(value):
    return float(value) if value is not None and math.isfinite(value) else None


def diverge(
    experiments: list[Experiment],
    source: Source,
    dataset: Dataset,
    steps: int,
    seed: int = 0,
    device: str = "cpu",
    command: str = "",
    on_series=lambda series: None,
) -> dict:
    """How far both frameworks are apart after each of `steps` steps in lockstep, for each of WAYS. -> the record.

    device: `cpu`, `gpu` or `auto`, as for a run. on_series: called with each entry of the record's "series" once it is measured.
    Raises UserError for fewer than one step.
    """
    if steps < 1:
        raise UserError(f"the number of steps is {steps}; it must be at least 1")
    chosen = {f: implementation(f, "training").choose_device(device) for f in FRAMEWORKS}
    devices = {f: used for f, (used, _) in chosen.items()}
    series = []
    for experiment in experiments:
        batches = feed.batches(dataset.train, experiment.size, experiment.batch_size, seed, steps)
        for (dtype, exact), name in WAYS.items():
            trained = exact_in_float32(experiment) if exact else experiment
            measured = measure(trained, source, dataset, batches, devices, dtype, seed)
            used = {key: value for key, value in trained.as_dict().items() if key != "num_epochs"}
            series.append({"name": name, "dtype": dtype, "experiment": used, "steps": [asdict(s) for s in measured]})
            on_series(series[-1])
    about = {
        "command": command,
        "seed": seed,
        "dataset": {"name": dataset.name, "train": len(dataset.train), "fingerprint": dataset.fingerprint},
        "source": {
            "name": source.name,
            "architecture": source.architecture.name,
            "fingerprint": source.fingerprint,
        },
        "devices": {f: {"used": str(used), "why": about.reason} for f, (used, about) in chosen.items()},
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "threads": {f: threads_of(f) for f in FRAMEWORKS},
        "versions": package_versions(),
    }
    return {"about": about, "series": series}


def write_divergence(path: Path, record: dict):
    """Write what `diverge` gave as JSON, a series a line."""
    write_rows(Path(path), {"about": record["about"]}, "series", record["series"])


def read_divergence(path: Path) -> dict:
    """What `write_divergence` wrote."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def divergence_table(record: dict) -> tuple[list[str], list[list[str]]]:
    """Header and rows: the gap between the two losses, and the distance of the weights, after some steps of every series."""
    last = len(record["series"][0]["steps"])
    chosen = [step for step in (1, 2, 4, 8, 16, 32, 64, 128) if step < last] + [last]
    header = ["experiment", "rate", "arithmetic", *(f"step {step}" for step in chosen), "weights at the end"]
    rows = []
    for one in record["series"]:
        gaps = [show(one["steps"][step - 1]["loss_gap"], ".0e") for step in chosen]
        end = show(one["steps"][-1]["way"], ".0e")
        rows.append([one["experiment"]["name"], f"{one['experiment']['learning_rate']:g}", one["name"], *gaps, end])
    return header, rows
