"""Rung 5, gradients: the same tensors get one, and it is the same.

Compared: which tensors have a gradient in each framework, and each gradient of one batch's mean loss, in train mode.
Biases that a batch normalisation takes away have no gradient but rounding: held below IDLE_GRADIENTS of the largest of all.
Tolerance: relative, float64, 1e-9; measured 4e-13. In float32 gradients differ by up to 7e-2, by rounding: none is compared.
Fails: a tensor that is trained in one framework only, a path that carries no gradient.
"""

import numpy as np

from shared.parity.tensors import Mismatch, compare

from ..inside import gradients, without_idle
from ..scene import steps_of, twins

RUNG = 5

GRADIENTS = 1e-9
IDLE_GRADIENTS = 1e-12  # measured 3e-15


def check_gradients(scene, name="finetune"):
    """Which tensors get a gradient, and each gradient, in float64."""
    nets, batch = twins(scene, scene.experiment(name)), steps_of(scene, 1)[0]
    found = {framework: gradients(framework, net, batch, scene) for framework, net in nets.items()}
    for framework, all_of_them in found.items():
        largest = max(np.abs(gradient).max() for gradient in all_of_them.values())
        for tensor in all_of_them.keys() - without_idle(all_of_them).keys():
            if not np.abs(all_of_them[tensor]).max() <= IDLE_GRADIENTS * largest:
                raise Mismatch(
                    RUNG, f"{name}: {framework}'s {tensor} has a gradient, in front of a batch normalisation"
                )
    learning = {framework: without_idle(all_of_them) for framework, all_of_them in found.items()}
    return [compare(RUNG, name, learning["gluon"], learning["torch"], GRADIENTS)]
