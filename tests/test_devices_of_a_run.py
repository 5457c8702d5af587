"""One run on several devices, in real processes: two contexts, two gloo processes, two workers of a kvstore with its server."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from helpers import ROOT, hotdog

from shared.errors import UserError
from shared.parts import Group, PartOrder, Parts, check_parts, part_of
from shared.runs.devices import check_launch
from shared.runs.record import read_probabilities, read_runs

# 12 training images: 9, and a short batch of 3; parts of 5 and 4, 2 and 1
OPTIONS = ("--size", 40, "--batch-size", 9, "--epochs", 3, "--devices", 2)


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 128])
def test_parts_are_those_of_numpy(count, parts):
    wanted = [list(part) for part in np.array_split(np.arange(count), parts)]
    assert [list(range(count))[part_of(count, i, parts)] for i in range(parts)] == wanted


def test_all_parts_together_are_the_batches():
    groups = [Group(rank, 3, 3) for rank in range(3)]
    orders = [PartOrder(range(20), 8, group) for group in groups]
    assert [sum(parts, []) for parts in zip(*orders, strict=True)] == [
        list(range(8)),
        list(range(8, 16)),
        [16, 17, 18, 19],
    ]
    assert {len(order) for order in orders} == {3}


def test_parts_tell_how_many_images_the_whole_batch_has():
    group, ended = Group(1, 2, 2), []
    parts = Parts(["a", "b", "c"], 20, 8, group, lambda: ended.append(True))
    assert [(batch, group.images, group.part) for batch in parts] == [("a", 8, 4), ("b", 8, 4), ("c", 4, 2)]
    assert (len(parts), ended) == (3, [True])


@pytest.mark.parametrize(
    ("devices", "images", "batch_size", "size", "tested", "words"),
    [
        (2, 17, 8, 64, 9, "a batch of 1, too few for 2 devices"),
        (2, 19, 8, 32, 9, "a batch of 3, too few for 2 devices .at least 4"),
        (4, 64, 8, 64, 3, "3 test images cannot be shared out among 4 devices"),
        (9, 64, 8, 64, 9, "too few for 9 devices"),
    ],
)
def test_no_device_is_left_without_images(devices, images, batch_size, size, tested, words):
    with pytest.raises(UserError, match=words):
        check_parts(devices, images, batch_size, size, tested)
    check_parts(2, 18, 8, 64, 2)


TORCHRUN = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}


@pytest.mark.parametrize(
    ("environment", "devices", "frameworks", "words"),
    [
        (TORCHRUN, 1, ["torch"], "torchrun started 2 processes, and each would make the same run: give --devices 2"),
        (TORCHRUN, 3, ["torch"], "torchrun started 2 processes, but --devices is 3"),
        (TORCHRUN, 2, ["gluon", "torch"], "add --framework torch"),
        ({"DMLC_ROLE": "worker", "DMLC_NUM_WORKER": "4"}, 1, ["gluon"], "MXNet's launcher started 4 processes"),
        ({"DMLC_ROLE": "worker", "DMLC_NUM_WORKER": "4"}, 4, ["torch"], "add --framework gluon"),
    ],
)
def test_what_a_launcher_started_says_so(environment, devices, frameworks, words, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=words):
        check_launch(devices, frameworks)


def test_torchrun_without_devices_is_one_line():
    """As torchrun starts each of its processes."""
    for command in (("run", "finetune", "--framework", "torch"), ("exercise", 1)):
        done = hotdog(*command, env=TORCHRUN)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("hotdog: torchrun started 2 processes") and done.stderr.count("\n") == 1


def test_devices_share_draws():
    with pytest.raises(UserError, match="--devices needs --draws shared"):
        check_launch(2, ["torch"], "own")


def order(images, source, out, *more):
    return ("run", "finetune", *OPTIONS, "--data", images, "--source", source, "--out", out, *more)


def test_two_devices_of_one_host(images, thin_file, tmp_path):
    """Gluon on two contexts, PyTorch in two processes: one record each, nearly the same numbers (images are resized by each)."""
    done = hotdog(*order(images, thin_file, tmp_path / "runs"))
    assert done.returncode == 0, done.stderr
    runs = {run.framework: run for run in read_runs(tmp_path / "runs")}
    assert {f: (r.status, r.device["devices"], len(r.epochs)) for f, r in runs.items()} == {
        f: ("finished", 2, 4) for f in ("gluon", "torch")
    }
    assert [read_probabilities(runs[f])[2].shape for f in ("gluon", "torch")] == [(8, 2)] * 2
    # Float32 and the frameworks' own resizing part them later; the first epoch is enough to tell whether images were left out.
    losses = [runs[f].epochs[1]["train_loss"] for f in ("gluon", "torch")]
    np.testing.assert_allclose(*losses, rtol=0.05)


@pytest.mark.slow  # five processes that load MXNet
def test_two_workers_of_a_kvstore(images, thin_file, tmp_path):
    """What MXNet's launcher would start: a scheduler, a server, two workers. The record is that of two contexts, in float32."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = str(one.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DMLC_PS_ROOT_URI": "127.0.0.1", "DMLC_PS_ROOT_PORT": port}
    environment |= {"DMLC_NUM_WORKER": "2", "DMLC_NUM_SERVER": "1"}

    def start(role, worker="0"):
        command = [
            sys.executable,
            "-m",
            "shared.command",
            *map(str, order(images, thin_file, tmp_path / "runs", "--framework", "gluon")),
        ]
        roles = {"DMLC_ROLE": role, "DMLC_WORKER_ID": worker}
        return subprocess.Popen(
            command, env=environment | roles, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    processes = [start("scheduler"), start("server"), start("worker", "0"), start("worker", "1")]
    try:
        said = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0, 0, 0], said
    assert [bool(out) for out, _ in said] == [False, False, True, False]
    assert hotdog(*order(images, thin_file, tmp_path / "contexts", "--framework", "gluon")).returncode == 0
    (run,), (contexts,) = read_runs(tmp_path / "runs"), read_runs(tmp_path / "contexts")
    for mine, theirs in zip(run.epochs, contexts.epochs, strict=True):
        assert mine["test_accuracy"] == theirs["test_accuracy"]
        np.testing.assert_allclose(mine["train_loss"] or 0, theirs["train_loss"] or 0, rtol=1e-3)
