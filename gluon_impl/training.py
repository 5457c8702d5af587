"""The chapter's training in Gluon: seeding, device, the loop, evaluation, prediction.

For example:

    net = finetune_net(source, classes=2)
    train_fine_tuning(net, train_batches, test_batches, experiment("finetune"), device, on_epoch=print)
"""

import random
import time

import mxnet as mx
import numpy
from mxnet import autograd, gluon, np, npx

from gluon_impl.devices import find_gpu
from gluon_impl.nets import named_parameters
from gluon_impl.strategies import clip_gradients, enter_phase, make_loss, outputs, set_rate
from shared.device import Device
from shared.epochs import EpochMetrics
from shared.errors import UserError
from shared.strategies import rate_multiple, stage_at

npx.set_np()


def seed_everything(seed):
    """Derive every generator of a Gluon run from `seed`: cropping (Python), shuffling (NumPy), mirroring and weights (MXNet)."""
    random.seed(seed)
    numpy.random.seed(seed)
    mx.random.seed(seed)


def choose_device(wanted="auto"):
    """The MXNet context for `wanted` (auto, cpu, gpu), and a shared.device.Device that says which one it is and why.

    Raises UserError when a GPU is wanted that this MXNet cannot use.
    """
    if wanted == "cpu":
        return mx.cpu(), Device("cpu", None, "asked for")
    found = find_gpu()
    if found.kind == "gpu":
        return mx.gpu(), found
    if wanted == "gpu":
        raise UserError(f"Gluon cannot use a GPU: {found.reason}. Use --device auto or cpu.")
    return mx.cpu(), found


def make_trainer(net, experiment, device):
    """What trains `net` on `device`: minibatch SGD at the experiment's rate, the output layer at `head_lr_mult` times it.

    Weight decay reaches every trained tensor, biases and batch normalisation too. What is frozen it knows as well, and trains once
    it is set free.
    """
    _move(net, device)
    for name, param in named_parameters(net).items():
        param.lr_mult = rate_multiple(name, experiment)  # the output layer's is `head_lr_mult`
    recipe = {"learning_rate": experiment.learning_rate, "wd": experiment.weight_decay}
    return gluon.Trainer(net.collect_params(), experiment.optimizer, recipe)


def train_fine_tuning(
    net, train_batches, test_batches, experiment, device, on_epoch, trainer=None, done=0, class_weights=None, seed=0
):
    """Train what is not frozen by minibatch SGD on the mean cross-entropy, with what `make_trainer` gives.

    train_batches, test_batches: iterables of (X, y). experiment: a shared.experiments.Experiment, for rates and epochs. on_epoch:
    called with a shared.epochs.EpochMetrics before the first epoch (epoch 0) and after each one. trainer, done: to go on after
    `done` epochs with what `make_trainer` gave. class_weights: (classes,) factors of the images' losses, which are then averaged
    over all images as before. seed: of what training itself draws, for experiments with dropout.
    """
    trainer = trainer or make_trainer(net, experiment, device)
    net.hybridize(static_alloc=True)
    loss = make_loss(experiment)
    evaluate = _evaluator(net, test_batches, device, experiment.frozen)
    if done == 0:
        on_epoch(_metrics(evaluate(), epoch=0))
    stage = stage_at(experiment.trained_from, 1)
    for epoch in range(done + 1, experiment.num_epochs + 1):
        stage = enter_phase(net, experiment, epoch, stage)
        start, count, loss_sum, correct = time.perf_counter(), 0, 0.0, 0.0
        for step, (X, y) in enumerate(train_batches):
            set_rate(trainer, experiment, epoch, step, train_batches)
            X, y = X.as_in_ctx(device), y.as_in_ctx(device)
            with autograd.record():
                if stage == "output":
                    y_hat = net.output(_frozen_features(net, X))
                else:
                    y_hat = outputs(net, X, experiment, seed, epoch, step)
                l = loss(y_hat, y)
                if class_weights is not None:
                    l = l * np.array(class_weights, dtype=l.dtype, ctx=device)[y]
            l.backward()
            clip_gradients(net, experiment, len(y))
            trainer.step(len(y))  # the mean over this batch, a short last one too
            loss_sum += float(l.sum())
            y = y if y.ndim == 1 else y.argmax(axis=1)  # a mixed image counts as what there is most of in it
            correct += float((y_hat.argmax(axis=1).astype(y.dtype) == y).sum())
            count += len(y)
        npx.waitall()
        seconds = time.perf_counter() - start
        trained = {"train_loss": loss_sum / count, "train_accuracy": correct / count}
        speed = {"seconds": seconds, "images_per_second": count / seconds}
        on_epoch(_metrics(evaluate(), epoch=epoch, **trained, **speed))


def _frozen_features(net, X):
    # As training sees them, but not recorded: nothing behind them is trained, so their activations need not be kept.
    with autograd.pause(train_mode=True):
        return net.features(X)


def _evaluator(net, batches, device, frozen):
    """What gives probabilities and labels of the test images, as `predict_probabilities` does, after every epoch."""
    if not frozen:
        return lambda: predict_probabilities(net, batches, device)
    features, labels = predict_features(net, batches, device)  # once: in evaluation, frozen features stay as they are
    features = np.array(features, dtype=features.dtype, ctx=device)
    return lambda: (npx.softmax(net.output(features)).asnumpy(), labels)


def _metrics(tested, **trained):
    probabilities, labels = tested
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return EpochMetrics(test_accuracy=accuracy, test_probabilities=probabilities, test_labels=labels, **trained)


def get_trainer_tensors(trainer):
    """What `trainer` remembers between steps, {name: NumPy array}, copies: nothing for SGD without momentum."""
    tensors = {}
    for index, state in trainer._updaters[0].states.items():
        parts = state if isinstance(state, tuple) else (state,)
        tensors |= {f"{index}.{i}": part.asnumpy() for i, part in enumerate(parts) if part is not None}
    counts = trainer._optimizer._index_update_count  # Adam's bias correction counts the updates of every tensor
    return tensors | {f"{index}.updates": numpy.array(count) for index, count in counts.items()}


def set_trainer_tensors(trainer, tensors):
    """Give `trainer` what `get_trainer_tensors` took from one of the same kind, network and device."""
    updater, optimizer = trainer._updaters[0], trainer._optimizer
    for name, array in tensors.items():
        index, part = name.split(".")
        index = int(index)
        if part == "updates":
            optimizer._index_update_count[index] = int(array)
            optimizer.num_update = max(optimizer.num_update, int(array))
            continue
        if index not in updater.states:
            weight = trainer._params[index].data()
            updater.states[index] = optimizer.create_state_multi_precision(index, weight)
            updater.states_synced[index] = True
        state = updater.states[index]
        (state[int(part)] if isinstance(state, tuple) else state)[:] = array


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
    if device not in net.output.bias.list_ctx():
        net.collect_params().reset_ctx(device)
