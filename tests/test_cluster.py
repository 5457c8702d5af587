"""Many runs on a Dask cluster, with real processes here: workers that are killed or come late, a client that comes back."""

import json
import platform
import signal
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import write_images
from loopback import PATIENCE, Here, parent_of, until

from shared.errors import UserError
from shared.experiments import experiment
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.runs import cluster, portable, scheduler, worker
from shared.runs.checkpoint import write_checkpoint
from shared.runs.execute import execute
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.job import Job
from shared.runs.record import read_probabilities, read_runs

SMALL = experiment("finetune", num_epochs=12, size=32, batch_size=5)
OPTIONS = ("--epochs", 12, "--size", 32, "--batch-size", 5)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """One for all tests, so that what a test started serves the next."""
    with Here(tmp_path_factory.mktemp("here")) as one:
        yield one


@pytest.mark.slow
def test_killed_worker_late_worker_and_a_client_that_comes_back(here, images, thin_file, tmp_path):
    """Four runs on two workers; the one with a checkpoint is killed with -9, then the client too; a third worker comes late."""
    out = tmp_path / "runs"
    where = ("--data", images, "--source", thin_file, "--out", out)
    order = ("run", "finetune", "--seed", 0, "--seed", 1, *OPTIONS, *where, "--resume")
    workers = {w.pid: w for w in (here.worker(), here.worker())}
    client = here.client(*order)

    def killable():
        for run in read_runs(out) if out.is_dir() else []:
            if run.status == "running" and 2 <= len(run.epochs) <= 9 and parent_of(run) in workers:
                return run

    killed = until(killable, "a run under way")
    workers[parent_of(killed)].send_signal(signal.SIGKILL)
    client.kill()
    here.worker()
    until(lambda: not worker._exists(killed.process), "the end of what the worker had started")
    again = here.client(*order)
    assert again.wait(PATIENCE) == 0, here.log_of(again)
    with scheduler.connected(here.address) as client:
        assert cluster.jobs_on(client) == {}  # nor of what came to its end while nobody asked
    found = read_runs(out)
    assert sorted((r.framework, r.seed, r.status) for r in found) == [
        (framework, seed, "finished") for framework in FRAMEWORKS for seed in (0, 1)
    ]
    resumed = next(r for r in found if r.folder == killed.folder)
    assert resumed.process != killed.process and resumed.started == killed.started
    assert {r.process["host"] for r in found} == {platform.node()}
    assert not list(out.glob(".hotdog-*")) and not list(out.glob("*/checkpoint*"))
    dataset, source = load_dataset(str(images)), load_source(str(thin_file))
    for run in found:  # shared draws: the same as without a cluster, wherever it was interrupted
        job = Job(SMALL, run.framework, run.seed, "", "", device="cpu", out=tmp_path / "without")
        without = execute(job, dataset, source)
        assert [e["test_accuracy"] for e in run.epochs] == [e["test_accuracy"] for e in without.epochs]
        np.testing.assert_array_equal(read_probabilities(run)[2], read_probabilities(without)[2])


def test_a_worker_without_images_weights_and_storage_is_sent_them_once(here, thin_file, tmp_path, monkeypatch):
    """As on a machine that shares nothing with this one: the paths lead nowhere there, and --out is another."""
    counts = {(s, c): 5 for s in ("train", "test") for c in ("hotdog", "not-hotdog")}
    images = write_images(tmp_path / "others", counts, seed=2)  # that no worker has seen
    dataset, source = load_dataset(str(images)), load_source(str(thin_file))
    short = replace(SMALL, num_epochs=1)
    jobs = [
        Job(short, "torch", seed, "/nowhere", "/nowhere.pth", device="cpu", out=tmp_path / "runs") for seed in (0, 1)
    ]
    real = cluster._task
    monkeypatch.setattr(cluster, "_task", lambda *parts: real(*parts) | {"token": "of another folder"})
    packed, lines = [], []
    monkeypatch.setattr(cluster, "packed_images", lambda what: packed.append(what) or portable.packed_images(what))
    if not here.workers:
        here.worker()
    with scheduler.connected(here.address) as client:
        code = cluster.run_on_cluster(client, "run", jobs, dataset, source, lambda line, error: lines.append(line))
        assert cluster.jobs_on(client) == {}
        assert {tuple(line[2:4]) for line in cluster.workers_of(client)[1]} == {("Gluon, PyTorch", "1")}
    assert (code, len(packed)) == (0, 1), lines
    found = read_runs(tmp_path / "runs")
    assert sorted((r.seed, r.status, r.dataset["name"], r.source["name"]) for r in found) == [
        (seed, "finished", dataset.name, source.name) for seed in (0, 1)
    ]
    assert [r.dataset["fingerprint"] for r in found] == [dataset.fingerprint] * 2
    assert all((r.folder / "weights.safetensors").is_file() and (r.folder / "curves.png").is_file() for r in found)
    assert any(str(tmp_path / "runs") in line for line in lines) and not any("/cluster/runs/" in line for line in lines)
    assert not list((here.cache / "cluster" / "runs").iterdir())


@pytest.fixture
def there(images, thin_file, cache):
    """Images, source network, and a job that names them by paths where there is nothing."""
    job = Job(SMALL, "torch", 0, "/nowhere", "/nowhere.pth")
    return load_dataset(str(images)), load_source(str(thin_file)), job


