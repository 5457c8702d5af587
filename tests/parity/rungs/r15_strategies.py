"""Rung 15, other ways to transfer: what is trained when, at which rate, on which targets: the same in both, and as asked for.

Compared: loss and weights over six steps that cross every phase; all that lies below the trained stage, bit for bit; single steps
with rates and factors worked out here by hand; the loss of smoothed labels with NumPy's; a network that was frozen and set free
with one that never was.
Tolerance: 1e-12 in float64, with rates that float32 holds exactly (rung 8); over all steps, for a bias may pass through zero.
Single steps as in rung 7.
Fails: a phase that comes early or late, locked statistics after their phase, one stage's rate on another, an update off by one.
"""

import math
from dataclasses import replace

import numpy as np
from scipy.special import log_softmax

from shared.parity.lockstep import exact_in_float32, framework_batch, trained_only
from shared.parity.tensors import Mismatch, changed, compare
from shared.runs.frameworks import FRAMEWORKS

from ..inside import forward, gradients, trained
from ..scene import NETS, steps_of, train, twins

RUNG = 15

# Those whose single steps are rate times gradient, in one phase.
STEPPED = ("partial", "discriminative", "warmup-cosine")
STEPS = 6
LOCKSTEP = 1e-12
# MXNet's kernel of Adam computes with betas, rate and epsilon in float32, whatever the network's dtype: 1e-6.
ADAMW = 1e-6

# By hand, not by shared.strategies, which is what is tested: how deep the part of the network that a name begins with lies.
DEPTHS = {
    "features.bn0": 4,
    "features.conv1": 4,
    "features.bn1": 4,
    "features.layer1": 3,
    "features.layer2": 2,
    "features.layer3": 1,
    "features.layer4": 0,
    "features.bn2": 0,
    "output": -1,
}
# The deepest part that is trained in steps 1 to 6.
DEEPEST = {"partial": [0] * 6, "gradual": [-1, 0, 1, 2, 4, 4], "head-first": [-1, -1, 4, 4, 4, 4]}


def depth(tensor):
    return next(d for part, d in DEPTHS.items() if tensor.startswith(f"{part}."))


def check_lockstep(scene, name):
    """Loss and weights after each of six steps, one an epoch; what is not trained yet keeps every bit, and then moves."""
    experiment = exact_in_float32(scene.experiment(name))
    batches, losses, weights, measured = steps_of(scene, STEPS), {}, {}, []
    for framework, net in twins(scene, experiment).items():
        seen, tensors = train(framework, net, experiment, batches, scene)
        losses[framework] = {f"step {i}": np.array([epoch.train_loss]) for i, epoch in enumerate(seen) if i}
        weights[framework] = {n: np.stack([ts[n] for ts in tensors[1:]]) for n in trained(tensors[0], experiment)}
        measured += _check_kept(f"{name}: {framework}", tensors, DEEPEST.get(name, [4] * STEPS))
    return [
        *measured,
        compare(RUNG, f"{name}: loss", losses["gluon"], losses["torch"], ADAMW if name == "adamw" else LOCKSTEP),
        compare(RUNG, f"{name}: weights", weights["gluon"], weights["torch"], ADAMW if name == "adamw" else LOCKSTEP),
    ]


def _check_kept(what, tensors, deepest):
    measured = []
    for step, limit in enumerate(deepest, 1):
        before, after = tensors[step - 1], tensors[step]
        below = {n for n in before if depth(n) > limit}
        if below:
            kept = ({n: ts[n] for n in ts if n in below} for ts in (before, after))
            measured.append(compare(RUNG, f"{what}, step {step}, kept", *kept, 0, changed))
        for tensor in before:
            if tensor.startswith("features.bn0.running_"):
                continue  # rung 9's
            fixed = tensor.startswith("features.bn0.")  # the first normalisation of v2: neither scaled nor shifted
            moved = changed(before[tensor], after[tensor])
            if moved and fixed:
                raise Mismatch(RUNG, f"{what}, step {step}: {tensor} was trained")
            if not (moved or fixed or tensor in below):
                raise Mismatch(RUNG, f"{what}, step {step}: {tensor} was not trained")
    return measured[-1:]


def check_mixed(scene, name):
    """Lockstep as in `check_lockstep` on mixed images, whose targets are shares; the reported loss is NumPy's."""
    experiment = exact_in_float32(scene.experiment(name))
    rng, batches = np.random.default_rng(0), []
    for X, y in steps_of(scene, 3):
        share = rng.uniform(size=len(y))
        onehot = np.eye(2)[y]
        batches.append(
            (share[:, None, None, None] * X + (1 - share[:, None, None, None]) * X[::-1], share[:, None] * onehot)
        )
        batches[-1][1][:] += (1 - share[:, None]) * onehot[::-1]
    losses, weights = {}, {}
    for framework, net in twins(scene, experiment).items():
        seen, tensors = train(framework, net, experiment, batches, scene, tested=steps_of(scene, 1))
        losses[framework] = {f"step {i}": np.array([epoch.train_loss]) for i, epoch in enumerate(seen) if i}
        weights[framework] = trained(tensors[-1], experiment)
    net = twins(scene, experiment)["torch"]
    logits = forward("torch", net, framework_batch("torch", batches[0])[0], scene, training=True)["output"]
    by_hand = {"step 1": np.array([-(batches[0][1] * log_softmax(logits, axis=1)).sum(axis=1).mean()])}
    first = {"step 1": losses["gluon"]["step 1"]}
    return [
        compare(RUNG, f"{name}: loss of shares against NumPy", by_hand, first, LOCKSTEP),
        compare(RUNG, f"{name}: loss", losses["gluon"], losses["torch"], LOCKSTEP),
        compare(RUNG, f"{name}: weights", weights["gluon"], weights["torch"], LOCKSTEP),
    ]


