"""The comparison of tensors, the batches of feed.py, and the lines at the end of `pytest -k parity`."""

import math
from pathlib import Path

import numpy as np
import pytest

from shared.experiments import experiment
from shared.images.feed import Batches, batches
from shared.images.views import random_region
from shared.networks.reading import load_source
from shared.parity.tensors import Mismatch, changed, compare, largest, relative, within
from shared.runs.find import completed_runs
from shared.runs.job import Job
from shared.runs.record import Run
from shared.runs.tables import where_they_ran

ROOT = Path(__file__).parents[2]


# --- tensors ---


def test_compare_names_the_first_and_the_worst():
    a = {name: np.ones(3) for name in ("one", "two", "three")}
    b = a | {"two": np.ones(3) * 1.01, "three": np.ones(3) * 2}
    with pytest.raises(Mismatch, match=r"rung 5 .*two is the first.* 2 of 3 differ, most three by 0\.5") as caught:
        compare(5, "these", a, b, 1e-3)
    assert caught.value.rung == 5
    assert compare(5, "these", a, b, 1).difference == 0.5


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("measure", [relative, largest, changed])
def test_compare_lets_nothing_through_that_is_no_number(wrong, measure):
    a, b = {"t": np.array([1.0, 2.0])}, {"t": np.array([1.0, wrong])}
    for pair in ((a, b), (b, a)):
        with pytest.raises(Mismatch):
            compare(3, "t", *pair, 0.5, measure)


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ({"a": np.zeros(2)}, "not the same names on both sides: b"),
        ({"b": np.zeros(2), "a": np.zeros(2)}, "their order"),
        ({"a": np.zeros(2), "b": np.zeros((1, 2))}, "b has shape"),
    ],
)
def test_compare_wants_the_same_names_and_shapes(other, text):
    with pytest.raises(Mismatch, match=text):
        compare(2, "t", {"a": np.zeros(2), "b": np.zeros(2)}, other, 1)


def test_compare_is_not_fooled_by_sign_or_size():
    # a comparison without abs() passes on large negative errors
    for error in (-5.0, 5.0):
        with pytest.raises(Mismatch):
            compare(3, "t", {"t": np.array([1.0])}, {"t": np.array([1.0 + error])}, 0.1, largest)
    with pytest.raises(Mismatch):
        compare(3, "t", {"t": np.array([1e-30])}, {"t": np.array([0.0])}, 0.1)


def test_changed_counts_bits():
    a = np.array([0.0, 1.0, 2.0], dtype="float32")
    assert changed(a, a.copy()) == 0
    assert changed(a, np.array([-0.0, 1.0, np.nextafter(np.float32(2), np.float32(3))], dtype="float32")) == 2
    assert changed(a, a.astype("float64")) == 1


@pytest.mark.parametrize("value", [0.9, 3.1, math.nan])
def test_within_has_two_bounds(value):
    with pytest.raises(Mismatch):
        within(9, "size", value, 1, 3)
    assert within(9, "size", 2, 1, 3).at_least == 1


# --- which runs ---


def test_runs_of_one_device_can_be_asked_for(tmp_path, drawings):
    source, some = load_source("mini"), experiment("frozen", "mini")

    def run(seed, gpu):
        folder = tmp_path / f"run{seed}"
        folder.mkdir()
        (folder / "test_probabilities.csv").touch()
        device = {"used": "cuda" if gpu else "cpu", "why": gpu or "there is none", "gpu": gpu}
        about = {"fingerprint": source.fingerprint, "row": None}
        data = {"fingerprint": drawings.fingerprint}
        return Run(folder, some.as_dict(), "torch", seed, data, about, device, {}, status="finished")

    found = [run(0, None), run(1, "NVIDIA A100")]
    for device, seeds in (("auto", {0, 1}), ("cpu", {0}), ("gpu", {1})):
        jobs = [Job(some, "torch", seed, "drawings", "mini", "own", device=device) for seed in range(3)]
        assert {job.seed for job in completed_runs(jobs, found, drawings, source)} == seeds
    assert where_they_ran(found) == ["torch ran on cpu (there is none), cuda (NVIDIA A100)"]


# --- batches ---


def test_batches_come_again_and_differ_by_seed_and_epoch(drawings):
    def all_of(seed, epoch):
        return list(Batches(drawings.train, 32, 24, seed, epoch))

    for (X, y), (X_again, y_again) in zip(all_of(3, 1), all_of(3, 1), strict=True):
        assert np.array_equal(X, X_again) and np.array_equal(y, y_again)
    for other in (all_of(4, 1), all_of(3, 2)):
        assert not np.array_equal(all_of(3, 1)[0][0], other[0][0])
    sizes = [len(y) for _, y in all_of(0, 0)]
    assert sizes == [24, 24, 24, 8] and len(Batches(drawings.train, 32, 24, 0)) == 4
    assert sorted(np.concatenate([y for _, y in all_of(0, 0)])) == sorted(drawings.train.labels)


def test_batches_for_testing_are_the_centres_in_order(drawings):
    found = list(Batches(drawings.test, 32, 10, 0, augment=False, dtype="float32"))
    assert [len(y) for _, y in found] == [10, 10, 4]
    assert list(np.concatenate([y for _, y in found])) == list(drawings.test.labels)
    X = np.concatenate([X for X, _ in found])
    assert X.shape == (24, 3, 32, 32) and X.dtype == np.float32
    assert abs(X).max() < 3  # normalised: 0 and 255 become -2.1 and 2.6


def test_regions_keep_to_their_bounds():
    rng = np.random.default_rng(0)
    regions = np.array([random_region(300, 200, rng) for _ in range(2000)])
    left, top, width, height = regions.T
    assert (left >= 0).all() and (left + width <= 300).all() and (top >= 0).all() and (top + height <= 200).all()
    area, shape = width * height / 60000, width / height
    assert 0.07 < area.min() < 0.1 and area.max() > 0.85
    assert 0.73 < shape.min() and shape.max() < 1.37
    assert tuple(random_region(2000, 3, rng)) == (0, 0, 2000, 3)  # no region of that shape fits


def test_seeded_batches_are_cut_to_the_steps_asked_for(drawings):
    assert len(batches(drawings.train, 32, 16, 0, 12)) == 12
    assert batches(drawings.train, 32, 16, 0, 0) == []


# --- the lines at the end ---
