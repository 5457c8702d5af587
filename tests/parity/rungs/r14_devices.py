"""Rung 14, devices: one run on several devices takes the steps that one device would take that normalises in the same parts.

Compared: all weights after every epoch: Gluon on contexts cpu(0), cpu(1) … against PyTorch in as many threads that add up by
gloo; running statistics too: PyTorch against one network per part in a single process, whose gradients are weighed and added up by
hand; the devices among each other. Batches of 16 and a short one of 8; three devices make unequal parts of them.
Tolerance: 1e-10 (float64, relative; 5e-15 was measured); none between the devices of one framework.
Fails: gradients that are summed, or averaged over devices instead of images; a part seen twice; another start; a short last batch.
"""

import copy
import threading
from dataclasses import replace
from datetime import timedelta

import mxnet as mx
import numpy as np
import torch
import torch.distributed

import gluon_impl.distributed
import torch_impl.distributed
from shared import parts
from shared.images import feed
from shared.parity.lockstep import exact_in_float32, framework_batch, trained_only
from shared.parity.tensors import Mismatch, changed, compare
from shared.runs.devices import Devices

from ..scene import NETS, TRAINING, twins

RUNG = 14
EPOCHS = 2


def check_devices(scene, count, name="finetune"):
    """Two epochs of four batches on `count` devices: both frameworks, all devices, and one process with the same parts agree."""
    experiment = exact_in_float32(replace(scene.experiment(name), batch_size=16, num_epochs=EPOCHS))
    batches = feed.batches(scene.dataset.train, scene.size, 16, seed=0, steps=3)
    batches.append(tuple(half[:8] for half in batches.pop()))
    nets = twins(scene, experiment)
    alone = [copy.deepcopy(nets["torch"]) for _ in range(count)]
    torch_nets = [copy.deepcopy(nets["torch"]) for _ in range(count)]
    found = {"gluon": _gluon(nets["gluon"], experiment, batches, count)}
    by_device = _torch(torch_nets, experiment, batches, count)
    found["torch"] = by_device[0]
    measured = []
    for device, tensors in enumerate(by_device[1:], 1):
        for epoch in range(EPOCHS):
            what = f"torch, {count} devices: device 0 and device {device} after epoch {epoch + 1}"
            measured.append(compare(RUNG, what, tensors[epoch], by_device[0][epoch], 0, changed))
    reference = _in_one_process(alone, experiment, batches, count)
    for epoch in range(EPOCHS):
        what = f"torch, {count} devices and one process with the same parts, epoch {epoch + 1}"
        measured.append(compare(RUNG, what, found["torch"][epoch], reference[epoch], 1e-10))
        what = f"{count} devices: all weights after epoch {epoch + 1}"
        sides = (trained_only(found[framework][epoch]) for framework in ("gluon", "torch"))
        measured.append(compare(RUNG, what, *sides, 1e-10))
    return measured


def _part_batches(batches, group):
    """What `group`'s process is given of the batches: images picked as PartOrder says."""
    sizes = [len(y) for _, y in batches]
    X, y = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    order = parts.PartOrder(range(sum(sizes)), sizes[0], group)
    return [(X[keys], y[keys]) for keys in order]


def _train(framework, net, device, group, experiment, batches):
    """Train by the implementation's own loop; the tensors after every epoch."""
    kit = {"gluon": gluon_impl.distributed, "torch": torch_impl.distributed}[framework]
    devices, seen = Devices(group, device, kit, framework), []
    net = devices.spread(net)
    trainer = TRAINING[framework].make_trainer(net, experiment, device)
    given = [framework_batch(framework, batch) for batch in _part_batches(batches, group)]
    count = sum(len(y) for _, y in batches)
    together = devices.start(net, trainer, given, experiment, count)

    def see(epoch):
        if epoch.epoch:
            seen.append(NETS[framework].get_tensors(net))

    TRAINING[framework].train_fine_tuning(net, together, given[:1], experiment, device, see, trainer)
    return seen


def _gluon(net, experiment, batches, count):
    """Tensors after every epoch; raises Mismatch unless all contexts have the same ones then."""
    contexts = [mx.cpu(i) for i in range(count)]
    seen = _train("gluon", net, mx.cpu(), parts.Group(0, 1, count, contexts), experiment, batches)
    for name, param in net._collect_params_with_prefix().items():
        first, *others = [copy.asnumpy() for copy in param.list_data()]
        kind = "running statistics" if "running_" in name else "weights"
        for other in others:
            compare(RUNG, f"gluon, {count} devices: {kind} of two contexts", {name: other}, {name: first}, 0, changed)
    return seen


def _torch(nets, experiment, batches, count):
    """One thread for each device: {device: tensors after every epoch}; what a thread raises is raised."""
    store, seen, errors = torch.distributed.HashStore(), [None] * count, []

    def work(rank):
        try:
            engine = torch.distributed.ProcessGroupGloo(store, rank, count, timedelta(seconds=60))
            group = parts.Group(rank, count, count, engine)
            seen[rank] = _train("torch", nets[rank], torch.device("cpu"), group, experiment, batches)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise Mismatch(RUNG, f"torch, {count} devices: {errors[0]}")
    return seen


def _in_one_process(nets, experiment, batches, count):
    """A network per part, kept the same by hand: the gradient of the mean over the whole batch, and the mean of the statistics."""
    trainers = [TRAINING["torch"].make_trainer(net, experiment, torch.device("cpu")) for net in nets]
    seen = []
    for _ in range(EPOCHS):
        for X, y in batches:
            for net, Xs, ys in zip(nets, np.array_split(X, count), np.array_split(y, count), strict=True):
                net.train()
                net.zero_grad()
                outputs = net(torch.from_numpy(Xs).to(memory_format=torch.channels_last))
                torch.nn.functional.cross_entropy(outputs, torch.from_numpy(ys), reduction="sum").backward()
            gradients = [
                torch.stack([p.grad for p in same]).sum(dim=0) / len(y)
                for same in zip(*map(_trained, nets), strict=True)
            ]
            for trainer, net in zip(trainers, nets, strict=True):
                for p, gradient in zip(_trained(net), gradients, strict=True):
                    p.grad = gradient.clone()
                trainer.step()
        tensors = [NETS["torch"].get_tensors(net) for net in nets]
        mean = {name: np.mean([t[name] for t in tensors], axis=0) for name in tensors[0]}
        for net in nets:
            NETS["torch"].set_tensors(net, mean)
        seen.append(mean)
    return seen


def _trained(net):
    return [p for p in net.parameters() if p.requires_grad]
