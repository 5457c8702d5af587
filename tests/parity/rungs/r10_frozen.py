"""Rung 10, frozen: what is frozen keeps every bit, and what is not is trained.

Compared: the features before and after training the `frozen` experiment, running statistics included; with batch normalisation
locked also the loss in training with that in evaluation, and the two frameworks' output layers.
Tolerance: none for the features; losses 1e-10, outputs 1e-9 (float64, relative).
Fails: statistics that move, batch normalisation that is not locked.
"""

from dataclasses import replace

import numpy as np

from shared.parity.lockstep import exact_in_float32, framework_batch
from shared.parity.tensors import Mismatch, changed, compare

from ..scene import TRAINING, steps_of, train, twins

RUNG = 10


def check_frozen(scene):
    """Training the frozen experiment changes no bit of the features, running statistics included, and does change the output."""
    experiment = scene.experiment("frozen")
    measured, batches = [], steps_of(scene, 3)
    for framework, net in twins(scene, experiment, "float32").items():
        _, tensors = train(framework, net, experiment, batches, scene, "float32")
        features = [{n: t for n, t in ts.items() if n.startswith("features.")} for ts in (tensors[0], tensors[-1])]
        measured.append(compare(RUNG, f"{framework}'s frozen features", *features, 0, changed))
        for name in ("output.weight", "output.bias"):
            if not changed(tensors[0][name], tensors[-1][name]):
                raise Mismatch(RUNG, f"{framework}: {name} was not trained")
    return measured


def check_locked(scene):
    """With batch normalisation locked training sees what evaluation sees, the features keep every bit, the outputs agree."""
    experiment = exact_in_float32(replace(scene.experiment("frozen"), lock_batch_norm=True))
    measured, outputs, batches = [], {}, steps_of(scene, 3)
    for framework, net in twins(scene, experiment).items():
        given = [framework_batch(framework, batches[0])]
        p, labels = TRAINING[framework].predict_probabilities(net, given, scene.where.of(framework))
        evaluated = -np.log(p[np.arange(len(labels)), labels]).mean()
        epochs, tensors = train(framework, net, experiment, batches, scene)
        seen = [{"loss": np.array([loss])} for loss in (epochs[1].train_loss, evaluated)]
        measured.append(compare(RUNG, f"{framework}, locked: loss in training and in evaluation", *seen, 1e-10))
        features = [{n: t for n, t in ts.items() if n.startswith("features.")} for ts in (tensors[0], tensors[-1])]
        measured.append(compare(RUNG, f"{framework}'s locked features", *features, 0, changed))
        outputs[framework] = {n: t for n, t in tensors[-1].items() if n.startswith("output.")}
    return measured + [compare(RUNG, "locked: output after 3 steps", outputs["gluon"], outputs["torch"], 1e-9)]
