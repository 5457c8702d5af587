"""One run on several devices: which processes there are, that they start alike, and that one record is written.

`--devices N` on one host: PyTorch's devices are processes, which the run's own starts; Gluon's are contexts of that one process.
Across hosts a launcher starts a process for each: torchrun, or MXNet's. Then every one of them gets the same command, and all but
the first only help.
"""

import contextlib
import hashlib
import multiprocessing
import os
import socket
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shared.epochs import EpochMetrics
from shared.errors import FailedRun, UserError
from shared.images.draws import SHARED
from shared.images.splits import class_weights
from shared.parts import Group, Parts, part_of
from shared.runs.frameworks import implementation, target_net


def launched() -> tuple[str, str, int] | None:
    """(framework, launcher, its number of processes) where a launcher started this process for one run with others; or None."""
    if int(os.environ.get("WORLD_SIZE") or 1) > 1 and "RANK" in os.environ:
        return "torch", "torchrun", int(os.environ["WORLD_SIZE"])
    if "DMLC_ROLE" in os.environ:
        return "gluon", "MXNet's launcher", int(os.environ.get("DMLC_NUM_WORKER") or 1)
    return None


def check_launch(devices: int, frameworks, draws: str = SHARED):
    """Raise UserError unless `--devices`, frameworks and draws go with each other and with what started this process."""
    if found := launched():
        framework, launcher, processes = found
        if devices == 1:
            raise UserError(
                f"{launcher} started {processes} processes, and each would make the same run: give --devices {processes} for one "
                "run on all of them, or start hotdog by itself"
            )
        if devices != processes:
            raise UserError(
                f"{launcher} started {processes} processes, but --devices is {devices}: give the same number"
            )
        if list(frameworks) != [framework]:
            raise UserError(f"{launcher} starts one framework: add --framework {framework}")
    if devices > 1 and draws != SHARED:
        raise UserError("--devices needs --draws shared: own generators of several devices have nothing in common")


def helps() -> bool:
    """Whether this process only helps with a run that another one records."""
    found = launched()
    return bool(found) and (int(os.environ["RANK"]) > 0 if found[0] == "torch" else _dmlc_helps())


def _dmlc_helps():
    # MXNet gives its workers their ranks when they meet; which of them records a run, they have to know before. The launcher of
    # whoever sets the variables by hand says it by DMLC_WORKER_ID, as MXNet's own does.
    return os.environ["DMLC_ROLE"] != "worker" or int(os.environ.get("DMLC_WORKER_ID") or 0) > 0


@dataclass
class Devices:
    """The devices of a run, joined: what its training is wrapped in.

    kit: the framework's module `distributed`. records: whether this is the process that records the run.
    """

    group: Group
    device: Any
    kit: Any
    framework: str
    records: bool = True

    def batches(self, job, dataset):
        """Training batches and test images of this process: its parts."""
        data, e = implementation(job.framework, "data"), job.experiment
        epochs = self.kit.part_iter(
            dataset.train, e.size, e.batch_size, job.seed, self.group, job.workers, e.mixing, e.augmentation
        )
        tested = dataset.test.take(range(len(dataset.test))[self._tested(len(dataset.test))])
        return epochs, data.test_iter(tested, e.size, e.batch_size, job.workers)

    def _tested(self, count):
        return part_of(count, self.group.rank, self.group.ranks)

    def spread(self, net):
        """`net`, computing on all devices of this process."""
        return self.kit.spread(net, self.device, self.group)

    def start(self, net, trainer, epochs, experiment, count) -> Parts:
        """What to train on instead of `epochs`, once all have the same network. Raises FailedRun where one has another."""
        self.check_start(net)
        self.kit.share_steps(trainer, self.group)
        return Parts(
            epochs, count, experiment.batch_size, self.group, lambda: self.kit.average_statistics(net, self.group)
        )

    def check_start(self, net):
        """Raise FailedRun, naming a tensor, where the devices do not start from the same network."""
        nets = implementation(self.framework, "nets")
        marks = {name: _mark(t) for name, t in nets.get_tensors(net).items()}
        total = self.kit.summed({"start": np.array(list(marks.values()))}, self.group)["start"]
        for (name, mark), added in zip(marks.items(), total, strict=True):
            if mark * self.group.ranks != added:
                raise FailedRun(f"the devices do not start from the same network: {name} differs")

    def done(self, done: int) -> int:
        """How many epochs are done, as the process says that records the run."""
        mine = np.array([float(done if self.records else 0)])
        return int(self.kit.summed({"done": mine}, self.group)["done"][0])

    def given(self, net, done: int):
        """Give every process the network of the one that records, where the run goes on after `done` epochs."""
        if done:
            nets = implementation(self.framework, "nets")
            share = np.float32(self.records)
            mine = {f"given {name}": t * share for name, t in nets.get_tensors(net).items()}
            total = self.kit.summed(mine, self.group)
            nets.set_tensors(net, {name.removeprefix("given "): t for name, t in total.items()})

    def whole(self, epoch: EpochMetrics, trained: int, labels) -> EpochMetrics:
        """The metrics of all parts together. trained: training images in all. labels: (N,) class indices of all test images."""
        here = part_of(len(labels), self.group.rank, self.group.ranks)
        probabilities = np.zeros((len(labels), epoch.test_probabilities.shape[1]), epoch.test_probabilities.dtype)
        probabilities[here] = epoch.test_probabilities
        mine = np.zeros(3)
        if epoch.train_loss is not None:
            count = epoch.images_per_second * epoch.seconds
            mine = np.array([count * epoch.train_loss, count * epoch.train_accuracy, epoch.seconds])
        sums = self.kit.summed({"probabilities": probabilities, "metrics": mine}, self.group)
        probabilities, (loss, correct, seconds) = sums["probabilities"], sums["metrics"]
        labels = np.asarray(labels, dtype=np.int64)
        whole = replace(
            epoch,
            test_probabilities=probabilities,
            test_labels=labels,
            test_accuracy=float((probabilities.argmax(axis=1) == labels).mean()),
        )
        if epoch.train_loss is None:
            return whole
        seconds /= self.group.ranks
        return replace(
            whole,
            train_loss=float(loss / trained),
            train_accuracy=float(correct / trained),
            seconds=float(seconds),
            images_per_second=float(trained / seconds),
        )


