"""One process of a run on several devices, timed: `python -m tests.benchmarks.devices '{"engine": …}'`, started by scale.py.

What is timed is the project's own loop with the project's own devices, on batches that lie in memory. Every step has four parts:
it computes, waits until all devices have their gradients, adds them up, and does the rest (update, what is told of the loss).
Frameworks may begin to add up while they still compute; here nothing overlaps, so what is measured is the most that it can cost.
"""

import json
import statistics
import sys
import time
from dataclasses import replace

import numpy as np

from .namespaces import bytes_sent

PARTS = ("compute", "wait", "exchange", "rest")


class Steps:
    """Batches that time what is done with each of them; `before` and `after` are called around the addition of gradients.

    settle: waits for what this process has begun. meet: waits for the other processes.
    """

    def __init__(self, batches, settle, meet):
        self.batches, self.settle, self.meet = batches, settle, meet
        self.rows, self.processor, self.sent, self.times = [], [], [], []

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for batch in self.batches:
            self.times = []
            self._tick()
            yield batch
            self._tick()
            wall, processor = np.diff(self.times, axis=0).T.tolist()
            self.rows.append(wall)
            self.processor.append(processor)

    def _tick(self):
        self.settle()
        self.times.append((time.perf_counter(), time.process_time()))

    def before(self, *_):
        self._tick()
        self.meet()
        self._tick()
        self.sent.append(bytes_sent())

    def after(self, *_):
        self._tick()

    def summary(self) -> dict:
        """Median seconds of each part, wall and this process's processor; bytes that all devices sent a step.

        Without the first step, which warms up.
        """
        seconds = {part: statistics.median(row[i] for row in self.rows[1:]) for i, part in enumerate(PARTS)}
        for i, part in enumerate(PARTS):
            seconds[f"{part} processor"] = statistics.median(row[i] for row in self.processor[1:])
        exchanges = len(self.sent) - 2
        return seconds | {"bytes": round((self.sent[-1] - self.sent[1]) / exchanges) if exchanges > 0 else None}


def architecture_of(network):
    from shared.networks.architecture import Architecture
    from shared.networks.reading import load_source

    return load_source("mini").architecture if network == "drawings" else Architecture(2)


def gradient_bytes(tensors) -> int:
    """Of float32 gradients of everything that is trained in a network of these tensors."""
    return 4 * sum(t.size for name, t in tensors.items() if "running_" not in name)


def measure(cell, framework, kit, group, device, settle, meet) -> dict:
    """Train `cell`'s network for its number of steps, and one more before, as one of `group`'s devices."""
    from shared.experiments import experiment
    from shared.parts import part_of
    from shared.runs.devices import Devices
    from shared.runs.frameworks import implementation

    data, nets, training = (implementation(framework, name) for name in ("data", "nets", "training"))
    plan = experiment("finetune", size=cell["size"], batch_size=cell["batch"], num_epochs=1, learning_rate=1e-4)
    training.seed_everything(0)
    net = nets.scratch_net(architecture_of(cell["network"]), 2)
    devices = Devices(group, device, kit, framework)
    rng, own = np.random.default_rng(0), part_of(cell["batch"], group.rank, group.ranks)
    X = rng.normal(size=(cell["batch"], 3, cell["size"], cell["size"])).astype("float32")[own]
    batch = data.as_batch(X, (np.arange(cell["batch"]) % 2)[own])
    steps = Steps([batch] * (cell["steps"] + 1), settle, meet)
    net = devices.spread(net)
    trainer = training.make_trainer(net, replace(plan, batch_size=cell["batch"]), device)
    if framework == "torch":
        trainer.register_step_pre_hook(steps.before)
    together = devices.start(net, trainer, steps, plan, cell["batch"] * len(steps))
    if framework == "torch":
        trainer.register_step_pre_hook(steps.after)
    else:
        add_up = trainer._allreduce_grads

        def timed():
            steps.before()
            add_up()
            steps.after()

        trainer._allreduce_grads = timed
    training.train_fine_tuning(net, together, [batch], plan, device, lambda epoch: None, trainer)
    return steps.summary() | {"gradient_bytes": gradient_bytes(nets.get_tensors(net))}


def hop(group) -> float:
    """Seconds that one number takes from a device to the next: half of what two devices need to add up one number each.

    The least of many: in the others one of the two waited for its turn on the processor.
    """
    import torch

    number, seconds = torch.zeros(1), []
    for _ in range(200):
        began = time.perf_counter()
        group.engine.allreduce([number]).wait()
        seconds.append(time.perf_counter() - began)
    return min(seconds) / 2


def main(request):
    framework = "torch" if request["engine"] == "gloo" else "gluon"
    from shared.runs.frameworks import implementation

    kit, training = (implementation(framework, name) for name in ("distributed", "training"))
    device, _ = training.choose_device("cpu")
    found = []
    rank = request["rank"] if framework == "torch" else None
    with kit.joined(request["devices"], device, rank, request.get("address")) as (group, own):
        if framework == "torch":
            settle, meet = (lambda: None), (lambda: group.engine.barrier().wait())
        else:
            from mxnet import npx

            settle, meet = npx.waitall, (group.engine._barrier if group.ranks > 1 else lambda: None)
        for cell in request["cells"]:
            found.append(measure(cell, framework, kit, group, own, settle, meet))
        one_way = hop(group) if framework == "torch" and group.ranks == 2 else None
    if group.rank == 0:
        print(json.dumps({"cells": found, "hop": one_way}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
