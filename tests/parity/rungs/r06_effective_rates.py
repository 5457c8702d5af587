"""Rung 6, effective rates: the learning rate and weight decay that each tensor is really trained with are the experiment's.

Compared: rate and decay of every tensor, solved from what one step did to it, on a full batch and on a short one after it, with
what the experiment says; nothing for what is frozen.
Tolerance: MXNet's SGD keeps rate, decay and 1 / batch in float32, whatever the network's dtype: each is off by up to 2^-24 = 6e-8
of itself, and two of them multiplied by twice that. Measured: rates 2.2e-8, decays 4.8e-8; torch's are exact to 1e-11.
Fails: a summed loss, a multiplier or decay that does not reach a tensor, momentum, gradients that are not cleared.
"""

from dataclasses import replace

import numpy as np
from helpers import random_source

from shared.parity.lockstep import trained_only
from shared.parity.tensors import compare, largest, relative

from ..inside import gradients, without_idle
from ..scene import NETS, steps_of, train, twins

RUNG = 6

FLOAT32 = 2**-23


def check_effective_rates(scene, name):
    """Learning rate and weight decay of every tensor, solved from what one step did to it: w' = w - lr (g + wd w).

    Twice: for a full batch, and for a short one after it. g comes from rung 5. All tensors are random here, biases too, for
    the decay of a zero cannot be seen. Expected is what the experiment says: nothing for what is not trained.
    """
    experiment = scene.experiment(name)
    architecture = replace(scene.source.architecture, classes=len(scene.dataset.classes))
    tensors = {n: t.astype(np.float64) for n, t in random_source(architecture, seed=1).tensors.items()}
    batches = steps_of(scene, 3)[1:]
    nets, measured = twins(scene, experiment), []
    others = twins(scene, replace(experiment, trained_from="stem", lock_batch_norm=False))
    rates, decays, expected_rates, expected_decays = {}, {}, {}, {}
    for framework, net in nets.items():
        NETS[framework].set_tensors(net, tensors)
        _, after = train(framework, net, experiment, batches, scene)
        rates[framework], decays[framework] = {}, {}
        for step, batch in enumerate(batches):
            NETS[framework].set_tensors(others[framework], after[step])
            grads = gradients(framework, others[framework], batch, scene)
            for tensor, before in without_idle(trained_only(after[step])).items():
                key = f"{('full', 'short')[step]} batch: {tensor}"
                moved = before - after[step + 1][tensor]
                rates[framework][key], decays[framework][key] = _solve(moved, grads.get(tensor), before)
                head = tensor.startswith("output.")
                still = tensor not in grads or (experiment.frozen and not head)
                lr = 0.0 if still else experiment.learning_rate * (experiment.head_lr_mult if head else 1)
                expected_rates[key] = np.array([lr])
                expected_decays[key] = np.array([0.0 if still else experiment.weight_decay])
    for framework in nets:
        measured.append(
            compare(RUNG, f"{name}: {framework}'s rate", rates[framework], expected_rates, FLOAT32, _relative_rate)
        )
        measured.append(
            compare(RUNG, f"{name}: {framework}'s decay", decays[framework], expected_decays, FLOAT32, _relative_rate)
        )
    return measured


def _solve(moved, gradient, weight):
    if gradient is None or not moved.any():
        return np.array([float(np.abs(moved).max())]), np.array([0.0])
    columns = np.stack([gradient.ravel(), weight.ravel()], axis=1)
    (lr, lr_wd), *_ = np.linalg.lstsq(columns, moved.ravel(), rcond=None)
    return np.array([lr]), np.array([lr_wd / lr])


def _relative_rate(found, expected):
    return relative(found, expected) if expected.any() else largest(found, expected)
