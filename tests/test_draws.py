"""The random streams: what they depend on, what they do not, and that both frameworks' loaders give the same views."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from shared import threads
from shared.experiments import experiment
from shared.images.draws import EpochOrder, epoch_seed, initial_tensors, order, view
from shared.images.folders import load_dataset
from shared.networks.architecture import Architecture, tensor_shapes
from shared.networks.reading import load_source
from shared.runs.frameworks import FRAMEWORKS, implementation, target_net

SHAPES = tensor_shapes(Architecture(2, channels=(8, 8, 16, 24, 32), classes=2))


def test_streams_depend_on_their_key_and_nothing_else():
    assert list(order(3, 1, 20)) == list(order(3, 1, 20))
    assert sorted(order(3, 1, 20)) == list(range(20))
    assert len({tuple(order(seed, epoch, 20)) for seed in (0, 1, 2) for epoch in (1, 2, 3)}) == 9
    views = {view(seed, epoch, i, 100, 80) for seed in (0, 1) for epoch in (1, 2) for i in range(50)}
    assert len(views) == 200
    assert view(0, 1, 7, 100, 80) == view(0, 1, 7, 100, 80)
    assert len({epoch_seed(seed, epoch) for seed in range(20) for epoch in range(20)}) == 400


def test_streams_are_what_they_were():
    """Recorded runs are repeated with these: a changed draw would make pairs of runs that are none."""
    assert list(order(0, 1, 6)) == [3, 2, 4, 5, 1, 0]
    assert view(0, 1, 0, 100, 80).__dict__ == {"left": 13, "top": 4, "width": 58, "height": 58, "mirrored": True}
    drawn = initial_tensors({"output.weight": (2, 3)}, 0)["output.weight"]
    assert drawn.ravel()[:3].round(6).tolist() == [0.5138390064239502, -0.4683850109577179, 1.0812939405441284]


def test_views_are_inside_and_spread_as_the_paper_says():
    drawn = [view(0, 1, i, 120, 90) for i in range(3000)]
    assert all(v.left >= 0 and v.top >= 0 and v.left + v.width <= 120 and v.top + v.height <= 90 for v in drawn)
    assert stats.binomtest(sum(v.mirrored for v in drawn), len(drawn)).pvalue > 1e-3
    shares = np.array([v.width * v.height for v in drawn]) / (120 * 90)
    assert 0.07 < shares.min() < 0.1 and shares.max() > 0.98


def test_the_output_layer_is_the_same_from_scratch_and_on_features():
    whole = initial_tensors(SHAPES, 5)
    output = initial_tensors({n: s for n, s in SHAPES.items() if n.startswith("output.")}, 5)
    assert np.array_equal(whole["output.weight"], output["output.weight"])
    assert not np.array_equal(initial_tensors(SHAPES, 6)["output.weight"], whole["output.weight"])
    assert set(whole) == set(SHAPES)
    kernel = whole["features.layer4.0.conv2.weight"]
    bound = np.sqrt(6 / (9 * 64))
    assert stats.kstest(kernel.ravel() / bound, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert (whole["features.bn1.weight"] == 1).all() and (whole["features.bn1.running_var"] == 1).all()
    assert not whole["output.bias"].any() and not whole["features.bn1.running_mean"].any()


def batches(framework, split, epochs=2, batch_size=5, **options):
    """X and y of all batches of some epochs with shared draws, and the loader's own numbers of images."""
    loader = implementation(framework, "data").train_iter(split, 32, batch_size, seed=4, draws="shared", **options)
    found = []
    for _ in range(epochs):
        for X, y in loader:
            as_numpy = (lambda t: t.asnumpy()) if framework == "gluon" else (lambda t: t.numpy())
            found.append((as_numpy(X), as_numpy(y)))
    return found


def joined(found):
    return np.concatenate([X for X, _ in found]), np.concatenate([y for _, y in found])


