"""Runs that were killed go on as if they had never stopped; jobs that changed are refused; what lives is left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from shared.errors import UserError
from shared.experiments import experiment
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.runs.checkpoint import read_checkpoint, write_checkpoint
from shared.runs.execute import Diverged, execute
from shared.runs.find import completed_runs, refuse_changed, unfinished
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.job import Job, exploded, first_difference
from shared.runs.liveness import LOCK, alive, state, this_process
from shared.runs.record import read_epoch_probabilities, read_run, read_runs

# A process that carries out runs to their end, or until it kills itself at a moment of its own.
CHILD = """
import os, signal, sys
from pathlib import Path
from shared.experiments import experiment
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.runs import execute as carrying_out
from shared.runs.job import Job

framework, data, source, moment, *folders = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def before(name, call=2, of=carrying_out):
    real = getattr(of, name)
    calls = []
    def dying(*arguments):
        calls.append(None)
        if len(calls) == call:
            die()
        return real(*arguments)
    setattr(of, name, dying)

class Dying:
    def __init__(self, batches, count):
        self.batches, self.left = batches, count
    def __iter__(self):
        for batch in self.batches:
            yield batch
            self.left -= 1
            if self.left == 0:
                die()

watch = lambda batches: batches
if moment.startswith("batch "):
    watch = lambda batches: Dying(batches, int(moment.split()[1]))
elif moment == "before save":  # of run.json after the second epoch, all else of it being written
    before("save", 5, carrying_out.Run)
elif moment.startswith("before "):
    before(moment.split()[1])
small = experiment("finetune", num_epochs=3, size=32, batch_size=5)
for folder in map(Path, folders):  # its name says what its run draws
    job = Job(small, framework, 3, data, source, folder.name, device="cpu", out=folder, resume=True)
    carrying_out.execute(job, load_dataset(data), load_source(source), watch=watch)
"""


def child(*arguments):
    return subprocess.run([sys.executable, "-c", CHILD, *map(str, arguments)], capture_output=True, text=True)


# After some batches of each epoch (12 images: three batches each), and between the files of an epoch's end.
MOMENTS = ("batch 2", "batch 5", "batch 9")
MOMENTS += tuple(
    f"before {what}" for what in ("write_epoch_probabilities", "write_checkpoint", "write_probabilities", "save")
)


@pytest.mark.parametrize(
    ("framework", "moments"),
    [
        pytest.param("gluon", ("batch 5",), marks=pytest.mark.tried("kill points", 1)),
        pytest.param(
            "torch",
            ("batch 2", "before write_epoch_probabilities", "before save"),
            marks=pytest.mark.tried("kill points", 3),
        ),
    ],
)
def test_killed_runs_end_as_if_never_stopped(framework, moments, images, thin_file, tmp_path):
    folders = [tmp_path / str(number) / ("own", "shared")[number % 2] for number in range(len(moments))]
    for folder, moment in zip(folders, moments, strict=True):
        done = child(framework, images, thin_file, moment, folder)
        assert done.returncode == -signal.SIGKILL, done.stderr
        (left,) = folder.iterdir()
        assert json.loads((left / "run.json").read_text())["status"] == "running"
        assert state(read_run(left)) == "interrupted"
    whole = [tmp_path / "whole" / folder.name for folder in folders]
    done = child(framework, images, thin_file, "never", *folders, *whole)
    assert done.returncode == 0, done.stderr
    for folder, undisturbed in zip(folders, whole, strict=True):
        same(next(folder.iterdir()), next(undisturbed.iterdir()))


def same(resumed, whole):
    """What two finished runs left is the same, but for times, folders and the process."""
    assert sorted(p.name for p in resumed.iterdir()) == sorted(p.name for p in whole.iterdir())
    for name in ("weights.safetensors", "epoch_probabilities.npz", "test_probabilities.csv"):
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name
    one, other = read_run(resumed), read_run(whole)
    assert one.status == other.status == "finished"
    numbers = ("epoch", "train_loss", "train_accuracy", "test_accuracy")
    assert [[e[n] for n in numbers] for e in one.epochs] == [[e[n] for n in numbers] for e in other.epochs]


@pytest.mark.slow
@pytest.mark.tried("kill points", 12)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_kill_9_at_random_moments(framework, images, thin_file, tmp_path):
    """Twelve kills in each framework, at random times from the process's start to its end, the moments of MOMENTS among them."""
    rng = np.random.default_rng(0)
    started = time.monotonic()
    assert child(framework, images, thin_file, "never", tmp_path / "whole" / "shared").returncode == 0
    seconds = time.monotonic() - started
    (whole,) = (tmp_path / "whole" / "shared").iterdir()
    for number in range(12):
        out = tmp_path / f"killed-{number}" / "shared"
        if number < len(MOMENTS):
            child(framework, images, thin_file, MOMENTS[number], out)
        else:
            process = subprocess.Popen(
                [sys.executable, "-c", CHILD, framework, images, thin_file, out, "whole", "shared"]
            )
            time.sleep(rng.uniform(0.3, 1) * seconds)
            process.kill()
            process.wait()
        assert not [p for p in out.glob("*") if not p.name.startswith(".") and not (p / "run.json").is_file()]
        done = child(framework, images, thin_file, "never", out)
        assert done.returncode == 0, done.stderr
        finished = [r for r in read_runs(out) if r.status == "finished"]
        assert finished
        same(finished[0].folder, whole)


