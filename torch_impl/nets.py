"""The chapter's networks in PyTorch: source, fine-tuned, from scratch, frozen, with a reused output row.

    source = shared.networks.reading.load_source("mini")
    net = finetune_net(source, classes=2)

Networks are made on the CPU; training and prediction move them.
"""

from dataclasses import replace

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from shared.networks.architecture import check_tensors
from shared.networks.rows import reused_output
from shared.strategies import is_kept, is_trained
from torch_impl.resnet_v1 import BottleneckV1, ResNetV1
from torch_impl.resnet_v2 import BasicBlockV2, BottleneckV2, ResNetV2


def build_net(architecture):
    """A network of `architecture` with PyTorch's own initial parameters: images (N, 3, H, W) -> logits (N, classes)."""
    net_class, block = {
        (1, "basic"): (ResNetV1, BasicBlock),
        (1, "bottleneck"): (ResNetV1, BottleneckV1),
        (1, "bottleneck_v1b"): (ResNetV1, Bottleneck),
        (2, "basic"): (ResNetV2, BasicBlockV2),
        (2, "bottleneck"): (ResNetV2, BottleneckV2),
    }[architecture.version, architecture.block]
    return net_class(architecture.layers, architecture.channels, architecture.classes, block)


def pretrained_net(source):
    """The source network: `source`'s architecture with all of its tensors."""
    net = build_net(source.architecture)
    set_tensors(net, source.tensors)
    return net


def finetune_net(source, classes):
    """The target network: the features of `source`, and a new output layer for `classes` classes (Xavier, bias zero)."""
    net = scratch_net(source.architecture, classes)
    features = {name: t for name, t in source.tensors.items() if name.startswith("features.")}
    set_tensors(net, get_tensors(net) | features)
    return net


def scratch_net(architecture, classes):
    """The same network with nothing learned: Xavier weights, biases zero, batch normalisation the identity."""
    net = build_net(replace(architecture, classes=classes))
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def freeze_features(net, lock_batch_norm=False, below="output"):
    """Keep every bit of what lies below the stage `below` as it is, running statistics included; from there on all is trained.

    lock_batch_norm: training normalises by the running statistics there too, as evaluation does; else by the batch. Called again
    with a lower stage it sets free what it kept.
    """
    for name, param in net.named_parameters():
        param.requires_grad_(is_trained(name, below))
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            kept = is_kept(name, below)
            # In train mode PyTorch moves running statistics whether or not gradients are wanted. Not tracking them, once they
            # are there, stops that; evaluation goes on reading them.
            module.track_running_stats = not kept
            module.__class__ = LockedBatchNorm2d if lock_batch_norm and kept else nn.BatchNorm2d
            module.train(net.training)


class LockedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that `net.train()` does not reach: it uses its running statistics in training too."""

    def train(self, mode=True):
        return super().train(False)


def reuse_row(net, source, row, slot, other_row="mean"):
    """Put row `row` of the source's output layer (weight and bias) into row `slot` of `net`'s; see `reused_output`."""
    tensors = get_tensors(net)
    set_tensors(net, tensors | reused_output(source, row, slot, tensors, other_row))


def named_parameters(net):
    """{canonical name: parameter} of all that has a gradient in some experiment, in network order; no running statistics."""
    return dict(net.named_parameters())


def get_tensors(net):
    """All tensors of `net` as {canonical name: NumPy array}, in network order; copies."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in _named_tensors(net).items()}


def set_tensors(net, tensors):
    """Put `tensors` {canonical name: NumPy array} into `net`.

    Raises UserError naming the tensor when one is missing, unknown, or has another shape or dtype than the network's;
    nothing is changed then.
    """
    state = _named_tensors(net)
    expected = {name: tuple(tensor.shape) for name, tensor in state.items()}
    check_tensors(tensors, expected, state["output.bias"].cpu().numpy().dtype)
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(torch.from_numpy(tensors[name]))


def _named_tensors(net):
    # num_batches_tracked only counts; nothing in Gluon corresponds to it.
    return {name: tensor for name, tensor in net.state_dict().items() if not name.endswith("num_batches_tracked")}
