"""Rung 7, one step: the same gradient moves every weight by the same amount.

Compared: all weights after one step at the experiment's own rates; the step itself at rates that float32 holds exactly.
Tolerance: weights 2^-23, for MXNet's rates are float32 (rung 6); the step 1e-9: measured 4e-13, the gradients' own difference and
the rounding of weights that are far larger than their step.
Fails: what rung 6 cannot see, for it knows only steps of the form lr (g + wd w).
"""

from dataclasses import replace

from shared.parity.lockstep import exact_in_float32, framework_batch, trained_only
from shared.parity.tensors import compare

from ..inside import gradients, trained
from ..scene import NETS, TRAINING, steps_of, train, twins
from .r04_loss import CLASS_WEIGHTS
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


def check_balanced_step(scene, name="finetune"):
    """The step with weighed classes is the rate times the gradient of the weighed mean loss, decay included, in both."""
    exact = replace(exact_in_float32(scene.experiment(name)), num_epochs=1)
    batch, measured = steps_of(scene, 1)[0], []
    for framework, net in twins(scene, exact).items():
        grads = gradients(framework, twins(scene, exact)[framework], batch, scene, class_weights=CLASS_WEIGHTS)
        before = trained_only(NETS[framework].get_tensors(net))
        given = [framework_batch(framework, batch)]
        device = scene.where.of(framework)
        TRAINING[framework].train_fine_tuning(
            net, given, given, exact, device, lambda epoch: None, class_weights=CLASS_WEIGHTS
        )
        after = trained_only(NETS[framework].get_tensors(net))
        moved, wanted = {}, {}
        for tensor, gradient in grads.items():
            rate = exact.learning_rate * (exact.head_lr_mult if tensor.startswith("output.") else 1)
            moved[tensor] = after[tensor] - before[tensor]
            wanted[tensor] = -rate * (gradient + exact.weight_decay * before[tensor])
        measured.append(compare(RUNG, f"{framework}: the step with weighed classes", wanted, moved, 1e-9))
    return measured
