"""Rung 12's statistics and the comparison of tensors, against numbers worked out elsewhere; and the batches of feed.py."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from shared.errors import UserError
from shared.experiments import experiment
from shared.images.feed import Batches, batches
from shared.images.views import random_region
from shared.networks.reading import load_source
from shared.parity.accuracies import (
    MARGIN,
    Outcome,
    accuracy_table,
    compare_accuracies,
    contradictions,
    order_sentences,
    ranking,
    seeds_needed,
)
from shared.parity.comparisons import read_record, write_record
from shared.parity.tensors import Mismatch, changed, compare, largest, relative, within
from shared.runs.find import matching
from shared.runs.record import Run
from shared.runs.tables import where_they_ran

ROOT = Path(__file__).parents[2]


def outcomes(gluon, torch, images=1000, name="finetune"):
    """One outcome per seed with so many of `images` right, the first ones."""
    return [
        Outcome(name, framework, seed, np.arange(images) < right)
        for framework, rights in (("gluon", gluon), ("torch", torch))
        for seed, right in enumerate(rights)
    ]


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


# --- accuracies ---


def test_interval_and_verdict_by_hand():
    found = compare_accuracies(outcomes([900, 910, 905, 895], [905, 905, 915, 900]))
    gaps = np.array([0.005, -0.005, 0.010, 0.005])
    half = 2.353363 * gaps.std(ddof=1) / 2  # t(0.95, 3) from a table
    assert found.difference == pytest.approx(gaps.mean())
    assert (found.low, found.high) == pytest.approx((gaps.mean() - half, gaps.mean() + half))
    assert found.verdict == "equivalent"
    assert (found.gluon, found.torch) == pytest.approx((0.9025, 0.90625))
    # two one-sided t-tests: the larger p
    error = gaps.std(ddof=1) / 2
    p = max(1 - stats.t.cdf((gaps.mean() + 0.03) / error, 3), stats.t.cdf((gaps.mean() - 0.03) / error, 3))
    assert found.p == pytest.approx(p)


@pytest.mark.parametrize(
    ("gluon", "torch", "verdict"),
    [
        ([900] * 4, [902, 898, 901, 899], "equivalent"),
        ([900] * 4, [902 + 60, 898 + 60, 901 + 60, 899 + 60], "different"),
        ([960, 961, 958, 959], [900] * 4, "different"),
        ([900] * 4, [930, 928, 932, 931], "undecided"),  # the margin itself
        ([900, 800, 950, 700], [880, 870, 900, 850], "undecided"),  # too much spread
        ([900], [900], "undecided"),  # one seed shows no spread
        ([900, 910], [910, 920], "equivalent"),  # no spread at all
        ([900, 910], [950, 960], "different"),
    ],
)
def test_verdicts(gluon, torch, verdict):
    assert compare_accuracies(outcomes(gluon, torch)).verdict == verdict


def test_seeds_without_spread_are_trusted_no_further_than_to_one_image():
    few, many = (
        [Outcome("frozen", f, seed, np.arange(n) % 4 > 0) for f in ("gluon", "torch") for seed in (0, 1)]
        for n in (32, 3200)
    )
    found = compare_accuracies(few)
    assert (found.difference, found.high) == (0, pytest.approx(stats.t.ppf(0.95, 1) / 32 / math.sqrt(2)))
    assert found.verdict == "undecided" and found.p == pytest.approx(stats.t.sf(0.03 * 32 * math.sqrt(2), 1))
    assert compare_accuracies(many).verdict == "equivalent"


def test_a_verdict_of_equivalent_means_an_interval_inside_the_margin():
    rng = np.random.default_rng(0)
    verdicts = set()
    for _ in range(60):
        n, shift = rng.integers(2, 12), rng.normal(0, 40)
        found = compare_accuracies(outcomes(rng.integers(850, 900, n), rng.integers(850, 900, n) + int(shift)))
        inside = -found.margin < found.low and found.high < found.margin
        assert (found.verdict == "equivalent") == inside == (found.p < 0.05)
        assert (found.needed is None) or found.verdict == "undecided"
        verdicts.add(found.verdict)
    assert verdicts == {"equivalent", "different", "undecided"}


@pytest.mark.parametrize(("margin", "known"), [(0.05, 3), (0.03, 8), (0.02, 18)])
def test_seeds_needed_agrees_with_the_normal_approximation(margin, known):
    # facts: seeds per arm for 80 % power at a standard deviation of 0.02; Student's t needs one to two more
    assert known <= seeds_needed(0, 0.02 * math.sqrt(2), margin) <= known + 2


def test_seeds_needed_keeps_its_promise():
    n, rng = seeds_needed(0, 0.03), np.random.default_rng(1)
    gaps = rng.normal(0, 0.03, (4000, n))
    half = stats.t.ppf(0.95, n - 1) * gaps.std(axis=1, ddof=1) / math.sqrt(n)
    power = np.mean(np.abs(gaps.mean(axis=1)) + half < MARGIN)
    assert 0.76 < power < 0.88


def test_seeds_needed_can_be_too_many():
    assert seeds_needed(MARGIN, 0.02) is None
    assert "needs more than 1000 seeds" in compare_accuracies(outcomes([900, 900, 900], [929, 930, 931])).advice
    some = compare_accuracies(outcomes([900, 870], [880, 900]))
    assert some.advice == f"undecided: needs about {some.needed} seeds" and some.needed > 2
    assert some.advice in accuracy_table([some])[1][0]


def test_mcnemar_counts_what_only_one_gets_right():
    gluon = Outcome("frozen", "gluon", 0, np.array([1] * 80 + [1] * 12 + [0] * 3 + [0] * 5, dtype=bool))
    torch = Outcome("frozen", "torch", 0, np.array([1] * 80 + [0] * 12 + [1] * 3 + [0] * 5, dtype=bool))
    found = compare_accuracies([gluon, torch])
    assert (found.only_gluon, found.only_torch, found.agreement) == (12, 3, 0.85)
    assert found.mcnemar == pytest.approx((stats.binomtest(3, 15).pvalue,))


def test_only_seeds_of_both_are_compared():
    some = outcomes([900, 910, 920], [905, 915, 925])
    found = compare_accuracies([o for o in some if (o.framework, o.seed) != ("torch", 1)])
    assert found.seeds == (0, 2)
    with pytest.raises(UserError, match="no seed was run in both"):
        compare_accuracies(some[:3])


def test_order_of_the_experiments():
    same = outcomes([900, 905, 910], [902, 906, 909]) + outcomes([800, 810, 805], [801, 808, 806], name="scratch")
    assert contradictions(same) == []
    assert [name for name, _ in ranking(same, "torch")] == ["finetune", "scratch"]
    turned = outcomes([900, 905, 910], [702, 706, 709]) + outcomes([800, 810, 805], [801, 808, 806], name="scratch")
    assert contradictions(turned) == ["finetune beats scratch in gluon, scratch beats finetune in torch"]
    assert order_sentences(turned)[0] == "Order in gluon: finetune 0.905, scratch 0.805"
    assert order_sentences(turned)[2:] == contradictions(turned)
    # one image of 1000 in each of two seeds decides nothing
    hair = outcomes([901, 901], [900, 900]) + outcomes([900, 900], [901, 901], name="scratch")
    assert contradictions(hair) == []
    near = outcomes([900, 905, 910], [906, 906, 900]) + outcomes([903, 905, 908], [904, 904, 906], name="scratch")
    assert contradictions(near) == []


def test_runs_of_one_device_can_be_asked_for(tmp_path):
    source, some = load_source("mini"), experiment("frozen", "mini")

    def run(seed, gpu):
        folder = tmp_path / f"run{seed}"
        folder.mkdir()
        (folder / "test_probabilities.csv").touch()
        device = {"used": "cuda" if gpu else "cpu", "why": gpu or "there is none", "gpu": gpu}
        about = {"fingerprint": source.fingerprint, "row": None}
        return Run(folder, some.as_dict(), "torch", seed, {"fingerprint": "d"}, about, device, {}, status="finished")

    found = [run(0, None), run(1, "NVIDIA A100")]
    for device, seeds in (("auto", {0, 1}), ("cpu", {0}), ("gpu", {1})):
        assert {seed for _, _, seed in matching(found, [some], "d", source, range(3), device)} == seeds
    assert where_they_ran(found) == ["torch ran on cpu (there is none), cuda (NVIDIA A100)"]


def test_a_record_gives_back_what_was_written(tmp_path):
    rng = np.random.default_rng(0)
    some = [Outcome("frozen", f, seed, rng.random(37) < 0.8) for f in ("gluon", "torch") for seed in range(3)]
    # as an older project wrote it, which had no locked batch normalisation
    older = {key: value for key, value in experiment("frozen").as_dict().items() if key != "lock_batch_norm"}
    write_record(tmp_path / "record.json", {"command": "none", "experiments": [older]}, some)
    about, again = read_record(tmp_path / "record.json")
    assert about == {"command": "none", "experiments": [experiment("frozen").as_dict()]}
    assert compare_accuracies(again) == compare_accuracies(some)
    assert all((a.correct == b.correct).all() for a, b in zip(some, again, strict=True))


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


def test_the_lines_at_the_end_and_the_record_come_from_whatever_process_tested(tmp_path):
    record = tmp_path / "record.json"
    record.write_text("an older record", encoding="utf-8")
    # two files, so two processes; nothing of them needs a framework's training
    files = [f"tests/parity/test_parity_{name}.py" for name in ("ladder", "accuracy")]
    chosen = "rung_2_deeper_networks or rung_12_recorded_runs_on"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *files, "-k", chosen, f"--parity-record={record}", "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("rung ")]
    assert [line.split()[1] for line in lines] == ["2", "12"]
    written = json.loads(record.read_text(encoding="utf-8"))
    assert [row["rung"] for row in written["rungs"]] == [2, 12]
    assert written["devices"] == {"gluon": "cpu(0)", "torch": "cpu", "said as": "cpu"}
