"""What other ways to transfer add to the chapter's training in PyTorch: phases, a schedule of the rate, soft targets, clipping.

Which stage, multiple and factor an experiment asks for is said by shared.strategies, the same for both frameworks.
"""

import torch
from torch import nn

from shared.images.draws import dropout_mask
from shared.strategies import rate_factor, stage_at
from torch_impl.nets import freeze_features, named_parameters


def enter_phase(net, experiment, epoch, stage):
    """Set free what is trained from `epoch` on, where that is more than from `stage` on; returns the stage that it is from now."""
    now = stage_at(experiment.trained_from, epoch)
    if now != stage:
        freeze_features(net, experiment.lock_batch_norm, below=now)
    return now


def set_rate(trainer, experiment, epoch, step, batches):
    """Give `trainer` its rate for `step` (0 is the first) of `epoch` (1 is the first) by the schedule; `batches`: an epoch's."""
    if experiment.schedule != "constant":
        update = (epoch - 1) * len(batches) + step
        factor = rate_factor(experiment.schedule, update, experiment.num_epochs * len(batches))
        for group in trainer.param_groups:
            group["lr"] = experiment.learning_rate * factor * group["multiple"]


def get_rates(net, trainer):
    """The rate that `trainer` gives every tensor that it trains now, {canonical name: rate}; what is frozen is left out."""
    rates = {param: group["lr"] for group in trainer.param_groups for param in group["params"]}
    return {name: rates[param] for name, param in named_parameters(net).items() if param.requires_grad}


def make_loss(experiment):
    """The cross-entropy of every image in a batch, labels smoothed if asked: outputs (N, classes), class indices (N,) -> (N,).

    Of mixed images: shares of the classes (N, classes) in place of indices.
    """
    return nn.CrossEntropyLoss(reduction="none", label_smoothing=experiment.label_smoothing)


def outputs(net, X, experiment, seed, epoch, step):
    """The outputs (N, classes) of a training step, the output layer being kept from a share of the features where that is asked."""
    if not experiment.dropout:
        return net(X)
    features = net.features(X)
    mask = dropout_mask(seed, epoch, step, tuple(features.shape), experiment.dropout)
    return net.output(features * torch.from_numpy(mask).to(features))


def clip_gradients(net, experiment, count):
    """Scale all gradients, summed over `count` images, so that together they measure `clip_norm` times `count` at most."""
    if experiment.clip_norm:
        nn.utils.clip_grad_norm_(net.parameters(), experiment.clip_norm * count)
