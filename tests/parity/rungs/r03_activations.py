"""Rung 3, activations: from the same tensors and the same batch, every layer gives the same numbers.

Compared: the output of every block, in train and in eval mode; what `predict_features` and `predict_probabilities` give.
Tolerance: relative, by the arithmetic: float64 about a hundred times what was measured, float32 three times.
Fails: a layer in another place, another epsilon, evaluation in train mode. The message names the first block that differs.
"""

import numpy as np

from shared.images.feed import Batches
from shared.parity.lockstep import framework_batch
from shared.parity.tensors import compare

from ..inside import forward
from ..scene import NETS, TRAINING, steps_of, twins

RUNG = 3

# (cpu, gpu). Measured on the CPU: 1e-14, 3e-6; probabilities 1e-6. On a GPU nothing was measured yet: ten times as much is allowed.
BLOCKS = {"float64": (1e-12, 1e-11), "float32": (1e-5, 1e-4)}
PROBABILITIES = (1e-5, 1e-4)


def check_blocks(scene, dtype, training):
    """Every block's output, relative; on failure the first block that differs is named."""
    nets = twins(scene, scene.experiment("finetune"), dtype)
    out = {}
    for framework, net in nets.items():
        X, _ = framework_batch(framework, steps_of(scene, 1)[0], dtype)
        out[framework] = forward(framework, net, X, scene, training)
    what = f"{'train' if training else 'eval'} mode, {dtype}"
    return [compare(RUNG, what, out["gluon"], out["torch"], scene.tolerance(*BLOCKS[dtype]))]


def check_features(scene):
    """What `predict_features` gives is what the output layer makes its logits of, and the same in both; in both modes."""
    measured, batches = [], steps_of(scene, 3)  # the last one is short
    for mode in ("eval", "train"):
        found = {}
        for framework, net in twins(scene, scene.experiment("finetune")).items():
            given = [framework_batch(framework, batch) for batch in batches]
            where = scene.where.of(framework)
            features, labels = TRAINING[framework].predict_features(net, given, where, training=mode == "train")
            output = {n: t for n, t in NETS[framework].get_tensors(net).items() if n.startswith("output.")}
            logits = features @ output["output.weight"].T + output["output.bias"]
            seen = np.concatenate([forward(framework, net, X, scene, mode == "train")["output"] for X, _ in given])
            what = f"{framework}: logits from features in {mode} mode"
            compare(RUNG, what, {"logits": seen}, {"logits": logits}, 1e-10)
            found[framework] = {"features": features, "labels": labels}
        measured.append(compare(RUNG, f"features in {mode} mode", found["gluon"], found["torch"], 1e-10))
    return measured


def check_predictions(scene):
    """Probabilities and labels of the implementations' own `predict_probabilities`, given the same test batches."""
    nets = twins(scene, scene.experiment("finetune"), "float32")
    batches = Batches(scene.dataset.test, scene.size, scene.batch_size, seed=0, augment=False, dtype="float32")
    out = {}
    for framework, net in nets.items():
        given = [framework_batch(framework, batch, "float32") for batch in batches]
        probabilities, labels = TRAINING[framework].predict_probabilities(net, given, scene.where.of(framework))
        out[framework] = {"probabilities": probabilities, "labels": labels}
    return [compare(RUNG, "predictions", out["gluon"], out["torch"], scene.tolerance(*PROBABILITIES))]
