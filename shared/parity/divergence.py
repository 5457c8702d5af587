"""How far two networks in lockstep are apart after every step, measured, recorded and drawn."""

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from shared.errors import UserError
from shared.experiments import Experiment
from shared.files import write_atomically
from shared.images import feed
from shared.images.splits import Dataset
from shared.networks.source import Source
from shared.parity.lockstep import exact_in_float32, train, trained_only, twins
from shared.parity.tensors import relative
from shared.runs.figures import FONT, WIDTH, save_figure
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.machine import cpu_name, package_versions
from shared.runs.tables import show

# The series of a lockstep record: label, colour (of no experiment), marker.
ARITHMETIC = {
    "float32": ("float32", "#e69f00", "o"),
    "float64": ("float64", "#56b4e9", "s"),
    "float64, rates exact": ("float64, rate and decay that float32 holds exactly", "black", "^"),
}
EPSILONS = {2.0**-23: "float32", 2.0**-52: "float64"}
NOTHING = 1e-17  # where no difference at all is drawn on a logarithmic axis


@plt.rc_context(FONT)
def plot_divergence(record: dict, path: Path) -> Path:
    """Write how far two frameworks in lockstep are apart after every step, from a record of `diverge`. Returns `path`.

    One column per experiment; above the gap between the losses, below the distance of the weights.
    """
    series = record["series"]
    names = list(dict.fromkeys(one["experiment"]["name"] for one in series))
    figure, panels = plt.subplots(
        2, len(names), figsize=(WIDTH, 5.6), sharex=True, sharey="row", constrained_layout=True, squeeze=False
    )
    for column, name in zip(panels.T, names, strict=True):
        own = [one for one in series if one["experiment"]["name"] == name]
        column[0].set_title(f"{name}, learning rate {own[0]['experiment']['learning_rate']:g}")
        for panel, key in zip(column, ("loss_gap", "way"), strict=True):
            for one in own:
                values = [math.nan if step[key] is None else max(step[key], NOTHING) for step in one["steps"]]
                label, colour, marker = ARITHMETIC[one["name"]]
                steps = [step["step"] for step in one["steps"]]
                panel.semilogy(steps, values, color=colour, marker=marker, markersize=3, linewidth=1.2, label=label)
            panel.grid(alpha=0.3)
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        column[1].set_xlabel("step")
    powers = range(-15, 1, 3)
    ticks, labels = [10.0**p for p in powers], [f"$10^{{{p}}}$" for p in powers]
    panels[0, 0].set(yticks=[NOTHING, *ticks], yticklabels=["0", *labels], ylim=(NOTHING / 3, 30))
    panels[1, 0].set(yticks=ticks, yticklabels=labels, ylim=(1e-16, 30))
    for epsilon, dtype in EPSILONS.items():
        _mark(panels[0], epsilon, f"ε of {dtype}")
    _mark(panels[1], 1, "as far apart as they have moved")
    panels[0, 0].set_ylabel("difference of the two losses")
    panels[1, 0].set_ylabel("distance of the two sets of weights,\nas a share of how far they have moved")
    figure.legend(handles=panels[0, 0].lines[: len(own)], loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)
    return path


def _mark(row, height, text):
    """A thin line across the panels of a row, with a word on it in the one where it is in nobody's way."""
    for panel in row:
        panel.axhline(height, color="#777777", linestyle=":", linewidth=0.8)
    panel = row[0] if height == 1 else row[-1]
    panel.text(
        0.98, height, text, color="#777777", fontsize=8, transform=panel.get_yaxis_transform(), ha="right", va="top"
    )


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


def write_divergence(path: Path, record: dict):
    """Write what `diverge` gave as JSON, a step a line."""
    series = []
    for one in record["series"]:
        lines = ",\n".join("   " + json.dumps(step, allow_nan=False) for step in one["steps"])
        head = json.dumps({key: value for key, value in one.items() if key != "steps"})
        series.append(f'  {head[:-1]}, "steps": [\n{lines}\n  ]}}')
    body = ",\n".join(series)
    text = f'{{\n "about": {json.dumps(record["about"], indent=1)},\n "series": [\n{body}\n ]\n}}\n'
    write_atomically(Path(path), lambda file: file.write_text(text, encoding="utf-8"))


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
