"""Rung 9, batch normalisation: the one place where the frameworks differ by design, each difference held as a law with its size.

Compared: how running statistics move, when they move, what that costs in probabilities, and gradients in eval mode.
Tolerance: a law holds to 1e-10 in float64 (1e-4 in float32); a known difference also has a least size, so that it is noticed when a
framework changes. The laws are those of MXNet on the CPU: on a GPU cuDNN keeps the statistics, by torch's rules.
Fails: another momentum, statistics that move or stay where they should not.
"""

import math

import numpy as np
import torch
from mxnet import autograd, gluon

from shared.parity.lockstep import exact_in_float32, framework_batch
from shared.parity.tensors import changed, compare, largest, relative, within

from ..inside import gluon_gradients, torch_gradients
from ..scene import NETS, TRAINING, steps_of, train, twins
from .r05_gradients import GRADIENTS

RUNG = 9


def statistics(tensors, kind):
    return {name: t for name, t in tensors.items() if name.endswith(kind)}


def batch_norm_sizes(scene, net, X):
    """{running_var name: elements per channel} that each BatchNorm of the torch twin averages over."""
    sizes, handles = {}, []
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):

            def note(_module, inputs, name=name):
                sizes[f"{name}.running_var"] = inputs[0].numel() // inputs[0].shape[1]

            handles.append(module.register_forward_pre_hook(note))
    with torch.no_grad():
        net.eval()(X.to(scene.where.torch))
    for handle in handles:
        handle.remove()
    return sizes


def check_batch_norm(scene, dtype="float64"):
    """How running statistics part, each way as a law with its size.

    After one training step: torch has moved them by the unbiased variance, MXNet on the CPU by the biased one, so that torch's
    batch variance is n / (n - 1) times MXNet's; the means agree. MXNet's first BatchNorm of v2 gets no backward pass and stays,
    torch's moves to the mean and variance of the images.
    """
    experiment = scene.experiment("finetune")
    nets, batch = twins(scene, experiment, dtype), steps_of(scene, 1)
    before = {f: NETS[f].get_tensors(net) for f, net in nets.items()}
    sizes = batch_norm_sizes(scene, nets["torch"], framework_batch("torch", batch[0], dtype)[0])
    after = {f: train(f, net, experiment, batch, scene, dtype)[1][1] for f, net in nets.items()}
    # Both keep nine tenths of the old value: what the batch contributed is ten times the rest. MXNet keeps 0.9 in float32.
    kept = {"gluon": float(np.float32(0.9)), "torch": 0.9}
    new = {
        f: {n: (t - kept[f] * before[f][n]) / (1 - kept[f]) for n, t in after[f].items() if "running_" in n}
        for f in nets
    }
    first = {n for n in new["gluon"] if n.startswith("features.bn0.")}
    measured, exact = [], {"float64": 1e-10, "float32": 1e-4}[dtype]
    means = {f: {n: t for n, t in statistics(new[f], "mean").items() if n not in first} for f in new}
    measured.append(compare(RUNG, f"batch mean, {dtype}", means["gluon"], means["torch"], exact))
    variances = {f: {n: t for n, t in statistics(new[f], "var").items() if n not in first} for f in new}
    biased = {n: t * (sizes[n] - 1) / sizes[n] for n, t in variances["torch"].items()}
    measured.append(
        compare(RUNG, f"batch variance, torch's times (n - 1) / n, {dtype}", variances["gluon"], biased, exact)
    )
    fewest = min(sizes, key=sizes.get)
    gap = relative(variances["torch"][fewest], variances["gluon"][fewest])
    law = 1 / (sizes[fewest] - 1)
    measured.append(within(RUNG, f"torch's batch variance above MXNet's, {fewest}", gap, 0.999 * law, 1.001 * law))
    if first:
        still = [{n: ts["gluon"][n] for n in first} for ts in (before, after)]
        compare(RUNG, "MXNet's first BatchNorm of v2 stays", *still, 0, changed)
        X = batch[0][0].astype(dtype)
        moved = {
            "features.bn0.running_mean": X.mean(axis=(0, 2, 3)),
            "features.bn0.running_var": X.var(axis=(0, 2, 3), ddof=1),
        }
        torchs = {n: new["torch"][n] for n in moved}
        measured.append(
            compare(RUNG, f"torch's first BatchNorm of v2 moves to the images, {dtype}", moved, torchs, exact)
        )
        gap = max(relative(after["torch"][n], after["gluon"][n]) for n in first)
        measured.append(within(RUNG, "torch's first BatchNorm of v2 against MXNet's, which stays", gap, 0.05, 0.6))
    return measured