@pytest.fixture
def job(images, thin_file, tmp_path):
    """A short job in PyTorch."""
    small = experiment("finetune", num_epochs=2, size=32, batch_size=5)
    return Job(small, "torch", 0, str(images), str(thin_file), device="cpu", out=tmp_path / "runs")


class Stop(BaseException):
    """What stops a run in these tests."""


def stopped(job, after=1, error=Stop):
    """The record of `job` stopped after an epoch."""

    def stop(epoch):
        if epoch.epoch == after:
            raise error

    with pytest.raises(error):
        execute(job, load_dataset(job.data), load_source(job.source), on_epoch=stop)
    return read_runs(job.out)[-1]


def test_what_stopped_goes_on_in_its_own_folder_and_leaves_no_checkpoints(job):
    first = stopped(job)
    assert first.status == "failed"
    assert [p.name for p in first.folder.glob("checkpoint*")] == ["checkpoint-1.safetensors"]
    dataset, source = load_dataset(job.data), load_source(job.source)
    assert unfinished(job, dataset, source).folder == first.folder
    seen = []
    run = execute(replace(job, resume=True), dataset, source, on_epoch=lambda e: seen.append(e.epoch))
    assert (run.folder, run.status, seen) == (first.folder, "finished", [2])
    assert not list(run.folder.glob("checkpoint*"))
    assert read_epoch_probabilities(run)[1].shape == (3, 8, 2)
    assert completed_runs([job], read_runs(job.out), dataset, source) == {job: read_run(run.folder)}


SMALL = experiment("finetune", num_epochs=2, size=32, batch_size=5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"experiment": replace(SMALL, learning_rate=0.5)}, "learning rate 0.01 then, 0.5 now"),
        ({"experiment": replace(SMALL, num_epochs=3)}, "num epochs 2 then, 3 now"),
        ({"draws": "own"}, "draws shared then, own now"),
    ],
)
def test_a_changed_job_is_refused_with_the_first_difference(job, changes, words):
    stopped(job)
    changed = replace(job, **changes)
    dataset, source = load_dataset(job.data), load_source(job.source)
    refuse_changed([job], dataset, source)
    with pytest.raises(UserError, match=words):
        refuse_changed([changed], dataset, source)
    refuse_changed([changed, job], dataset, source)  # several rates at once: one of them is what stopped
    assert unfinished(changed, dataset, source) is None


def test_other_images_make_another_job(job, tmp_path):
    from PIL import Image

    stopped(job)
    dataset, source = load_dataset(job.data), load_source(job.source)
    Image.new("RGB", (40, 40)).save(dataset.train.folder / dataset.train.names[0])
    difference = first_difference(job.identity(load_dataset(job.data), source), job.identity(dataset, source))
    assert difference.startswith("images")
    with pytest.raises(UserError, match="images"):
        refuse_changed([job], load_dataset(job.data), source)


