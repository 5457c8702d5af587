"""What other ways to transfer add to the chapter's training in Gluon: phases, a schedule of the rate, soft targets, AdamW.

Which stage, multiple and factor an experiment asks for is said by shared.strategies, the same for both frameworks.
"""

import math

import mxnet as mx
import numpy
from mxnet import gluon, np, npx

from gluon_impl.nets import freeze_features, named_parameters
from shared.images.draws import dropout_mask
from shared.strategies import rate_factor, smoothed, stage_at

npx.set_np()


def enter_phase(net, experiment, epoch, stage):
    """Set free what is trained from `epoch` on, where that is more than from `stage` on; returns the stage that it is from now."""
    now = stage_at(experiment.trained_from, epoch)
    if now != stage:
        freeze_features(net, experiment.lock_batch_norm, below=now)
        net.hybridize(static_alloc=True)  # compiled anew: what was compiled goes on using locked statistics
    return now


def set_rate(trainer, experiment, epoch, step, batches):
    """Give `trainer` its rate for `step` (0 is the first) of `epoch` (1 is the first) by the schedule; `batches`: an epoch's."""
    if experiment.schedule != "constant":
        # Gluon's own schedulers begin with f(1) where PyTorch's begin with f(0); and given a scheduler, its optimisers use the
        # scheduler's rate, not theirs.
        update = (epoch - 1) * len(batches) + step
        factor = rate_factor(experiment.schedule, update, experiment.num_epochs * len(batches))
        trainer.set_learning_rate(experiment.learning_rate * factor)


def get_rates(net, trainer):
    """The rate that `trainer` gives every tensor that it trains now, {canonical name: rate}; what is frozen is left out."""
    trained = {name: param for name, param in named_parameters(net).items() if param.grad_req != "null"}
    return {name: trainer.learning_rate * param.lr_mult for name, param in trained.items()}


def make_loss(experiment):
    """The cross-entropy of every image in a batch, labels smoothed if asked: outputs (N, classes), class indices (N,) -> (N,).

    Of mixed images: shares of the classes (N, classes) in place of indices.
    """
    if not experiment.label_smoothing and experiment.mixing == "none":
        return gluon.loss.SoftmaxCrossEntropyLoss()
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False)

    def loss(y_hat, y):
        right, wrong = smoothed(experiment.label_smoothing, y_hat.shape[1])
        soft = npx.one_hot(y, y_hat.shape[1], dtype=y_hat.dtype) if y.ndim == 1 else y
        return cross_entropy(y_hat, soft * (right - wrong) + wrong)

    return loss


def outputs(net, X, experiment, seed, epoch, step):
    """The outputs (N, classes) of a training step, the output layer being kept from a share of the features where that is asked."""
    if not experiment.dropout:
        return net(X)
    features = net.features(X)
    mask = dropout_mask(seed, epoch, step, features.shape[:2], experiment.dropout)
    return net.output(features * np.array(mask, dtype=features.dtype, ctx=features.ctx).reshape(features.shape))


def clip_gradients(net, experiment, count):
    """Scale all gradients, summed over `count` images, so that together they measure `clip_norm` times `count` at most."""
    if experiment.clip_norm:
        # gluon.utils.clip_global_norm fails on NumPy arrays, and has another epsilon than PyTorch's 1e-6.
        gradients = [param.grad() for param in named_parameters(net).values() if param.grad_req != "null"]
        norm = math.sqrt(sum(float((g * g).sum()) for g in gradients)) / count
        for gradient in gradients:
            gradient *= min(1.0, experiment.clip_norm / (norm + 1e-6))


@mx.optimizer.Optimizer.register
class AdamW(mx.optimizer.Adam):
    """Adam with weight decay beside the gradient, not in it, as PyTorch's: `"adamw"` for a Trainer, which MXNet 1.9 lacks.

    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization" (2019). MXNet's Adam adds epsilon before the bias correction,
    PyTorch's after it; the factor makes up for that. It averages with betas rounded to float32; the bias correction has to know.
    """

    def __init__(self, **recipe):
        super().__init__(beta1=float(numpy.float32(0.9)), beta2=float(numpy.float32(0.999)), **recipe)

    def update(self, index, weight, grad, state):
        updates = self._index_update_count.get(index, self.begin_num_update) + 1
        self.epsilon = 1e-8 * math.sqrt(1 - self.beta2**updates)
        weight *= 1 - self._get_lr(index) * self._get_wd(index)
        decay, self.wd = self.wd, 0.0
        super().update(index, weight, grad, state)
        self.wd = decay
