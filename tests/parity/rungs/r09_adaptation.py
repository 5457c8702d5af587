"""Rung 9, at test time: Tent changes the same scales and shifts by the same steps, and nothing else.

Compared: predictions batch by batch and all scales and shifts after the last one; what else there is, with what it was before.
Tolerance: 1e-12 in float64 (measured 5e-14 at most); none for what must stay. The rate is exact in float32, as MXNet keeps it.
Fails: other tensors that are adapted, statistics that move or are used, predictions from after the step, another objective.
"""

import numpy as np

from shared.parity.lockstep import framework_batch
from shared.parity.tensors import Mismatch, changed, compare

from ..scene import ADAPTATION, NETS, TRAINING, steps_of, twins

RUNG = 9

ADAPTED = 1e-12
RATE = 0.25


def is_adapted(name, tensors) -> bool:
    """Whether Tent may change the tensor `name`: a scale or shift beside running statistics. v2's first layer has none."""
    layer, _, leaf = name.rpartition(".")
    return f"{layer}.running_mean" in tensors and leaf in ("weight", "bias") and layer != "features.bn0"


def check_tent(scene, steps=4):
    """Predictions and adapted tensors agree over `steps` batches; all else keeps every bit, and each of the two is changed."""
    batches = steps_of(scene, steps)
    predictions, after = {}, {}
    measured = []
    for framework, net in twins(scene, scene.experiment("finetune")).items():
        before = NETS[framework].get_tensors(net)
        given = [framework_batch(framework, batch) for batch in batches]
        # as a trained network comes: it has predicted, so that Gluon has compiled it
        net.hybridize(static_alloc=True) if framework == "gluon" else net.eval()
        TRAINING[framework].predict_probabilities(net, given[:1], scene.where.of(framework))
        p, labels = ADAPTATION[framework].tent(net, given, scene.where.of(framework), RATE)
        if labels.tolist() != np.concatenate([y for _, y in batches]).tolist():
            raise Mismatch(RUNG, f"{framework}: Tent's labels are not those of the batches")
        tensors = NETS[framework].get_tensors(net)
        kept = [{n: t for n, t in ts.items() if not is_adapted(n, before)} for ts in (before, tensors)]
        measured.append(compare(RUNG, f"{framework}: what Tent must not change", *kept, 0, changed))
        for name in after.setdefault(framework, {n: t for n, t in tensors.items() if is_adapted(n, before)}):
            if not changed(before[name], tensors[name]):
                raise Mismatch(RUNG, f"{framework}: Tent has not adapted {name}")
        ends = np.cumsum([len(y) for _, y in batches])[:-1]
        predictions[framework] = {f"batch {i}": part for i, part in enumerate(np.split(p, ends), 1)}
    return [
        *measured,
        compare(RUNG, "Tent: predictions", predictions["gluon"], predictions["torch"], ADAPTED),
        compare(RUNG, "Tent: scales and shifts", after["gluon"], after["torch"], ADAPTED),
    ]


def check_batch_statistics(scene):
    """At rate 0 every batch is predicted as training would see it, and no tensor changes."""
    batch, measured, predictions = steps_of(scene, 1)[0], [], {}
    for framework, net in twins(scene, scene.experiment("finetune")).items():
        before, device = NETS[framework].get_tensors(net), scene.where.of(framework)
        given = [framework_batch(framework, batch)]
        features, _ = TRAINING[framework].predict_features(net, given, device, training=True)
        logits = features @ before["output.weight"].T + before["output.bias"]
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        NETS[framework].set_tensors(net, before)  # torch's statistics have moved
        predictions[framework] = {"batch 1": p / p.sum(axis=1, keepdims=True)}
        found = {"batch 1": ADAPTATION[framework].tent(net, given, device, learning_rate=0)[0]}
        what = f"{framework}: at rate 0, and in training"
        measured.append(compare(RUNG, what, found, predictions[framework], ADAPTED))
        tensors = NETS[framework].get_tensors(net)
        measured.append(compare(RUNG, f"{framework}: tensors at rate 0", before, tensors, 0, changed))
    return measured
