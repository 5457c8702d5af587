"""Rung 5, gradients: the same tensors get one, and it is the same.

Compared: which tensors have a gradient in each framework, and each gradient of one batch's mean loss, in train mode.
Tolerance: relative, float64, 1e-9; measured 4e-13. In float32 gradients differ by up to 7e-2, by rounding: none is compared.
Fails: a tensor that is trained in one framework only, a path that carries no gradient.
"""

from shared.parity.tensors import compare

from ..inside import gradients
from ..scene import steps_of, twins

RUNG = 5

GRADIENTS = 1e-9


def check_gradients(scene, name="finetune"):
    """Which tensors get a gradient, and each gradient, in float64."""
    nets, batch = twins(scene, scene.experiment(name)), steps_of(scene, 1)[0]
    found = {framework: gradients(framework, net, batch, scene) for framework, net in nets.items()}
    return [compare(RUNG, name, found["gluon"], found["torch"], GRADIENTS)]
