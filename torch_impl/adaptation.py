"""Adapting to new images at test time, in PyTorch: Tent, which needs no labels and no training images.

    probabilities, labels = tent(net, test_batches, device, learning_rate=0.001)

It adapts the network itself; open the trained one again to have it as it was.
"""

import numpy
import torch
from torch import nn

from torch_impl.training import _move, _to


def tent(net, batches, device, learning_rate):
    """Predict batch by batch, each normalised by its own statistics, and after each take a step that makes `net` surer.

    The step is one of SGD on the batch's mean entropy, of batch normalisation's scales and shifts only; at rate 0 they stay, and
    the batch's statistics are all that is new. Running statistics are neither used nor changed. batches: (X, y), y for the
    caller only. Returns softmax outputs (N, classes) in the network's dtype, from before each step, and labels (N,) int64.

    Source: Wang et al., "Tent: Fully Test-Time Adaptation by Entropy Minimization", ICLR 2021.
    """
    trainer = make_adapter(net, device, learning_rate)
    outputs = []
    for X, y in batches:
        log_p = net(_to(device, X)).log_softmax(dim=1)
        entropy = -(log_p.exp() * log_p).sum(dim=1)
        trainer.zero_grad()
        entropy.mean().backward()
        trainer.step()
        outputs.append((log_p.detach().exp().cpu().numpy(), y.numpy()))
    probabilities, labels = zip(*outputs, strict=True)
    return numpy.concatenate(probabilities), numpy.concatenate(labels).astype("int64")


def make_adapter(net, device, learning_rate):
    """What adapts `net`: SGD on the scales and shifts of its batch normalisation; all else keeps every bit.

    net: as `pretrained_net` or `finetune_net` makes it, on whatever device; it is moved.
    """
    _move(net, device)
    net.train()
    adapted = []
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            # In train mode statistics move with every forward pass, unless they are not tracked.
            module.track_running_stats = False
            # none in the first layer of v2, which has neither scale nor shift
            adapted += [p for p in module.parameters() if p.requires_grad]
    net.requires_grad_(False)
    for param in adapted:
        param.requires_grad_(True)
    return torch.optim.SGD(adapted, lr=learning_rate)
