"""Rung 8, trajectory: in lockstep the two go the same way for twenty steps.

Compared: the loss after each step and all weights after some, over full and half batches, in float64.
Tolerance: 1e-5. Rounding differences of 1e-16 grow while the loss is rough: measured after 24 steps 2e-15 to 2e-7, once (resnet v1
from scratch, rate 0.1, full batches only) 2e-6. Rates are rounded to what float32 holds exactly: with the chapter's own 0.01 it
would be 1 after 16 steps, for MXNet keeps rates in float32.
Fails: whatever changes as training goes on, such as a rate that is lowered in one of the two.
"""

import numpy as np

from shared.parity.lockstep import exact_in_float32
from shared.parity.tensors import compare

from ..inside import trained
from ..scene import steps_of, train, twins

RUNG = 8

STEPS = 20
TRAJECTORY = 1e-5


def check_trajectory(scene, name, steps=STEPS):
    """The loss after each of `steps` steps, and all weights after the first of them, powers of two and the last."""
    experiment = exact_in_float32(scene.experiment(name))
    batches = steps_of(scene, steps)
    losses, weights = {}, {}
    for framework, net in twins(scene, experiment).items():
        # not all of them: a real network's twenty would be gigabytes
        seen, tensors = train(framework, net, experiment, batches, scene, keep=lambda i: i in (1, 2, 4, 8, 16, steps))
        losses[framework] = {f"step {i}": np.array([epoch.train_loss]) for i, epoch in enumerate(seen) if i}
        weights[framework] = {
            f"step {i}: {n}": t for i, ts in enumerate(tensors) if ts for n, t in trained(ts, experiment).items()
        }
    return [
        compare(RUNG, f"{name}: loss", losses["gluon"], losses["torch"], TRAJECTORY),
        compare(RUNG, f"{name}: weights", weights["gluon"], weights["torch"], TRAJECTORY),
    ]
