"""Rung 7, one step: the same gradient moves every weight by the same amount.

Compared: all weights after one step at the experiment's own rates; the step itself at rates that float32 holds exactly.
Tolerance: weights 2^-23, for MXNet's rates are float32 (rung 6); the step 1e-9: measured 4e-13, the gradients' own difference and
the rounding of weights that are far larger than their step.
Fails: what rung 6 cannot see, for it knows only steps of the form lr (g + wd w).
"""

from shared.parity.lockstep import exact_in_float32
from shared.parity.tensors import compare

from ..inside import trained
from ..scene import steps_of, train, twins
from .r06_effective_rates import FLOAT32

RUNG = 7


def check_one_step(scene, name):
    """Weights after one step at the experiment's own rates, and the step itself at rates that float32 holds exactly."""
    measured = []
    own, exact = scene.experiment(name), exact_in_float32(scene.experiment(name))
    batch = steps_of(scene, 1)
    after = {f: train(f, net, own, batch, scene)[1][1] for f, net in twins(scene, own).items()}
    weights = {f: trained(after[f], own) for f in after}
    measured.append(compare(RUNG, f"{name}: weights", weights["gluon"], weights["torch"], FLOAT32))
    steps = {}
    for framework, net in twins(scene, exact).items():
        _, (before, after) = train(framework, net, exact, batch, scene)
        steps[framework] = {n: t - before[n] for n, t in trained(after, exact).items()}
    measured.append(compare(RUNG, f"{name}: the step", steps["gluon"], steps["torch"], 1e-9))
    return measured
