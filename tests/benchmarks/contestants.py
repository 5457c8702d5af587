"""One contestant in a process of its own: `python -m tests.benchmarks.contestants '{"framework": …}'`, started by __main__.py.

`book`: the chapter's pipeline and network, each step and each evaluation d2l's own function. `ours`: this project's. `ceiling`: the
framework's bare step on one batch that stays in memory; no loader, no numbers taken. All three work on the same images, with the
network of the book's own tab (`resnet18_v2` in Gluon, `resnet18` in PyTorch), new weights, two classes.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

from .turns import NoMoreTurns, Turns


def book_gluon(request, turns):
    import d2l.mxnet as d2l
    from mxnet import gluon, init, npx

    npx.set_np()
    devices = d2l.try_all_gpus() or [npx.cpu()]
    vision = gluon.data.vision.transforms
    normalize = vision.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    size, evaluated = request["size"], request["work"] == "evaluation"
    first = [vision.Resize(round(size * 256 / 224)), vision.CenterCrop(size)]
    augmented = [vision.RandomResizedCrop(size), vision.RandomFlipLeftRight()]
    pipeline = vision.Compose([*(first if evaluated else augmented), vision.ToTensor(), normalize])
    images = gluon.data.vision.ImageFolderDataset(str(Path(request["images"]) / "train")).transform_first(pipeline)
    batches = turns(gluon.data.DataLoader(images, request["batch"], shuffle=not evaluated), npx.waitall)
    net = gluon.model_zoo.vision.resnet18_v2(classes=2)
    net.initialize(init.Xavier(), ctx=devices)
    net.hybridize()
    if evaluated:
        while True:
            d2l.evaluate_accuracy_gpus(net, batches)
    if request["work"] == "frozen":
        for parameter in net.features.collect_params().values():
            parameter.grad_req = "null"
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01, "wd": 0.001})
    while True:
        for X, y in batches:
            d2l.train_batch_ch13(net, X, y, loss, trainer, devices, d2l.split_batch)


def book_torch(request, turns):
    import d2l.torch as d2l
    import torch
    import torchvision
    from torchvision import transforms

    devices = d2l.try_all_gpus() or [torch.device("cpu")]
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    size, evaluated = request["size"], request["work"] == "evaluation"
    first = [transforms.Resize([round(size * 256 / 224)] * 2), transforms.CenterCrop(size)]
    augmented = [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()]
    pipeline = transforms.Compose([*(first if evaluated else augmented), transforms.ToTensor(), normalize])
    images = torchvision.datasets.ImageFolder(str(Path(request["images"]) / "train"), pipeline)
    loader = torch.utils.data.DataLoader(images, request["batch"], shuffle=not evaluated)
    batches = turns(loader, torch_synchronize)
    net = torchvision.models.resnet18()
    net.fc = torch.nn.Linear(net.fc.in_features, 2)
    if evaluated:
        net = net.to(devices[0])
        while True:
            d2l.evaluate_accuracy_gpu(net, batches)
    if request["work"] == "frozen":
        for name, parameter in net.named_parameters():
            parameter.requires_grad = name.startswith("fc.")
    net = torch.nn.DataParallel(net, device_ids=devices).to(devices[0])
    loss = torch.nn.CrossEntropyLoss(reduction="none")
    trainer = torch.optim.SGD((p for p in net.parameters() if p.requires_grad), lr=5e-5, weight_decay=0.001)
    while True:
        for X, y in batches:
            d2l.train_batch_ch13(net, X, y, loss, trainer, devices)


def torch_synchronize():
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def synchronize_of(framework):
    if framework == "torch":
        return torch_synchronize
    from mxnet import npx

    return npx.waitall


def prepared(request):
    """Our network, its device, the experiment, the images as a Split and the implementation's modules."""
    from shared.experiments import experiment
    from shared.images.folders import load_dataset
    from shared.networks.architecture import Architecture
    from shared.runs.frameworks import implementation

    framework = request["framework"]
    data, nets, training = (implementation(framework, name) for name in ("data", "nets", "training"))
    name = "finetune" if request["work"] == "evaluation" else request["work"]
    plan = experiment(name, size=request["size"], batch_size=request["batch"], num_epochs=1, learning_rate=1e-4)
    split = load_dataset(request["images"]).train
    device, _ = training.choose_device()
    training.seed_everything(0)
    net = nets.scratch_net(Architecture(2 if framework == "gluon" else 1), 2)
    if plan.frozen:
        nets.freeze_features(net, plan.lock_batch_norm)
    return net, device, plan, split, data, training