def check_when_statistics_move(scene):
    """A forward pass in train mode moves torch's running statistics and none of MXNet's; MXNet's move in the backward pass.

    And features without gradients: MXNet's statistics stay through a whole training step, torch's move all the same. Where they
    move, they move to exactly what a training step makes of them.
    """
    experiment, batch = scene.experiment("finetune"), steps_of(scene, 1)[0]

    def now(framework, nets):
        return {n: t for n, t in NETS[framework].get_tensors(nets[framework]).items() if "running_" in n}

    stepped = twins(scene, experiment)
    for framework, net in stepped.items():
        train(framework, net, experiment, [batch], scene)
    stepped = {f: now(f, stepped) for f in stepped}
    measured, nets = [], twins(scene, experiment)
    before = {f: now(f, nets) for f in nets}
    X, y = (part.as_in_ctx(scene.where.gluon) for part in framework_batch("gluon", batch))
    with autograd.record():
        loss = gluon.loss.SoftmaxCrossEntropyLoss()(nets["gluon"](X), y)
    compare(RUNG, "MXNet's statistics after a forward pass", before["gluon"], now("gluon", nets), 0, changed)
    loss.backward()
    what = "MXNet's statistics after a backward pass"
    measured.append(compare(RUNG, what, stepped["gluon"], now("gluon", nets), 1e-10))
    nets["torch"].train()
    with torch.no_grad():
        nets["torch"](framework_batch("torch", batch)[0].to(scene.where.torch))
    measured.append(compare(RUNG, "torch's after a forward pass", stepped["torch"], now("torch", nets), 1e-10))

    nets = twins(scene, experiment)
    for param in nets["gluon"].features.collect_params().values():
        param.grad_req = "null"
    nets["torch"].features.requires_grad_(False)
    for framework, net in nets.items():
        train(framework, net, experiment, [batch], scene)
    compare(RUNG, "MXNet's statistics of features without gradients", before["gluon"], now("gluon", nets), 0, changed)
    what = "torch's statistics of features without gradients"
    measured.append(compare(RUNG, what, stepped["torch"], now("torch", nets), 1e-10))
    moves = {n: relative(t, before["torch"][n]) for n, t in now("torch", nets).items()}
    gap = max(moves.values())
    measured.append(
        within(RUNG, "features without gradients: torch's statistics move, MXNet's do not", gap, 0.05, 10.0)
    )
    return measured


def check_what_statistics_cost(scene, steps=6):
    """After some steps in lockstep the probabilities of the two differ in eval mode, and only by their running statistics.

    With one network's tensors put into the other they agree again.
    """
    experiment = exact_in_float32(scene.experiment("finetune"))
    nets, batches = twins(scene, experiment), steps_of(scene, steps)
    for framework, net in nets.items():
        train(framework, net, experiment, batches, scene)

    def probabilities():
        found = {}
        for framework, net in nets.items():
            given = [framework_batch(framework, batches[0])]
            p, _ = TRAINING[framework].predict_probabilities(net, given, scene.where.of(framework))
            found[framework] = {"probabilities": p}
        return found

    apart = probabilities()
    gap = largest(apart["gluon"]["probabilities"], apart["torch"]["probabilities"])
    measured = [within(RUNG, f"probabilities after {steps} steps, each with its own statistics", gap, 5e-3, 0.8)]
    NETS["torch"].set_tensors(nets["torch"], NETS["gluon"].get_tensors(nets["gluon"]))
    same = probabilities()
    return measured + [compare(RUNG, "probabilities, with the same statistics", same["gluon"], same["torch"], 1e-10)]


def check_eval_mode_gradients(scene):
    """Gradients in eval mode: `record(train_mode=False)` needs `backward(train_mode=False)` as well.

    Without it MXNet's batch normalisation takes batch statistics from memory that nothing was written to: the gradients are wrong
    by anything from a fifth to 1e36 times their size, so there is no upper bound.
    """
    nets, batch = twins(scene, scene.experiment("finetune")), steps_of(scene, 1)[0]
    X, y = framework_batch("torch", batch)
    nets["torch"].eval()
    torch.nn.functional.cross_entropy(nets["torch"](X.to(scene.where.torch)), y.to(scene.where.torch)).backward()
    right = torch_gradients(nets["torch"])
    found = {}
    for train_mode in (False, True):
        net = twins(scene, scene.experiment("finetune"))["gluon"]
        X, y = (part.as_in_ctx(scene.where.gluon) for part in framework_batch("gluon", batch))
        with autograd.record(train_mode=False):
            loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y).mean()
        loss.backward(train_mode=train_mode)
        found[train_mode] = gluon_gradients(net)
    measured = [compare(RUNG, "gradients in eval mode", found[False], right, GRADIENTS)]
    gap = max(relative(found[True][n], right[n]) for n in right)
    what = "MXNet's eval-mode gradients after backward() alone, off by"
    return measured + [within(RUNG, what, gap, 0.05, math.inf)]
