"""Both frameworks in lockstep: each implementation's own training loop, from the same weights, over the same batches.

What differs then is not the data, not the initial weights and not the order, but arithmetic. `tests/parity` climbs its ladder with
this; `hotdog diverge` measures with it how far two networks are apart after every step:

    record = diverge([experiment("finetune", "mini")], source, dataset, steps=24)

Frameworks are imported where a function needs them, never with this module.
"""

import json
import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from shared import feed, report
from shared.datasets import Dataset
from shared.devices import cpu_name
from shared.errors import UserError
from shared.experiments import Experiment
from shared.parity import relative
from shared.runs import FRAMEWORKS, implementation, package_versions, target_net, write_atomically
from shared.sources import Source


def twins(experiment: Experiment, source: Source, dataset: Dataset, devices: dict, dtype="float64", seed=0) -> dict:
    """{framework: network} of an experiment, each made by its own implementation, then given the tensors of Gluon's.

    devices: {framework: its device}. dtype: `float32` or `float64`.
    """
    import torch

    nets = {}
    for framework in FRAMEWORKS:
        implementation(framework, "training").seed_everything(seed)
        nets[framework] = target_net(framework, experiment, source, dataset)
    tensors = implementation("gluon", "nets").get_tensors(nets["gluon"])
    implementation("torch", "nets").set_tensors(nets["torch"], tensors)
    nets["gluon"].cast(dtype)
    nets["torch"].to(getattr(torch, dtype))
    nets["gluon"].collect_params().reset_ctx(devices["gluon"])
    nets["torch"].to(devices["torch"])
    return nets


def framework_batch(framework: str, batch: tuple, dtype="float64") -> tuple:
    """A NumPy batch (X, y) as that framework's loaders would give it, on the CPU."""
    X, y = batch
    if framework == "gluon":
        implementation("gluon", "data")  # sets MXNet up
        from mxnet import np as mxnet_np

        return mxnet_np.array(X, dtype=dtype), mxnet_np.array(y, dtype="int32")
    import torch

    return torch.from_numpy(X.astype(dtype)), torch.from_numpy(y)


class OnePerEpoch:
    """Batches that are handed out one per epoch, so that a training loop reports after every step."""

    def __init__(self, batches):
        self.batches = iter(batches)

    def __iter__(self):
        yield next(self.batches)


def train(framework: str, net, experiment: Experiment, batches: list, device, dtype="float64", epochs=None, see=None):
    """Run the implementation's own loop over NumPy batches, one batch per epoch (or `epochs` over all).

    -> for every step, step 0 first: an Epoch, and what `see(step)` gave (the network's tensors, unless told otherwise).
    """
    batches = [framework_batch(framework, batch, dtype) for batch in batches]
    see = see or (lambda step: implementation(framework, "nets").get_tensors(net))
    epochs_seen, seen = [], []

    def on_epoch(epoch):
        epochs_seen.append(epoch)
        seen.append(see(epoch.epoch))

    implementation(framework, "training").train_fine_tuning(
        net,
        OnePerEpoch(batches) if epochs is None else batches,
        batches[:1],
        experiment.learning_rate,
        experiment.head_lr_mult,
        experiment.weight_decay,
        len(batches) if epochs is None else epochs,
        device,
        on_epoch,
    )
    return epochs_seen, seen


def trained_only(tensors: dict) -> dict:
    """Without the running statistics, whose policies differ (rung 9 of the ladder)."""
    return {name: t for name, t in tensors.items() if "running_" not in name}


def exact_in_float32(experiment: Experiment) -> Experiment:
    """The experiment with rate and decay rounded to four bits, 6 % away at most: float32 holds these, and ten times them, exactly.

    MXNet's SGD keeps rate, decay and 1 / batch in float32, whatever the network's dtype. Without this the rounding of the rates,
    not the networks, sets the difference, and training magnifies it. Raises ValueError where a head multiplier spoils it.
    """

    def rounded(value):
        mantissa, exponent = math.frexp(value)
        return math.ldexp(round(mantissa * 16) / 16, exponent)

    lr, decay = rounded(experiment.learning_rate), rounded(experiment.weight_decay)
    for rate in (lr, lr * experiment.head_lr_mult):
        for number in (rate, decay):
            if float(np.float32(number)) != number:
                raise ValueError(f"{number} is not exact in float32: choose other rates for lockstep")
    return replace(experiment, learning_rate=lr, weight_decay=decay)


# --- how far apart after every step ---


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
        found = [_finite(value) for value in (*losses, abs(losses[0] - losses[1]), share, way)]
        steps.append(Step(i, *found, worst_tensor, _finite(worst)))
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
    devices = {f: where for f, (where, _) in chosen.items()}
    series = []
    for experiment in experiments:
        batches = feed.batches(dataset.train, experiment.size, experiment.batch_size, seed, steps)
        for (dtype, exact), name in WAYS.items():
            run = exact_in_float32(experiment) if exact else experiment
            found = measure(run, source, dataset, batches, devices, dtype, seed)
            used = {key: value for key, value in run.as_dict().items() if key != "num_epochs"}
            series.append({"name": name, "dtype": dtype, "experiment": used, "steps": [asdict(s) for s in found]})
            on_series(series[-1])
    cores = len(os.sched_getaffinity(0))
    about = {
        "command": command,
        "seed": seed,
        "dataset": {"name": dataset.name, "train": len(dataset.train), "fingerprint": dataset.fingerprint},
        "source": {
            "name": source.name,
            "architecture": source.architecture.name,
            "fingerprint": source.fingerprint,
        },
        "devices": {f: {"used": str(where), "why": why} for f, (where, why) in chosen.items()},
        "cpu": cpu_name(),
        "cores": cores,
        "threads": int(os.environ.get("OMP_NUM_THREADS", cores)),
        "versions": package_versions(),
    }
    return {"about": about, "series": series}


def write_record(path: Path, record: dict):
    """Write what `diverge` gave as JSON, a step a line."""
    series = []
    for one in record["series"]:
        lines = ",\n".join("   " + json.dumps(step, allow_nan=False) for step in one["steps"])
        head = json.dumps({key: value for key, value in one.items() if key != "steps"})
        series.append(f'  {head[:-1]}, "steps": [\n{lines}\n  ]}}')
    body = ",\n".join(series)
    text = f'{{\n "about": {json.dumps(record["about"], indent=1)},\n "series": [\n{body}\n ]\n}}\n'
    write_atomically(Path(path), lambda file: file.write_text(text, encoding="utf-8"))


def read_record(path: Path) -> dict:
    """What `write_record` wrote."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def table(record: dict) -> tuple[list[str], list[list[str]]]:
    """Header and rows: the gap between the two losses, and the distance of the weights, after some steps of every series."""
    last = len(record["series"][0]["steps"])
    chosen = [step for step in (1, 2, 4, 8, 16, 32, 64, 128) if step < last] + [last]
    header = ["experiment", "rate", "arithmetic", *(f"step {step}" for step in chosen), "weights at the end"]
    rows = []
    for one in record["series"]:
        gaps = [report.show(one["steps"][step - 1]["loss_gap"], ".0e") for step in chosen]
        end = report.show(one["steps"][-1]["way"], ".0e")
        rows.append([one["experiment"]["name"], f"{one['experiment']['learning_rate']:g}", one["name"], *gaps, end])
    return header, rows
