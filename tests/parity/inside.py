"""What happens inside a network: the output of every block, and the gradient of every tensor, in both frameworks."""

import re

import mxnet as mx
import numpy as np
import torch
from mxnet import autograd, gluon

from shared.parity.lockstep import framework_batch, trained_only

from .scene import NETS, array

# Biases in front of a batch normalisation, which takes any constant away again: only Gluon's bottleneck v1 has them.
IDLE = re.compile(r"features\.layer\d+\.\d+\.conv\d\.bias$")


def without_idle(tensors: dict) -> dict:
    """Without the tensors whose gradient is zero in exact arithmetic: what is left of it is rounding, other in each framework."""
    return {name: tensor for name, tensor in tensors.items() if not IDLE.search(name)}


def trained(tensors: dict, experiment) -> dict:
    """Without running statistics, and from scratch, where they start at zero and stay rounding, without idle biases."""
    tensors = trained_only(tensors)
    return without_idle(tensors) if experiment.start == "scratch" else tensors


def forward(framework, net, X, scene, training):
    """{block: output} in network order, from the first layer to the logits (`output`)."""
    found = {}
    X = X.as_in_ctx(scene.where.gluon) if framework == "gluon" else X.to(scene.where.torch)
    handles = []
    blocks = _gluon_blocks(net) if framework == "gluon" else _torch_blocks(net)
    for name, block in blocks.items():

        def keep(_block, _inputs, output, name=name):
            found[name] = array(output if framework == "gluon" else output.cpu()).reshape(len(output), -1).copy()

        handles.append(block.register_forward_hook(keep))
    if framework == "gluon":
        with autograd.train_mode() if training else autograd.predict_mode():
            net(X)
        mx.nd.waitall()
    else:
        net.train(training)
        with torch.no_grad():
            net(X)
    for handle in handles:
        handle.detach() if framework == "gluon" else handle.remove()
    return found


def _torch_blocks(net):
    blocks = {}
    for name, child in net.features.named_children():
        if name != "flatten":
            blocks |= {f"{name}.{i}": b for i, b in enumerate(child)} if name.startswith("layer") else {name: child}
    return blocks | {"output": net.output}


def _gluon_blocks(net):
    # Gluon numbers the children of `features`; the n-th of them is the n-th of the torch twin.
    version = 2 if isinstance(net, gluon.model_zoo.vision.ResNetV2) else 1
    stem = {1: ["conv1", "bn1", "relu", "maxpool"], 2: ["bn0", "conv1", "bn1", "relu1", "maxpool"]}[version]
    tail = {1: ["avgpool"], 2: ["bn2", "relu2", "avgpool"]}[version]
    children = list(net.features._children.values())
    stages = children[len(stem) : len(children) - len(tail) - (version == 2)]
    blocks = dict(zip(stem, children, strict=False))
    for i, stage in enumerate(stages, 1):
        blocks |= {f"layer{i}.{j}": b for j, b in enumerate(stage._children.values())}
    blocks |= dict(zip(tail, children[len(stem) + len(stages) :], strict=False))
    return blocks | {"output": net.output}


def gradients(framework, net, batch, scene, dtype="float64", class_weights=None):
    """{name: gradient of the batch's mean cross-entropy} of all tensors that are trained, in train mode.

    class_weights: (classes,) factors of the images' losses, before the mean.
    """
    X, y = framework_batch(framework, batch, dtype)
    factors = np.ones(len(y)) if class_weights is None else class_weights[batch[1]]
    if framework == "gluon":
        X, y = X.as_in_ctx(scene.where.gluon), y.as_in_ctx(scene.where.gluon)
        factors = mx.np.array(factors, dtype=dtype, ctx=scene.where.gluon)
        with autograd.record():
            loss = (gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y) * factors).mean()
        loss.backward()
        return gluon_gradients(net)
    net.train()
    net.zero_grad()
    X, y, factors = (part.to(scene.where.torch) for part in (X, y, torch.from_numpy(factors.astype(dtype))))
    (torch.nn.functional.cross_entropy(net(X), y, reduction="none") * factors).mean().backward()
    return torch_gradients(net)


def gluon_gradients(net):
    params = NETS["gluon"]._named_params(net)
    return {n: p.grad().asnumpy() for n, p in params.items() if p.grad_req != "null"}


def torch_gradients(net):
    return {n: p.grad.cpu().numpy() for n, p in net.named_parameters() if p.requires_grad}
