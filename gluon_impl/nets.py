"""The chapter's networks in Gluon: source, fine-tuned, from scratch, frozen, with a reused output row.

    source = shared.networks.reading.load_source("mini")
    net = finetune_net(source, classes=2)

Networks are made on the CPU; training and prediction move them.
"""

from dataclasses import replace

from mxnet import init, np, npx
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision

from gluon_impl.resnet_v1b import ResNetV1b
from shared.networks.architecture import check_tensors
from shared.networks.names import canonical_from_gluon
from shared.networks.rows import reused_output
from shared.strategies import is_kept, is_trained

npx.set_np()


def build_net(architecture):
    """A network of `architecture` whose parameters are not initialised yet: images (N, 3, H, W) -> logits (N, classes)."""
    layers, channels, classes = list(architecture.layers), list(architecture.channels), architecture.classes
    if architecture.block == "bottleneck_v1b":
        return ResNetV1b(layers, channels, classes)
    net_class, block = {
        (1, "basic"): (vision.ResNetV1, vision.BasicBlockV1),
        (1, "bottleneck"): (vision.ResNetV1, vision.BottleneckV1),
        (2, "basic"): (vision.ResNetV2, vision.BasicBlockV2),
        (2, "bottleneck"): (vision.ResNetV2, vision.BottleneckV2),
    }[architecture.version, architecture.block]
    return net_class(block, layers, channels, classes)


def pretrained_net(source):
    """The source network: `source`'s architecture with all of its tensors."""
    net = scratch_net(source.architecture, source.architecture.classes)
    set_tensors(net, source.tensors)
    return net


def finetune_net(source, classes):
    """The target network: the features of `source`, and a new output layer for `classes` classes (Xavier, bias zero)."""
    # Every target network gets features of its own: assigning pretrained_net.features would share them, and training one
    # network would change the other.
    net = scratch_net(source.architecture, classes)
    features = {name: t for name, t in source.tensors.items() if name.startswith("features.")}
    set_tensors(net, get_tensors(net) | features)
    return net


def scratch_net(architecture, classes):
    """The same network with nothing learned: Xavier weights, biases zero, batch normalisation the identity."""
    net = build_net(replace(architecture, classes=classes))
    net.initialize(init=init.Xavier())
    net(np.zeros((1, 3, 32, 32)))  # Gluon infers shapes at the first call, and only then draws the weights
    return net


def freeze_features(net, lock_batch_norm=False, below="output"):
    """Keep every bit of what lies below the stage `below` as it is, running statistics included; from there on all is trained.

    lock_batch_norm: training normalises by the running statistics there too, as evaluation does; else by the batch. Called again
    with a lower stage it sets free what it kept; hybridize the network again then, for what was compiled does not notice.
    """
    names = {param: name for name, param in _named_params(net).items()}
    for param, name in names.items():
        param.grad_req = "write" if is_trained(name, below) else "null"

    # On the CPU running statistics move in the backward pass, which no longer reaches the features. On the GPU (cuDNN) they
    # move in the forward pass, so their share of the new batch is set to zero as well.
    def keep_statistics(block):
        if isinstance(block, nn.BatchNorm):
            kept = is_kept(names[block.gamma], below)
            block._kwargs["momentum"] = 1.0 if kept else 0.9
            block._kwargs["use_global_stats"] = lock_batch_norm and kept

    net.features.apply(keep_statistics)


def reuse_row(net, source, row, slot, other_row="mean"):
    """Put row `row` of the source's output layer (weight and bias) into row `slot` of `net`'s; see `reused_output`."""
    tensors = get_tensors(net)
    set_tensors(net, tensors | reused_output(source, row, slot, tensors, other_row))


def named_parameters(net):
    """{canonical name: parameter} of all that has a gradient in some experiment, in network order; no running statistics."""
    return {name: param for name, param in _named_params(net).items() if "running_" not in name}


def get_tensors(net):
    """All tensors of `net` as {canonical name: NumPy array}, in network order; copies."""
    # A prediction still under way may be moving the weights into oneDNN's own layout; asnumpy() in that moment fails.
    npx.waitall()
    return {name: param.data().asnumpy() for name, param in _named_params(net).items()}


def set_tensors(net, tensors):
    """Put `tensors` {canonical name: NumPy array} into `net`.

    Raises UserError naming the tensor when one is missing, unknown, or has another shape or dtype than the network's;
    nothing is changed then.
    """
    params = _named_params(net)
    expected = {name: param.shape for name, param in params.items()}
    check_tensors(tensors, expected, params["output.bias"].dtype)
    for name, param in params.items():
        param.set_data(np.array(tensors[name], dtype=param.dtype))


def _named_params(net):
    layouts = {ResNetV1b: "1b", vision.ResNetV1: 1, vision.ResNetV2: 2}
    version = next(layout for net_class, layout in layouts.items() if isinstance(net, net_class))
    # The names that save_parameters writes; collect_params() of MXNet 1.9 numbers the layers of the whole process instead.
    return {canonical_from_gluon(name, version): param for name, param in net._collect_params_with_prefix().items()}
