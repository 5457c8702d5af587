"""Adapting to new images at test time, in Gluon: Tent, which needs no labels and no training images.

    probabilities, labels = tent(net, test_batches, device, learning_rate=0.001)

It adapts the network itself; open the trained one again to have it as it was.
"""

import numpy
from mxnet import autograd, gluon, np, npx
from mxnet.gluon import nn

from gluon_impl.training import _move

npx.set_np()


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
        with autograd.record():
            log_p = npx.log_softmax(net(X.as_in_ctx(device)))
            entropy = -(np.exp(log_p) * log_p).sum(axis=1)
        entropy.backward()
        trainer.step(len(y))  # the mean over this batch
        outputs.append((np.exp(log_p).asnumpy(), y.asnumpy()))
    probabilities, labels = zip(*outputs, strict=True)
    return numpy.concatenate(probabilities), numpy.concatenate(labels).astype("int64")


def make_adapter(net, device, learning_rate):
    """What adapts `net`: SGD on the scales and shifts of its batch normalisation; all else keeps every bit.

    net: as `pretrained_net` or `finetune_net` makes it, on whatever device; it is moved.
    """
    _move(net, device)
    for param in net.collect_params().values():
        param.grad_req = "null"
    adapted = []

    def adapt(block):
        if isinstance(block, nn.BatchNorm):
            # Statistics that keep all of the old value do not move, neither in the backward pass (CPU) nor the forward (GPU).
            block._kwargs["momentum"] = 1.0
            block._kwargs["use_global_stats"] = False
            for param in (block.gamma, block.beta):
                param.grad_req = "write"  # it stays "null" in the first layer of v2, which has neither scale nor shift
                adapted.append(param)

    net.apply(adapt)
    # Again, where it was hybridized already: a compiled network keeps the settings that it was compiled with.
    net.hybridize(static_alloc=True)
    return gluon.Trainer(adapted, "sgd", {"learning_rate": learning_rate})
