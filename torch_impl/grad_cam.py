"""Which pixels mattered, in PyTorch: Grad-CAM, a map of how much each place of an image speaks for a class.

    maps = class_activation_map(net, X, class_index=0)

It looks at the network and leaves it as it was.
"""

from contextlib import contextmanager

import torch
from torch import nn

from torch_impl.training import _to


def class_activation_map(net, X, class_index, stage=4):
    """How much each place of the feature maps of `stage` (1 to 4) speaks for the class `class_index`, for every image, as Grad-CAM.

    X: images (N, 3, H, W) in the network's dtype, on any device. Returns a NumPy array (N, h, w) in that dtype, nowhere negative;
    the last stage has a place for every 32 pixels, each stage before it one for half as many. Computed as evaluation computes;
    tensors, running statistics, gradients and mode of `net` stay as they were.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017.
    """
    below, above = split_features(net, stage)
    with torch.no_grad(), _evaluation(net):
        maps = _through(below, _to(net.output.bias.device, X))
        with torch.enable_grad():
            score = net.output(_through(above, maps.requires_grad_()))[:, class_index].sum()
    # not backward(), which would add to the parameters' gradients too
    (gradient,) = torch.autograd.grad(score, maps)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * maps).sum(dim=1).relu().detach().cpu().numpy()


def split_features(net, stage):
    """The layers of `net.features` up to and with `stage` (1 to 4), and those above it: two lists."""
    layers = list(net.features)
    stages = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Sequential)]
    end = stages[stage - 1] + 1
    return layers[:end], layers[end:]


def _through(layers, X):
    for layer in layers:
        X = layer(X)
    return X


@contextmanager
def _evaluation(net):
    """Every module of `net` in evaluation mode, and afterwards in the mode that it had."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
