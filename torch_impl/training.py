"""The chapter's training in PyTorch: seeding, device, the loop, evaluation, prediction.

For example:

    net = finetune_net(source, classes=2)
    train_fine_tuning(net, train_batches, test_batches, learning_rate=0.01, head_lr_mult=10, ...)
"""

import random
import time

import numpy
import torch
from torch import nn

from shared.epochs import Epoch
from shared.errors import UserError
from torch_impl.devices import torch_reason

# TF32 keeps 10 of float32's 23 bits of fraction; nothing computed with it could be compared with another framework.
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def seed_everything(seed):
    """Derive every generator of a PyTorch run from `seed`: augmentation, shuffling, weights and workers all draw from torch's."""
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True  # on a GPU the same seed gives the same run only with these kernels


def choose_device(wanted="auto"):
    """The torch device for `wanted` (auto, cpu, gpu), and the reason in words.

    Raises UserError when a GPU is wanted and there is none.
    """
    usable, reason = torch_reason(torch)
    if wanted == "gpu" and not usable:
        raise UserError(f"PyTorch cannot use a GPU: {reason}. Use --device auto or cpu.")
    if wanted == "cpu":
        return torch.device("cpu"), "asked for"
    return torch.device("cuda" if usable else "cpu"), reason


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
    net.to(device)
    trainer = torch.optim.SGD(
        [
            {"params": [p for p in net.features.parameters() if p.requires_grad]},
            {"params": net.output.parameters(), "lr": learning_rate * head_lr_mult},
        ],
        lr=learning_rate,
        weight_decay=weight_decay,
    )
    loss = nn.CrossEntropyLoss(reduction="none")
    on_epoch(Epoch(0, test_accuracy=evaluate_accuracy(net, test_batches, device)))
    for epoch in range(1, num_epochs + 1):
        start, count, loss_sum, correct = time.perf_counter(), 0, 0.0, 0.0
        net.train()
        for X, y in train_batches:
            X, y = X.to(device), y.to(device)
            y_hat = net(X)
            l = loss(y_hat, y)
            trainer.zero_grad()
            l.mean().backward()  # the mean over this batch, be it a short last one
            trainer.step()
            loss_sum += float(l.detach().sum())
            correct += float((y_hat.argmax(dim=1) == y).sum())
            count += len(y)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        accuracy = evaluate_accuracy(net, test_batches, device)
        on_epoch(Epoch(epoch, loss_sum / count, correct / count, accuracy, seconds, count / seconds))


def evaluate_accuracy(net, batches, device):
    """The share of images in `batches` whose most probable class is the right one."""
    probabilities, labels = predict_probabilities(net, batches, device)
    return float((probabilities.argmax(axis=1) == labels).mean())


@torch.no_grad()
def predict_probabilities(net, batches, device):
    """Softmax outputs (N, classes) float32 and labels (N,) int64 for all images in `batches`, as NumPy arrays."""
    net.to(device).eval()
    outputs = [(net(X.to(device)).softmax(dim=1).cpu().numpy(), y.numpy()) for X, y in batches]
    probabilities, labels = zip(*outputs, strict=True)
    return numpy.concatenate(probabilities), numpy.concatenate(labels).astype("int64")


@torch.no_grad()
def predict_features(net, batches, device, training=False):
    """What the output layer is given: features (N, width) float32 and labels (N,) int64 for all images in `batches`.

    training: as training gives them, batch normalisation normalising by the batch; its running statistics move then.
    """
    net.to(device).train(training)
    outputs = [(net.features(X.to(device)).cpu().numpy(), y.numpy()) for X, y in batches]
    features, labels = zip(*outputs, strict=True)
    return numpy.concatenate(features), numpy.concatenate(labels).astype("int64")
