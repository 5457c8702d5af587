"""The chapter's training in Gluon: seeding, device, the loop, evaluation, prediction.

For example:

    net = finetune_net(source, classes=2)
    train_fine_tuning(net, train_batches, test_batches, learning_rate=0.01, head_lr_mult=10, ...)
"""

import random
import time

import mxnet as mx
import numpy
from mxnet import autograd, gluon, npx

from gluon_impl.devices import gluon_reason
from shared.epochs import Epoch
from shared.errors import UserError

npx.set_np()


def seed_everything(seed):
    """Derive every generator of a Gluon run from `seed`: cropping (Python), shuffling (NumPy), mirroring and weights (MXNet)."""
    random.seed(seed)
    numpy.random.seed(seed)
    mx.random.seed(seed)


def choose_device(wanted="auto"):
    """The MXNet context for `wanted` (auto, cpu, gpu), and the reason in words.

    Raises UserError when a GPU is wanted that this MXNet cannot use.
    """
    usable, reason = gluon_reason(mx)
    if wanted == "gpu" and not usable:
        raise UserError(f"Gluon cannot use a GPU: {reason}. Use --device auto or cpu.")
    if wanted == "cpu":
        return mx.cpu(), "asked for"
    return (mx.gpu() if usable else mx.cpu()), reason


def train_fine_tuning(
    net,
    train_batches,
    test_batches,
    learning_rate,
    head_lr_mult,
    weight_decay,
    num_epochs,
    device,
    on_epoch,
):
    """Train what is not frozen by minibatch SGD on the mean cross-entropy; the output layer at `head_lr_mult` times the rate.

    train_batches, test_batches: iterables of (X, y). on_epoch: called with a shared.epochs.Epoch before the first epoch
    (epoch 0) and after each one. Weight decay reaches every trained tensor, biases and batch normalisation too.
    """
    _move(net, device)
    net.hybridize(static_alloc=True)
    for param in net.output.collect_params().values():
        param.lr_mult = head_lr_mult
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": learning_rate, "wd": weight_decay})
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    on_epoch(Epoch(0, test_accuracy=evaluate_accuracy(net, test_batches, device)))
    for epoch in range(1, num_epochs + 1):
        start, count, loss_sum, correct = time.perf_counter(), 0, 0.0, 0.0
        for X, y in train_batches:
            X, y = X.as_in_ctx(device), y.as_in_ctx(device)
            with autograd.record():
                y_hat = net(X)
                l = loss(y_hat, y)
            l.backward()
            trainer.step(len(y))  # the mean over this batch, be it a short last one
            loss_sum += float(l.sum())
            correct += float((y_hat.argmax(axis=1).astype(y.dtype) == y).sum())
            count += len(y)
        npx.waitall()
        seconds = time.perf_counter() - start
        accuracy = evaluate_accuracy(net, test_batches, device)
        on_epoch(Epoch(epoch, loss_sum / count, correct / count, accuracy, seconds, count / seconds))


def evaluate_accuracy(net, batches, device):
    """The share of images in `batches` whose most probable class is the right one."""
    probabilities, labels = predict_probabilities(net, batches, device)
    return float((probabilities.argmax(axis=1) == labels).mean())


def predict_probabilities(net, batches, device):
    """Softmax outputs (N, classes) float32 and labels (N,) int64 for all images in `batches`, as NumPy arrays."""
    _move(net, device)
    outputs = [(npx.softmax(net(X.as_in_ctx(device))).asnumpy(), y.asnumpy()) for X, y in batches]
    probabilities, labels = zip(*outputs, strict=True)
    return numpy.concatenate(probabilities), numpy.concatenate(labels).astype("int64")


def predict_features(net, batches, device, training=False):
    """What the output layer is given: features (N, width) float32 and labels (N,) int64 for all images in `batches`.

    training: as training gives them, batch normalisation normalising by the batch.
    """
    _move(net, device)
    with autograd.train_mode() if training else autograd.predict_mode():
        outputs = [(net.features(X.as_in_ctx(device)).asnumpy().reshape(len(y), -1), y.asnumpy()) for X, y in batches]
    features, labels = zip(*outputs, strict=True)
    return numpy.concatenate(features), numpy.concatenate(labels).astype("int64")


def _move(net, device):
    # reset_ctx makes every array anew, even where it already is.
    if net.output.bias.list_ctx() != [device]:
        net.collect_params().reset_ctx(device)
