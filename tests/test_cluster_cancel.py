"""`hotdog cluster`: what it shows, and that --cancel stops what is under way, takes off what waits, and leaves what is finished."""

import shutil

import pytest
from helpers import hotdog
from loopback import PATIENCE, Here, parent_of, until

from shared.runs import cluster, scheduler
from shared.runs.record import read_runs


@pytest.fixture
def here(tmp_path):
    with Here(tmp_path) as one:
        yield one


def test_cancel_stops_what_is_under_way_and_what_waits(here, images, thin_file, tmp_path):
    out = tmp_path / "runs"
    where = ("--data", images, "--source", thin_file, "--out", out)
    order = ("run", "finetune", "--framework", "torch", "--size", 32, "--batch-size", 5, "--epochs", 5000, *where)
    one = here.worker()
    client = here.client(*order, "--seed", 0, "--seed", 1)

    def under_way():
        return [run for run in (read_runs(out) if out.is_dir() else []) if len(run.epochs) > 2]

    (run,) = until(under_way, "a run under way")
    assert parent_of(run) == one.pid
    shown = hotdog("cluster", here.address)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("waiting or under way") == 2 and "Gluon, PyTorch" in shown.stdout
    done = hotdog("cluster", here.address, "--cancel")
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped 2 jobs\n", "")
    assert client.wait(PATIENCE) == 1
    said = here.log_of(client)
    for seed in (0, 1):
        assert f"hotdog: finetune torch seed {seed} was stopped: hotdog cluster --cancel\n" in said
    assert "Traceback" not in said
    (stopped,) = until(
        lambda: [r for r in read_runs(out) if r.status == "interrupted"], "the record of the stopped run"
    )
    assert stopped.folder == run.folder and len(stopped.epochs) >= len(run.epochs)
    assert not (stopped.folder / "running.lock").exists()
    assert "waiting" not in hotdog("cluster", here.address).stdout
    # The worker is free for the next one, and has not begun with what waited.
    again = here.client("run", "finetune", "--framework", "torch", "--size", 32, "--epochs", 1, *where, "--seed", 2)
    assert again.wait(PATIENCE) == 0, here.log_of(again)
    assert sorted((r.seed, r.status) for r in read_runs(out)) == [(0, "interrupted"), (2, "finished")]


@pytest.fixture
def hidden(tmp_path, own_namespaces):
    """A folder that a process can be kept from seeing."""
    folder = tmp_path / "here only"
    folder.mkdir()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["shared", "apart"])
def test_cancel_leaves_what_is_finished_and_nowhere_else(storage, here, images, thin_file, hidden):
    """The client is gone, its run is finished: without shared storage the worker has what it made, and nobody else does."""
    out = hidden / "runs"
    shutil.copytree(images, hidden / "images")
    where = ("--data", hidden / "images", "--source", thin_file, "--out", out, "--framework", "torch", "--size", 32)
    here.worker([hidden] if storage == "apart" else ())
    order = ("run", "finetune", *where, "--epochs", 300, "--batch-size", 5)
    client = here.client(*order)
    with scheduler.connected(here.address) as looking:
        until(lambda: any(looking.processing().values()) and "epoch 3/" in here.log_of(client), "a run under way")
        client.kill()
        until(lambda: list(cluster.jobs_on(looking).values()) == ["finished"], "the end of the run")
    kept = (
        []
        if storage == "shared"
        else ["finished, and kept until the command that gave them fetches what they made: 1 job"]
    )
    assert hotdog("cluster", here.address, "--cancel").stdout.splitlines() == ["stopped 0 jobs", *kept]
    again = here.client(*order, "--resume")
    assert again.wait(PATIENCE) == 0, here.log_of(again)
    assert ("is finished already" in here.log_of(again)) == (storage == "shared")
    assert "epoch 1/" not in here.log_of(again)
    (run,) = read_runs(out)
    assert (run.status, run.dataset["name"]) == ("finished", "images")
    with scheduler.connected(here.address) as looking:
        assert not [name for name in looking.list_datasets() if name.startswith(cluster.PREFIX)]
