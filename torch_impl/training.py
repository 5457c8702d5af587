"""The chapter's training in PyTorch: seeding, device, the loop, evaluation, prediction.

For example:

    net = finetune_net(source, classes=2)
    train_fine_tuning(net, train_batches, test_batches, experiment("finetune"), device, on_epoch=print)
"""

import random
import time

import numpy
import torch

from shared.device import Device
from shared.epochs import EpochMetrics
from shared.errors import UserError
from shared.strategies import rate_multiple, stage_at
from torch_impl.devices import find_gpu
from torch_impl.nets import named_parameters
from torch_impl.strategies import clip_gradients, enter_phase, make_loss, outputs, set_rate

# TF32 keeps 10 of float32's 23 bits of fraction; nothing computed with it could be compared with another framework.
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False

# Pixel by pixel with all channels together is the layout that oneDNN and cuDNN compute in; given it, they need not convert.
LAYOUT = torch.channels_last


def seed_everything(seed):
    """Derive every generator of a PyTorch run from `seed`: augmentation, shuffling, weights and workers all draw from torch's."""
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True  # on a GPU the same seed gives the same run only with these kernels


def choose_device(wanted="auto"):
    """The torch device for `wanted` (auto, cpu, gpu), and a shared.device.Device that says which one it is and why.

    Raises UserError when a GPU is wanted that this PyTorch cannot use.
    """
    if wanted == "cpu":
        return torch.device("cpu"), Device("cpu", None, "asked for")
    found = find_gpu()
    if found.kind == "gpu":
        return torch.device("cuda"), found
    if wanted == "gpu":
        raise UserError(f"PyTorch cannot use a GPU: {found.reason}. Use --device auto or cpu.")
    return torch.device("cpu"), found


def make_trainer(net, experiment, device):
    """What trains `net` on `device`: minibatch SGD at the experiment's rate, the output layer at `head_lr_mult` times it.

    Weight decay reaches every trained tensor, biases and batch normalisation too. What is frozen it knows as well, and trains once
    it is set free.
    """
    _move(net, device)
    groups = {}
    for name, param in named_parameters(net).items():
        groups.setdefault(rate_multiple(name, experiment), []).append(param)  # the output layer's is `head_lr_mult`
    optimizer = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[experiment.optimizer]
    return optimizer(
        [
            {"params": params, "lr": experiment.learning_rate * multiple, "multiple": multiple}
            for multiple, params in groups.items()
        ],
        weight_decay=experiment.weight_decay,
    )


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
    loss = make_loss(experiment)
    evaluate = _evaluator(net, test_batches, device, experiment.frozen)
    if done == 0:
        on_epoch(_metrics(evaluate(), epoch=0))
    stage = stage_at(experiment.trained_from, 1)
    for epoch in range(done + 1, experiment.num_epochs + 1):
        stage = enter_phase(net, experiment, epoch, stage)
        start, count, loss_sum, correct = time.perf_counter(), 0, 0.0, 0.0
        net.train()
        for step, (X, y) in enumerate(train_batches):
            set_rate(trainer, experiment, epoch, step, train_batches)
            X, y = _to(device, X), y.to(device)
            if stage == "output":
                y_hat = net.output(_frozen_features(net, X))
            else:
                y_hat = outputs(net, X, experiment, seed, epoch, step)
            l = loss(y_hat, y)
            if class_weights is not None:
                l = l * torch.tensor(class_weights, dtype=l.dtype, device=device)[y]
            trainer.zero_grad()
            l.mean().backward()  # the mean over this batch, a short last one too
            clip_gradients(net, experiment, 1)
            trainer.step()
            loss_sum += float(l.detach().sum())
            y = y if y.ndim == 1 else y.argmax(dim=1)  # a mixed image counts as what there is most of in it
            correct += float((y_hat.argmax(dim=1) == y).sum())
            count += len(y)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        trained = {"train_loss": loss_sum / count, "train_accuracy": correct / count}
        speed = {"seconds": seconds, "images_per_second": count / seconds}
        on_epoch(_metrics(evaluate(), epoch=epoch, **trained, **speed))


@torch.no_grad()
def _frozen_features(net, X):
    # As training sees them, but not recorded: nothing behind them is trained, so their activations need not be kept.
    return net.features(X)


def _evaluator(net, batches, device, frozen):
    """What gives probabilities and labels of the test images, as `predict_probabilities` does, after every epoch."""
    if not frozen:
        return lambda: predict_probabilities(net, batches, device)
    features, labels = predict_features(net, batches, device)  # once: in evaluation, frozen features stay as they are
    features = torch.from_numpy(features).to(device)
    return lambda: (net.output(features).detach().softmax(dim=1).cpu().numpy(), labels)


def _metrics(tested, **trained):
    probabilities, labels = tested
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return EpochMetrics(test_accuracy=accuracy, test_probabilities=probabilities, test_labels=labels, **trained)


def get_trainer_tensors(trainer):
    """What `trainer` remembers between steps, {name: NumPy array}, copies: nothing for SGD without momentum."""
    state = trainer.state_dict()["state"]
    return {
        f"{index}.{key}": torch.as_tensor(value).cpu().numpy().copy()
        for index, entries in state.items()
        for key, value in entries.items()
        if value is not None
    }


def set_trainer_tensors(trainer, tensors):
    """Give `trainer` what `get_trainer_tensors` took from one of the same kind, network and device."""
    state = {}
    for name, array in tensors.items():
        index, key = name.split(".")
        state.setdefault(int(index), {})[key] = torch.from_numpy(array)
    trainer.load_state_dict(trainer.state_dict() | {"state": state})


def evaluate_accuracy(net, batches, device):
    """The share of images in `batches` whose most probable class is the right one."""
    probabilities, labels = predict_probabilities(net, batches, device)
    return float((probabilities.argmax(axis=1) == labels).mean())


@torch.no_grad()
def predict_probabilities(net, batches, device):
    """Softmax outputs (N, classes) float32 and labels (N,) int64 for all images in `batches`, as NumPy arrays."""
    _move(net, device)
    net.eval()
    outputs = [(net(_to(device, X)).softmax(dim=1).cpu().numpy(), y.numpy()) for X, y in batches]
    probabilities, labels = zip(*outputs, strict=True)
    return numpy.concatenate(probabilities), numpy.concatenate(labels).astype("int64")


@torch.no_grad()
def predict_features(net, batches, device, training=False):
    """What the output layer is given: features (N, width) float32 and labels (N,) int64 for all images in `batches`.

    training: as training gives them, batch normalisation normalising by the batch; its running statistics move then.
    """
    _move(net, device)
    net.train(training)
    outputs = [(net.features(_to(device, X)).cpu().numpy(), y.numpy()) for X, y in batches]
    features, labels = zip(*outputs, strict=True)
    return numpy.concatenate(features), numpy.concatenate(labels).astype("int64")


def _move(net, device):
    net.to(device, memory_format=LAYOUT)


def _to(device, X):
    return X.to(device, memory_format=LAYOUT)
