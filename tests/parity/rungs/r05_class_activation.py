"""Rung 5, gradients of activations: Grad-CAM gives the same maps in both frameworks, and leaves the network as it was.

Compared: the maps of every stage and class; those of the last stage with what the formula gives by hand, in NumPy; tensors,
gradients and mode before and after.
Tolerance: 1e-12 in float64 (measured: 8e-15 at most, with the weights of a real ResNet-18); none for what must stay.
Fails: no ReLU, another average, another stage, another score, batch normalisation in training, gradients or modes left behind.
"""

from dataclasses import replace

import numpy as np

from shared.parity.lockstep import framework_batch
from shared.parity.tensors import changed, compare

from ..inside import forward, gluon_gradients, gradients, torch_gradients
from ..scene import GRAD_CAM, NETS, steps_of, twins

RUNG = 5

MAPS = 1e-12
IMAGES, SIZE = 4, 64  # two by two places in the last stage
GRADIENTS = {"gluon": gluon_gradients, "torch": torch_gradients}


def check_maps(scene):
    """Maps of every stage for both classes; the network is in the middle of training, with gradients, and stays there."""
    X, y = steps_of(replace(scene, size=SIZE, batch_size=IMAGES), 1)[0]
    maps, by_hand, measured = {}, {}, []
    for framework, net in twins(scene, scene.experiment("finetune")).items():
        given = framework_batch(framework, (X, y))[0]
        tensors = NETS[framework].get_tensors(net)
        gradients(framework, net, (X, y), scene)
        NETS[framework].set_tensors(net, tensors)  # running statistics part here, see rung 9
        by_hand[framework] = {f"stage 4, class {c}": _by_hand(framework, net, given, scene, c) for c in (0, 1)}
        # as in the middle of training
        net.hybridize(static_alloc=True) if framework == "gluon" else net.train()
        before = _state(framework, net)
        maps[framework] = {
            f"stage {stage}, class {c}": GRAD_CAM[framework].class_activation_map(net, given, c, stage)
            for stage in (1, 2, 3, 4)
            for c in (0, 1)
        }
        after = _state(framework, net)
        measured.append(compare(RUNG, f"{framework}: what a map must not change", before, after, 0, changed))
        last = {name: maps[framework][name] for name in by_hand[framework]}
        measured.append(compare(RUNG, f"{framework}: maps of the last stage by hand", by_hand[framework], last, MAPS))
    for stage in (1, 2, 3, 4):
        if not any((maps["gluon"][f"stage {stage}, class {c}"] > 0).any() for c in (0, 1)):
            raise ValueError(f"{scene.name}: nothing speaks for any class in stage {stage}; this shows little")
    return [*measured, compare(RUNG, "class activation maps", maps["gluon"], maps["torch"], MAPS)]


def _state(framework, net):
    """All tensors and gradients, and how many parts of a PyTorch network are in training mode."""
    state = NETS[framework].get_tensors(net)
    state |= {f"gradient of {name}": gradient.copy() for name, gradient in GRADIENTS[framework](net).items()}
    if framework == "torch":
        state |= {f"mode of {name}": np.array([module.training]) for name, module in net.named_modules()}
    return state


def _by_hand(framework, net, X, scene, class_index):
    """ReLU of the maps' weighted sum. Behind the last stage there is only an average, in version 2 a normalisation before it.

    So the derivative of the score by a place of a map is the map's weight in the output layer over the number of places; times
    scale over deviation, where that normalisation and its ReLU let it through.
    """
    blocks, tensors = forward(framework, net, X, scene, training=False), NETS[framework].get_tensors(net)
    weights = tensors["output.weight"][class_index]
    shape = (len(X), len(weights), SIZE // 32, SIZE // 32)
    last = [name for name in blocks if name.startswith("layer4.")][-1]
    maps = blocks[last].reshape(shape)
    slope = np.broadcast_to(weights[:, None, None] / shape[2] / shape[3], shape)
    if "relu2" in blocks:
        scale = tensors["features.bn2.weight"] / np.sqrt(tensors["features.bn2.running_var"] + 1e-5)
        slope = slope * scale[:, None, None] * (blocks["relu2"].reshape(shape) > 0)
    return np.maximum((slope.mean(axis=(2, 3), keepdims=True) * maps).sum(axis=1), 0)