def check_clipped_step(scene):
    """A step with clipped gradients is the unclipped one, decay aside, made shorter to the norm that was asked for."""
    experiment = replace(exact_in_float32(scene.experiment("clipped")), clip_norm=0.125, weight_decay=0.0)
    batch, measured = steps_of(scene, 1), []
    for framework, net in twins(scene, experiment).items():
        grads = gradients(framework, twins(scene, experiment)[framework], batch[0], scene)
        norm = math.sqrt(sum(float((g**2).sum()) for g in grads.values()))
        if norm < 0.25:
            raise ValueError(f"{scene.name}: the gradients measure {norm:.2g}; this shows little")
        _, (before, after) = train(framework, net, experiment, batch, scene)
        rates = {n: experiment.learning_rate * (experiment.head_lr_mult if depth(n) < 0 else 1) for n in grads}
        wanted = {n: -rates[n] * g * 0.125 / (norm + 1e-6) for n, g in grads.items()}
        moved = {n: after[n] - before[n] for n in grads}
        measured.append(compare(RUNG, f"{framework}: the clipped step", wanted, moved, 1e-9))
    return measured


def check_steps(scene, name):
    """Each of four steps is the rate that was asked for, worked out by hand, times the gradient; decay included."""
    experiment = exact_in_float32(scene.experiment(name))
    batches, measured = steps_of(scene, 4), []
    # 4 updates: a tenth of them, rounded up, climb; the rest follows half a cosine that would end with the fifth
    factors = [1.0] + [0.5 * (1 + math.cos(math.pi * k / 4)) for k in (1, 2, 3)]
    decay = {"discriminative": 0.5}.get(name, 1.0)
    for framework, net in twins(scene, experiment).items():
        _, tensors = train(framework, net, experiment, batches, scene)
        moved, wanted = {}, {}
        for step, batch in enumerate(batches):
            other = twins(scene, experiment)[framework]
            NETS[framework].set_tensors(other, tensors[step])
            grads = gradients(framework, other, batch, scene)
            factor = factors[step] if name == "warmup-cosine" else 1.0
            for tensor, before in trained_only(tensors[step]).items():
                below = depth(tensor) > DEEPEST.get(name, [4])[0] or tensor.startswith("features.bn0.")
                multiple = experiment.head_lr_mult if depth(tensor) < 0 else decay ** depth(tensor)
                rate = experiment.learning_rate * multiple * factor
                key = f"step {step + 1}: {tensor}"
                moved[key] = tensors[step + 1][tensor] - before
                if not below and tensor not in grads:
                    raise Mismatch(RUNG, f"{name}: {framework}'s step: {key} is not trained")
                wanted[key] = np.zeros_like(before)
                if not below:
                    wanted[key] = -rate * (grads[tensor] + experiment.weight_decay * before)
        # Factors are kept to twelve binary digits.
        tolerance = 2.0**-12 if name == "warmup-cosine" else 1e-9
        measured.append(compare(RUNG, f"{name}: {framework}'s step", wanted, moved, tolerance))
    return measured


def check_smoothed_loss(scene):
    """The reported loss of smoothed labels is NumPy's: targets (1 - ε) + ε/K and ε/K."""
    experiment = replace(scene.experiment("smoothed"), learning_rate=0.0)
    batch, found, measured = steps_of(scene, 1), {}, []
    for framework, net in twins(scene, experiment).items():
        seen, _ = train(framework, net, experiment, batch, scene)
        found[framework] = {"loss": np.array([seen[1].train_loss])}
    X, y = batch[0]
    net = twins(scene, experiment)["torch"]
    logits = forward("torch", net, framework_batch("torch", (X, y))[0], scene, training=True)["output"]
    targets = np.where(np.arange(2) == y[:, None], 0.95, 0.05)  # ε is 0.1, of two classes
    by_hand = {"loss": np.array([-(targets * log_softmax(logits, axis=1)).sum(axis=1).mean()])}
    for framework in FRAMEWORKS:
        what = f"{framework}: loss of smoothed labels against NumPy"
        measured.append(compare(RUNG, what, by_hand, found[framework], 1e-12))
    return measured


def check_unlocked(scene):
    """Where the stages below are frozen and not locked, they normalise by the batch, and keep every bit all the same."""
    experiment, batches = replace(scene.experiment("partial"), lock_batch_norm=False), steps_of(scene, 2)
    exact, outputs, measured = exact_in_float32(experiment), {}, []
    for framework, net in twins(scene, exact).items():
        _, tensors = train(framework, net, exact, batches, scene)
        kept = ({n: t for n, t in ts.items() if depth(n) > 0} for ts in (tensors[0], tensors[-1]))
        measured.append(compare(RUNG, f"partial: {framework}, unlocked, kept", *kept, 0, changed))
        outputs[framework] = trained_only(tensors[-1])
    return [*measured, compare(RUNG, "partial, unlocked: weights", outputs["gluon"], outputs["torch"], LOCKSTEP)]


def check_undone(scene):
    """A network that was frozen, locked and set free again trains as one that never was, to the bit."""
    experiment, batches, measured = scene.experiment("finetune"), steps_of(scene, 2), []
    for framework in FRAMEWORKS:
        ends = []
        for freeze in (False, True):
            net = twins(scene, experiment, "float32")[framework]
            if freeze:
                NETS[framework].freeze_features(net, True)
                NETS[framework].freeze_features(net, True, "layer3")
                NETS[framework].freeze_features(net, False, "stem")
            _, tensors = train(framework, net, experiment, batches, scene, "float32")
            ends.append(tensors[-1])
        measured.append(compare(RUNG, f"{framework}: frozen and set free", *ends, 0, changed))
    return measured