def test_both_frameworks_give_the_same_views_in_the_same_order(images):
    split = load_dataset(str(images)).train
    (X, y), (X_torch, y_torch) = (joined(batches(f, split)) for f in FRAMEWORKS)
    assert np.array_equal(y, y_torch)
    assert X.shape == X_torch.shape == (24, 3, 32, 32)
    # Each framework cuts and resizes with its own operators: they round to levels of 1/255 that are at most one apart.
    assert np.abs(X - X_torch).max() * 0.225 * 255 < 1.1
    assert not np.array_equal(X[:12], X[12:])  # another epoch


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_neither_batch_size_nor_workers_nor_history_change_what_is_drawn(framework, images):
    split = load_dataset(str(images)).train
    wanted = joined(batches(framework, split))
    for options in ({"batch_size": 3}, {"workers": 2}):
        for one, other in zip(joined(batches(framework, split, **options)), wanted, strict=True):
            assert np.array_equal(one, other), options
    implementation(framework, "training").seed_everything(99)
    later = implementation(framework, "data").train_iter(split, 32, 5, seed=4, draws="shared")
    later.epoch = 1  # as a run that is resumed after its first epoch
    X = np.concatenate([X.asnumpy() if framework == "gluon" else X.numpy() for X, _ in later])
    assert np.array_equal(X, wanted[0][12:])


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_own_draws_start_anew_in_every_epoch(framework, images):
    split = load_dataset(str(images)).train
    data, training = (implementation(framework, m) for m in ("data", "training"))

    def epochs(begin):
        loader = data.train_iter(split, 32, 5, seed=4)
        loader.epoch = begin
        return [
            np.concatenate([X.asnumpy() if framework == "gluon" else X.numpy() for X, _ in loader]) for _ in range(2)
        ]

    first, second = epochs(0)
    training.seed_everything(99)  # whatever was drawn in between
    again, third = epochs(1)
    assert np.array_equal(second, again)
    assert not np.array_equal(first, second) and not np.array_equal(second, third)


@pytest.mark.parametrize("name", ["finetune", "scratch", "hotdog-row", "frozen"])
def test_pairs_start_from_the_same_tensors(name, images, thin_file):
    dataset, source = load_dataset(str(images)), load_source(str(thin_file))
    settings = experiment(name)
    nets = {f: target_net(f, settings, source, dataset, seed=2, draws="shared") for f in FRAMEWORKS}
    gluon, torch = (implementation(f, "nets").get_tensors(nets[f]) for f in FRAMEWORKS)
    for tensor in gluon:
        assert np.array_equal(gluon[tensor], torch[tensor]), tensor
    other = implementation("torch", "nets").get_tensors(
        target_net("torch", replace(settings), source, dataset, seed=3, draws="shared")
    )
    assert np.array_equal(other["output.weight"], torch["output.weight"]) == (name == "hotdog-row")


def test_a_sampler_names_epoch_and_position():
    sampler = EpochOrder(0, 5)
    assert [epoch for epoch, _ in sampler] == [1] * 5
    sampler.epoch = 2
    assert [i for _, i in sampler] == list(order(0, 2, 5)) and len(sampler) == 5


@pytest.mark.parametrize(
    ("files", "cores"),
    [({"cpu.max": "150000 100000"}, 2), ({"cpu.max": "50000 100000"}, 1), ({"cpu.max": "max 100000"}, 8), ({}, 8),
     ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3), ({"cpu.max": "damaged"}, 8)],
)  # fmt: skip
def test_cores_are_those_of_affinity_and_control_group(files, cores, tmp_path, monkeypatch):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(threads, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert threads.usable_cores() == cores
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads.settings(2) == {"OMP_NUM_THREADS": str(max(1, cores // 2))}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert threads.settings() == {}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("wanted", ["", "1"])
def test_threads_are_those_that_the_library_says(framework, wanted):
    """MXNet left alone takes half of the cores; set before it loads, all of them."""
    asked = f"import {framework}_impl.training; from shared.runs.machine import threads_of, usable_cores\n"
    asked += f"print(threads_of('{framework}'), usable_cores())"
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", asked],
        capture_output=True, text=True, env=environment | ({"OMP_NUM_THREADS": wanted} if wanted else {}),
    )  # fmt: skip
    used, cores = map(int, done.stdout.split())
    assert used == (int(wanted) if wanted else cores), done.stderr