def ours(request, turns):
    net, device, plan, split, data, training = prepared(request)
    synchronize = synchronize_of(request["framework"])
    if request["work"] == "evaluation":
        if request["framework"] == "gluon":
            net.hybridize(static_alloc=True)  # as training leaves it
        batches = turns(data.test_iter(split, plan.size, plan.batch_size), synchronize)
        while True:
            training.predict_probabilities(net, batches, device)
    batches = turns(data.train_iter(split, plan.size, plan.batch_size), synchronize)
    one = [next(iter(data.test_iter(split.take([0]), plan.size, 1)))]
    low = contextlib.nullcontext()
    if request["contestant"] == "ours in bf16":
        from torch_impl.devices import low_precision

        low = low_precision("bf16", net, device)
    with low:
        training.train_fine_tuning(net, Endless(batches), one, plan, device, lambda epoch: None)


class Endless:
    """Batches of one epoch without an end: what is measured is training, as the others do it, and no evaluation in between."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        while True:
            yield from self.batches


def ceiling_gluon(request, turns):
    net, device, plan, split, data, _ = prepared(request)
    from mxnet import autograd, gluon, npx

    X, y = next(iter(data.test_iter(split, plan.size, plan.batch_size)))
    X, y = X.as_in_ctx(device), y.as_in_ctx(device)
    batches = turns([(X, y)] * max(1, len(split) // plan.batch_size), npx.waitall)
    net.collect_params().reset_ctx(device)
    net.hybridize(static_alloc=True, static_shape=True)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1e-4, "wd": 0.001})
    while True:
        for X, y in batches:
            if request["work"] == "evaluation":
                net(X).wait_to_read()
                continue
            if plan.frozen:
                with autograd.train_mode():
                    features = net.features(X)
            with autograd.record():
                l = loss(net.output(features) if plan.frozen else net(X), y)
            l.backward()
            trainer.step(len(y))


def ceiling_torch(request, turns):
    net, device, plan, split, data, _ = prepared(request)
    import torch

    X, y = next(iter(data.test_iter(split, plan.size, plan.batch_size)))
    X, y = X.to(device, memory_format=torch.channels_last), y.to(device)
    batches = turns([(X, y)] * max(1, len(split) // plan.batch_size), torch_synchronize)
    net.to(device, memory_format=torch.channels_last)
    net.train(request["work"] != "evaluation")
    trainer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1e-4, weight_decay=0.001)
    while True:
        for X, y in batches:
            if request["work"] == "evaluation":
                with torch.no_grad():
                    net(X)
                continue
            if plan.frozen:
                with torch.no_grad():
                    features = net.features(X)
            l = torch.nn.functional.cross_entropy(net.output(features) if plan.frozen else net(X), y)
            trainer.zero_grad()
            l.backward()
            trainer.step()


def main(request):
    """Take turns until the line is closed. What libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    framework, kind = request["framework"], request["contestant"].split()[0]
    work = {("book", "gluon"): book_gluon, ("book", "torch"): book_torch}
    work |= {("ceiling", "gluon"): ceiling_gluon, ("ceiling", "torch"): ceiling_torch}
    compete = work.get((kind, framework), ours)
    with contextlib.suppress(NoMoreTurns):
        compete(request, lambda batches, wait: Turns(batches, request["began"], wait, answers))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
