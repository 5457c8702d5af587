"""Rung 13, the book: its own training functions, as installed with d2l, against ours. Nobody here wrote them.

Compared: all weights after two epochs of our loop and of `train_ch13`, from the same weights, images and seed.
Tolerance: none, every bit is the same; torch's by the book's recipe (a summed loss at its own rates), Gluon's by the chapter's.
torch's memory layout, channels last, is given to the book's network too.
Fails: a loop of ours that is no longer the book's.
"""

from dataclasses import replace

import mxnet as mx
import torch
import torchvision
from d2l import mxnet as d2l_mxnet
from d2l import torch as d2l_torch
from helpers import THIN, random_source
from mxnet import gluon
from torch import nn

import gluon_impl.data
import torch_impl.data
from shared.experiments import CHAPTER
from shared.networks.architecture import Architecture
from shared.networks.names import canonical_from_torchvision
from shared.parity.tensors import changed, compare

from ..scene import NETS, TRAINING

RUNG = 13

# train_ch13 divides by zero below five batches; drawings has five of this size. A power of two, so that a sum over the batch
# and a mean over it differ by a factor that costs no bit.
BATCH_SIZE, SIZE, NUM_EPOCHS = 16, 32, 2


def check_gluon_loop(dataset, name):
    """Our Gluon loop and d2l.mxnet.train_ch13, with the chapter's trainer, from the same weights and seed: the same weights."""
    experiment = CHAPTER[name]
    source = random_source(Architecture(2, channels=THIN, classes=5))
    before, after = {}, {}
    for side in ("ours", "book"):
        TRAINING["gluon"].seed_everything(0)
        net = _start(NETS["gluon"], experiment, source)
        before[side] = NETS["gluon"].get_tensors(net)
        train_iter = gluon_impl.data.train_iter(dataset.train, SIZE, BATCH_SIZE)
        test_batches = list(gluon_impl.data.test_iter(dataset.test, SIZE, BATCH_SIZE))
        if side == "ours":
            _our_loop("gluon", net, train_iter, test_batches, experiment, mx.cpu())
        else:
            net.output.collect_params().setattr("lr_mult", experiment.head_lr_mult)
            recipe = {"learning_rate": experiment.learning_rate, "wd": 0.001}
            trainer = gluon.Trainer(net.collect_params(), "sgd", recipe)
            loss = gluon.loss.SoftmaxCrossEntropyLoss()
            d2l_mxnet.train_ch13(net, train_iter, test_batches, loss, trainer, NUM_EPOCHS, [mx.cpu()])
        after[side] = NETS["gluon"].get_tensors(net)
    return _same(f"{name}: d2l.mxnet.train_ch13", before, after)


def check_torch_loop(dataset, name):
    """Our torch loop and d2l.torch.train_ch13 on torchvision's own resnet18, by the book's recipe: the same weights.

    The book sums the loss over the batch; its rate 5e-5 is our rate 5e-5 x batch for the mean, and its decay 0.001, which the
    sum makes weaker by the batch, our 0.001 / batch.
    """
    experiment = CHAPTER[name]
    rate = {"finetune": 5e-5, "scratch": 5e-4}[name]
    source = random_source(Architecture(1, classes=5))  # torchvision's resnet18 has no argument for widths
    # Where there is a GPU train_ch13's DataParallel refuses the CPU; where there is none try_all_gpus() is empty.
    devices = d2l_torch.try_all_gpus()[:1] or [torch.device("cpu")]
    before, after = {}, {}
    for side in ("ours", "book"):
        TRAINING["torch"].seed_everything(0)
        net = _start(NETS["torch"], experiment, source)
        before[side] = NETS["torch"].get_tensors(net)
        if side == "book":
            book_net = torchvision.models.resnet18()
            book_net.fc = nn.Linear(book_net.fc.in_features, 2)
            # Our layout: in another one oneDNN adds up in another order.
            book_net.to(memory_format=torch.channels_last)
            for key, tensor in book_net.state_dict().items():
                if not key.endswith("num_batches_tracked"):
                    tensor.copy_(torch.from_numpy(before[side][canonical_from_torchvision(key)]))
        train_iter = torch_impl.data.train_iter(dataset.train, SIZE, BATCH_SIZE)
        test_batches = list(torch_impl.data.test_iter(dataset.test, SIZE, BATCH_SIZE))
        if side == "ours":
            by_the_book = replace(experiment, learning_rate=rate * BATCH_SIZE, weight_decay=0.001 / BATCH_SIZE)
            _our_loop("torch", net, train_iter, test_batches, by_the_book, devices[0])
            after[side] = NETS["torch"].get_tensors(net)
        else:
            body = [p for key, p in book_net.named_parameters() if key not in ("fc.weight", "fc.bias")]
            head = {"params": book_net.fc.parameters(), "lr": rate * experiment.head_lr_mult}
            trainer = torch.optim.SGD([{"params": body}, head], lr=rate, weight_decay=0.001)
            loss = nn.CrossEntropyLoss(reduction="none")
            d2l_torch.train_ch13(book_net, train_iter, test_batches, loss, trainer, NUM_EPOCHS, devices)
            state = {canonical_from_torchvision(key): t.cpu().numpy() for key, t in book_net.state_dict().items()}
            after[side] = {tensor: state[tensor] for tensor in before[side]}
    place = "" if devices[0].type == "cpu" else ", both on the GPU"
    return _same(f"{name}: d2l.torch.train_ch13{place}", before, after)


def _start(nets, experiment, source):
    return nets.scratch_net(source.architecture, 2) if experiment.start == "scratch" else nets.finetune_net(source, 2)


def _our_loop(framework, net, train_iter, test_batches, experiment, device):
    two = replace(experiment, num_epochs=NUM_EPOCHS)
    TRAINING[framework].train_fine_tuning(net, train_iter, test_batches, two, device, lambda epoch: None)


def _same(what, before, after):
    compare(RUNG, f"{what}: start", before["ours"], before["book"], 0, changed)
    trained = {name for name in after["book"] if changed(after["book"][name], before["book"][name])}
    if "output.weight" not in trained or "features.conv1.weight" not in trained:
        raise ValueError(f"{what} trained nothing")
    return [compare(RUNG, what, after["ours"], after["book"], 0, changed)]