def test_images_and_weights_travel_whole_or_not_at_all(there):
    dataset, source, job = there
    assert portable.find_images(job, dataset.fingerprint) is None
    assert portable.find_source(job, source.fingerprint, "thin") is None
    for keep, content, wanted in (
        (portable.keep_images, portable.packed_images(dataset), dataset.fingerprint),
        (portable.keep_source, portable.packed_source(source), source.fingerprint),
    ):
        with pytest.raises(UserError, match="not 0123"):
            keep(content, "0123")
        keep(content, wanted)
    found = portable.find_images(job, dataset.fingerprint)
    for part in ("train", "test"):
        assert getattr(found, part).names == getattr(dataset, part).names
        assert getattr(found, part).labels == getattr(dataset, part).labels
    assert (found.name, found.classes, found.test.folder.name) == (dataset.name, dataset.classes, "test")
    weights = portable.find_source(job, source.fingerprint, "its name there")
    assert (weights.name, weights.classes) == ("its name there", source.classes)
    assert all(np.array_equal(weights.tensors[name], tensor) for name, tensor in source.tensors.items())


def test_a_list_of_images_travels_with_its_classes(images, cache):
    list_of_them = images / "list.csv"
    files = sorted(images.glob("train/*/*.png"))
    list_of_them.write_text("".join(f"{f.relative_to(images)},{f.parent.name}\n" for f in files))
    dataset = load_dataset(str(list_of_them), split=0.25)
    portable.keep_images(portable.packed_images(dataset), dataset.fingerprint)
    found = portable.find_images(Job(SMALL, "torch", 0, "/nowhere", "mini", split=0.25), dataset.fingerprint)
    assert (found.classes, found.split, len(found.test)) == (dataset.classes, dataset.split, len(dataset.test))
    (images.parent / "secret.png").write_bytes(files[0].read_bytes())
    outside = replace(dataset, train=replace(dataset.train, names=("../secret.png", *dataset.train.names[1:])))
    with pytest.raises(UserError, match="outside of"):
        portable.packed_images(outside)


def test_what_lies_at_the_same_path_is_not_trusted_by_its_name(there, images):
    dataset, _, job = there
    job = replace(job, data=str(images))
    assert portable.find_images(job, dataset.fingerprint) is not None
    write_images(images, {("train", "hotdog"): 1}, seed=1)
    assert portable.find_images(job, dataset.fingerprint) is None


def test_what_was_kept_and_then_changed_is_not_found(there):
    dataset, _, job = there
    portable.keep_images(portable.packed_images(dataset), dataset.fingerprint)
    write_images(portable.find_images(job, dataset.fingerprint).train.folder.parent, {("train", "hotdog"): 1}, seed=1)
    assert portable.find_images(job, dataset.fingerprint) is None


def test_a_run_that_is_brought_home_twice_is_recorded_once(there, tmp_path):
    dataset, source, job = there
    run = execute(replace(job, experiment=replace(SMALL, num_epochs=0), out=tmp_path / "there"), dataset, source)
    files = {f.name: f.read_bytes() for f in run.folder.iterdir()}
    for _ in range(2):
        cluster._keep(tmp_path / "runs", run.folder.name, files)
    (home,) = read_runs(tmp_path / "runs")
    assert (home.folder.name, asdict(home) | {"folder": 0}) == (run.folder.name, asdict(run) | {"folder": 0})
    with pytest.raises(UserError, match="sent a file"):
        cluster._keep(tmp_path / "runs", run.folder.name, {"../run.json": b""})


def test_what_another_client_took_off_is_sent_again(monkeypatch):
    """Two clients with the same images: the one that ends first takes them off the cluster, and a worker of the other asks."""
    sent, published, now = [], [], [100.0]
    client = SimpleNamespace(
        scatter=lambda content, hash: sent.append(content),
        publish_dataset=lambda *_, name, override: published.append(name),
    )
    monkeypatch.setattr(cluster.time, "monotonic", lambda: now[0])
    contents, known = {"images": ("12ab", lambda what: what.encode(), "archive")}, {}
    for seconds, times in ((0, 1), (0.5, 1), (worker.ASK_AGAIN, 2)):  # several workers ask for the first time at once
        now[0] += seconds
        cluster._send(client, contents, known, "images")
        assert (sent, published) == ([b"archive"] * times, ["hotdog-images-12ab"] * times)


def test_an_attempt_on_a_host_that_is_lost_is_given_up(there, tmp_path, monkeypatch):
    """On another host nobody can look for the process; its lock would speak for it for ten minutes."""
    dataset, source, job = there
    run = execute(replace(job, experiment=replace(SMALL, num_epochs=1), out=tmp_path), dataset, source)
    run.status, run.process = "running", {"host": "lost", "pid": 1, "started": 1.0}
    run.save()
    (run.folder / "running.lock").touch()
    write_checkpoint(run.folder, 1, {"output.bias": np.zeros(2, "float32")}, {})
    attempt = tmp_path / ".key.json"
    monkeypatch.setattr(worker, "PATIENCE", 0.1)
    for text, status in (
        ("", "running"),
        ('{"host": "x", "pid": 1, "started": 1}', "running"),
        (json.dumps(run.process), "interrupted"),
    ):
        attempt.write_text(text)
        worker._end_earlier(attempt)
        assert read_runs(tmp_path)[0].status == status


def test_a_worker_offers_what_is_installed(monkeypatch):
    assert worker.offered() == {"gluon": 1, "torch": 1, "job": 1}
    monkeypatch.setattr(worker, "packages_distributions", lambda: {"torch": ["torch"]})
    assert worker.offered() == {"torch": 1, "job": 1}


def test_without_dask_or_a_scheduler_it_is_one_line(monkeypatch):
    for address in ("nonsense://x", "here", "tcp://127.0.0.1:1", "127.0.0.1:1", "tcp://127.0.0.1:99999"):
        with pytest.raises(UserError, match=f"no Dask scheduler answers at {address} "), scheduler.connected(address):
            pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"needs Dask: uv sync --extra cluster"), scheduler.connected("local"):
        pass
