"""Both frameworks in lockstep: each implementation's own training loop, from the same weights, over the same batches.

What differs then is not the data, not the initial weights and not the order, but arithmetic. `tests/parity` climbs its ladder with
this; `hotdog diverge` measures with it how far two networks are apart after every step:

    record = diverge([experiment("finetune", "mini")], source, dataset, steps=24)

Frameworks are imported where a function needs them, never with this module.
"""

from dataclasses import replace

import numpy as np

from shared.experiments import Experiment
from shared.images.splits import Dataset
from shared.networks.source import Source
from shared.runs.frameworks import FRAMEWORKS, implementation, target_net
from shared.strategies import DIGITS, rounded


def twins(experiment: Experiment, source: Source, dataset: Dataset, devices: dict, dtype="float64", seed=0) -> dict:
    """{framework: network} of an experiment, each made by its own implementation, then given the tensors of Gluon's.

    devices: {framework: its device}. dtype: `float32` or `float64`.
    """
    import torch

    nets = {}
    for framework in FRAMEWORKS:
        nets[framework] = target_net(framework, experiment, source, dataset, seed)
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

        return mxnet_np.array(X, dtype=dtype), mxnet_np.array(y, dtype="int32" if y.ndim == 1 else dtype)
    import torch

    return torch.from_numpy(X.astype(dtype)), torch.from_numpy(y if y.ndim == 1 else y.astype(dtype))


class OnePerEpoch:
    """Batches that are handed out one per epoch, so that a training loop reports after every step."""

    def __init__(self, batches):
        self.batches = iter(batches)

    def __len__(self):
        return 1

    def __iter__(self):
        yield next(self.batches)


def train(
    framework: str,
    net,
    experiment: Experiment,
    batches: list,
    device,
    dtype="float64",
    epochs=None,
    see=None,
    tested=None,
):
    """Run the implementation's own loop over NumPy batches, one batch per epoch (or `epochs` over all).

    tested: NumPy batches to evaluate on, the first of `batches` unless given.
    -> for every step, step 0 first: an EpochMetrics, and what `see(step)` gave (the network's tensors, unless told otherwise).
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
        [framework_batch(framework, batch, dtype) for batch in tested] if tested else batches[:1],
        replace(experiment, num_epochs=len(batches) if epochs is None else epochs),
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
    not the networks, sets the difference, and training magnifies it. Raises ValueError where a multiple of the rate spoils it.
    """

    lr, decay = rounded(experiment.learning_rate, 4), rounded(experiment.weight_decay, 4)
    multiples = [experiment.head_lr_mult, *(experiment.stage_decay**below for below in range(5))]
    finest = 1 - 2.0**-DIGITS  # a schedule's factor with as many digits as one can have
    for number in [decay, *(lr * multiple * finest for multiple in multiples)]:
        if float(np.float32(number)) != number:
            raise ValueError(f"{number} is not exact in float32: choose other rates for lockstep")
    return replace(experiment, learning_rate=lr, weight_decay=decay)
