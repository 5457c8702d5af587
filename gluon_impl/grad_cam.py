"""Which pixels mattered, in Gluon: Grad-CAM, a map of how much each place of an image speaks for a class.

    maps = class_activation_map(net, X, class_index=0)

It looks at the network and leaves it as it was.
"""

from mxnet import autograd, npx
from mxnet.gluon import nn

npx.set_np()


def class_activation_map(net, X, class_index, stage=4):
    """How much each place of the feature maps of `stage` (1 to 4) speaks for the class `class_index`, for every image, as Grad-CAM.

    X: images (N, 3, H, W) in the network's dtype, on any device. Returns a NumPy array (N, h, w) in that dtype, nowhere negative;
    the last stage has a place for every 32 pixels, each stage before it one for half as many. Computed as evaluation computes;
    tensors, running statistics, gradients and mode of `net` stay as they were.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017.
    """
    below, above = split_features(net, stage)
    with autograd.pause(train_mode=False):
        maps = _through(below, X.as_in_ctx(net.output.bias.list_ctx()[0]))
    maps.attach_grad()
    with autograd.record(train_mode=False):
        score = net.output(_through(above, maps))[:, class_index].sum()
    # not backward(), which would write the parameters' gradients too
    (gradient,) = autograd.grad(score, maps, train_mode=False)
    weights = gradient.as_np_ndarray().mean(axis=(2, 3), keepdims=True)
    return npx.relu((weights * maps).sum(axis=1)).asnumpy()


def split_features(net, stage):
    """The layers of `net.features` up to and with `stage` (1 to 4), and those above it: two lists."""
    layers = list(net.features)
    stages = [i for i, layer in enumerate(layers) if isinstance(layer, nn.HybridSequential)]
    end = stages[stage - 1] + 1
    return layers[:end], layers[end:]


def _through(layers, X):
    for layer in layers:
        X = layer(X)
    return X
