"""What other ways to transfer add to the chapter's training in Gluon: phases, a schedule of the rate, smoothed labels.

Which stage, multiple and factor an experiment asks for is said by shared.strategies, the same for both frameworks.
"""

from mxnet import gluon, npx

from gluon_impl.nets import freeze_features
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


def make_loss(experiment):
    """The cross-entropy of every image in a batch, labels smoothed if asked: outputs (N, classes), class indices (N,) -> (N,)."""
    if not experiment.label_smoothing:
        return gluon.loss.SoftmaxCrossEntropyLoss()
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False)

    def loss(y_hat, y):
        right, wrong = smoothed(experiment.label_smoothing, y_hat.shape[1])
        return cross_entropy(y_hat, npx.one_hot(y, y_hat.shape[1], right, wrong, dtype=y_hat.dtype))

    return loss