def test_a_run_that_goes_on_is_nobody_elses(job):
    from shared.runs.liveness import Held

    run = stopped(job)
    run.status, run.process = "running", this_process()
    run.save()
    assert state(run) == "running"
    assert unfinished(job, load_dataset(job.data), load_source(job.source)) is None
    with Held(run.folder), pytest.raises(UserError, match="another process"), Held(run.folder):
        pass
    run.process["started"] -= 100  # another process that was given the same number
    assert not alive(run)
    elsewhere = run.process | {"host": "another"}
    run.process = elsewhere
    (run.folder / LOCK).touch()
    assert alive(run)
    os.utime(run.folder / LOCK, (1, 1))
    assert state(run) == "interrupted"


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    for epoch in (1, 2, 3):
        write_checkpoint(tmp_path, epoch, {"output.bias": np.full(2, epoch, "float32")}, {"0.momentum": np.ones(1)})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-2.safetensors", "checkpoint-3.safetensors"]
    assert read_checkpoint(tmp_path, newest=3)[0] == 3
    assert read_checkpoint(tmp_path, newest=2)[0] == 2
    (tmp_path / "checkpoint-3.safetensors").write_bytes(b"half of it")
    epoch, net, trainer = read_checkpoint(tmp_path, newest=3)
    assert (epoch, list(net["output.bias"]), list(trainer)) == (2, [2, 2], ["0.momentum"])
    assert read_checkpoint(tmp_path, newest=1) is None


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("kind", ["sgd", "momentum", "adam"])
def test_optimisers_go_on_from_their_tensors(framework, kind, thin_file):
    """Two steps, then two more: with the state handed on they end where four steps end, to the bit."""
    training, nets = (implementation(framework, m) for m in ("training", "nets"))
    source = load_source(str(thin_file))

    def steps(net, trainer, count):
        for i in range(count):
            one_step(framework, net, trainer, i)

    def fresh():
        training.seed_everything(0)
        net = nets.finetune_net(source, 2)
        return net, trainer_of(framework, net, kind)

    net, trainer = fresh()
    steps(net, trainer, 4)
    wanted = nets.get_tensors(net)
    net, trainer = fresh()
    steps(net, trainer, 2)
    tensors, states = nets.get_tensors(net), training.get_trainer_tensors(trainer)
    assert bool([n for n in states if not n.endswith("updates")]) == (kind != "sgd")
    net, trainer = fresh()
    nets.set_tensors(net, tensors)
    training.set_trainer_tensors(trainer, states)
    for i in range(2):
        one_step(framework, net, trainer, i)
    got = nets.get_tensors(net)
    again, _ = fresh()
    assert any(not np.array_equal(nets.get_tensors(again)[n], wanted[n]) for n in wanted)
    for name in wanted:
        assert np.array_equal(got[name], wanted[name]), name


def trainer_of(framework, net, kind):
    if framework == "torch":
        import torch

        made = {
            "sgd": lambda p: torch.optim.SGD(p, lr=0.01),
            "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
            "adam": lambda p: torch.optim.AdamW(p, lr=0.01),
        }
        return made[kind]([p for p in net.parameters() if p.requires_grad])
    from mxnet import gluon

    recipe = {"learning_rate": 0.01} | ({"momentum": 0.9} if kind == "momentum" else {})
    return gluon.Trainer(net.collect_params(), "adam" if kind == "adam" else "sgd", recipe)


def one_step(framework, net, trainer, number):
    X = np.random.default_rng(number % 2).normal(size=(4, 3, 32, 32)).astype("float32")
    if framework == "torch":
        import torch

        net.train()
        trainer.zero_grad()
        (net(torch.from_numpy(X)) ** 2).mean().backward()
        trainer.step()
        return
    from mxnet import autograd
    from mxnet import np as mxnet_np

    with autograd.record():
        l = (net(mxnet_np.array(X)) ** 2).mean(axis=1)
    l.backward()
    trainer.step(len(X))


@pytest.mark.parametrize(
    ("loss", "classes", "verdict"),
    [(None, 2, False), (0.7, 2, False), (69.0, 2, False), (70.0, 2, True), (float("nan"), 2, True), (float("inf"), 9, True)],
)  # fmt: skip
def test_what_counts_as_diverged(loss, classes, verdict):
    assert exploded(loss, classes) is verdict


@pytest.mark.parametrize("rate", [1e3, 1e6, 1e20])
def test_a_diverged_run_says_what_when_and_at_which_rate(job, rate):
    wild = replace(job, experiment=replace(job.experiment, learning_rate=rate))
    with pytest.raises(
        Diverged, match=rf"training loss was .* after epoch [12], at learning rate {rate:g}".replace("+", r"\+")
    ):
        execute(wild, load_dataset(job.data), load_source(job.source))
    (run,) = read_runs(job.out)
    assert run.status == "diverged" and not list(run.folder.glob("checkpoint*"))
    with_all = execute(replace(wild, keep_going=True), load_dataset(job.data), load_source(job.source))
    assert (with_all.status, len(with_all.epochs)) == ("diverged", 3)