def _mark(array) -> float:
    """A number below 2 ** 14 that tells arrays from each other: exact in float32 when a thousand of them are added up."""
    return float(int(hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:8], 16) >> 18)


@contextlib.contextmanager
def joined(job, device):
    """The Devices of `job`, and processes for them where they are needed, until the end of the `with`."""
    kit = implementation(job.framework, "distributed")
    with contextlib.ExitStack() as stack:
        rank = address = None
        if job.framework == "torch" and not launched():
            address, rank = f"tcp://127.0.0.1:{_free_port()}", 0
            stack.enter_context(_helpers(job, address))
        group, own = stack.enter_context(kit.joined(job.devices, device, rank, address))
        yield Devices(group, own, kit, job.framework, not helps())


@contextlib.contextmanager
def _helpers(job, address):
    spawn = multiprocessing.get_context("spawn")
    helpers = [
        spawn.Process(target=_help, args=(job, rank, address), daemon=not job.workers) for rank in range(1, job.devices)
    ]
    for helper in helpers:
        helper.start()
    try:
        yield
    except BaseException:
        for helper in helpers:
            helper.kill()
        raise
    finally:
        for helper in helpers:
            helper.join()


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _help(job, rank, address):
    kit = implementation(job.framework, "distributed")
    device, _ = implementation(job.framework, "training").choose_device(job.device)
    try:
        with kit.joined(job.devices, device, rank, address) as (group, own):
            take_part(job, *job.load(), Devices(group, own, kit, job.framework, False))
    except Exception as error:  # the run's own process fails with it, and says so
        print(f"hotdog: device {rank}: {type(error).__name__}: {error}", file=sys.stderr)
        os._exit(1)


def help_with(job, dataset, source):
    """Take part in a run that another process of this launcher's records."""
    device, _ = implementation(job.framework, "training").choose_device(job.device)
    with joined(job, device) as devices:
        take_part(job, dataset, source, devices)


def take_part(job, dataset, source, devices: Devices):
    """Train as the process does that records the run, on other parts of the batches, and record nothing."""
    training, experiment = implementation(job.framework, "training"), job.experiment
    dataset = dataset.trained_on(experiment.train_images)
    net = target_net(job.framework, experiment, source, dataset, job.seed, job.draws)
    done = devices.done(0)
    devices.given(net, done)
    net = devices.spread(net)
    trainer = training.make_trainer(net, experiment, devices.device)
    epochs, test_batches = devices.batches(job, dataset)
    epochs.epoch = done
    batches = devices.start(net, trainer, epochs, experiment, len(dataset.train))

    def hand_in(epoch):
        devices.whole(epoch, len(dataset.train), dataset.test.labels)

    weights = class_weights(dataset.train) if experiment.balance else None
    training.train_fine_tuning(
        net, batches, test_batches, experiment, devices.device, hand_in, trainer, done, weights, job.seed
    )
