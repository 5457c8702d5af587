"""Agreement image by image: counted by hand, compared with other libraries, and what an interval over seeds and images holds."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from shared.parity.agreement import agreement, auc, gap, likeness, mcnemar_p, resampled_interval
from shared.parity.outcomes import Outcome


def said(p, labels, framework="gluon", seed=0, draws="own", epochs=1):
    """The outcome of a run that gave the second class these probabilities, after each of its last epochs."""
    p = np.asarray(p, dtype=float)
    probabilities = np.repeat(np.stack([1 - p, p], axis=-1)[None], epochs, axis=0)
    correct = probabilities.argmax(axis=-1) == labels
    accuracies = tuple(correct.mean(axis=-1)) if epochs == 1 else (0.5, *correct.mean(axis=-1))
    return Outcome("frozen", framework, seed, accuracies, correct, probabilities, np.asarray(labels), draws)


def test_mcnemar_is_the_exact_binomial_test():
    gluon, torch = (
        Outcome("frozen", f, 0, (0.9,), np.array([[1] * 80 + [a] * 12 + [1 - a] * 3 + [0] * 5], dtype=bool))
        for f, a in (("gluon", 1), ("torch", 0))
    )
    assert mcnemar_p(gluon, torch) == pytest.approx(stats.binomtest(3, 15).pvalue)
    assert mcnemar_p(gluon, gluon) == 1
    assert likeness([(gluon, torch)]).same == 0.85


def test_predictions_and_probabilities_by_hand():
    labels = [0, 1, 1, 0]
    a, b = said([0.1, 0.9, 0.6, 0.4], labels), said([0.2, 0.8, 0.4, 0.3], labels, "torch")
    assert gap(a, b) == pytest.approx((0.1 + 0.1 + 0.2 + 0.1) / 4)
    found = likeness([(a, b)])
    assert (found.pairs, found.same, found.mcnemar) == (1, 0.75, 0)


def test_the_same_wrong_class_is_agreement_and_another_one_is_not():
    def one(classes):
        probabilities = np.eye(3)[classes][None] * 0.8 + 0.1
        return Outcome("x", "gluon", 0, (0.0,), probabilities.argmax(-1) == 0, probabilities, np.zeros(3, dtype=int))

    assert likeness([(one([1, 1, 0]), one([1, 2, 0]))]).same == pytest.approx(2 / 3)


def test_area_under_the_curve_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    p, labels = rng.random(40).round(1), np.arange(40) % 2
    pairs = [(x > y) + (x == y) / 2 for x in p[labels == 1] for y in p[labels == 0]]
    assert auc(said(p, labels)) == pytest.approx(np.mean(pairs))
    assert auc(said(p, np.ones(40, dtype=int))) is None  # one class only: there is no such area
    three = rng.dirichlet([1, 1, 1], 60)
    classes = np.arange(60) % 3
    one = Outcome("x", "gluon", 0, (0.3,), three[None].argmax(-1) == classes, three[None], classes)
    assert auc(one) == pytest.approx(np.mean([roc_auc_score(classes == c, three[:, c]) for c in range(3)]))


def runs_of(framework, seeds, rng, draws="own", base=None, epochs=1):
    labels = np.arange(200) % 2
    base = rng.normal(0, 1, 200) + np.where(labels, 1, -1) if base is None else base
    return [
        said(1 / (1 + np.exp(-base - rng.normal(0, 0.5, 200))), labels, framework, seed, draws, epochs)
        for seed in range(seeds)
    ]


def test_two_seeds_of_one_framework_are_the_baseline():
    rng = np.random.default_rng(1)
    base = rng.normal(0, 1, 200) + np.where(np.arange(200) % 2, 1, -1)
    gluon, torch = (runs_of(f, 4, rng, base=base) for f in ("gluon", "torch"))
    found = agreement(gluon, torch, "own")
    assert (found.frameworks.pairs, found.seeds.pairs) == (16, 12)
    assert found.by_framework["gluon"].pairs == found.by_framework["torch"].pairs == 6
    # nothing tells the frameworks apart here, so two of them agree as two seeds of one do
    assert found.frameworks.same == pytest.approx(found.seeds.same, abs=0.02)
    assert found.frameworks.gap == pytest.approx(found.seeds.gap, rel=0.1)
    difference, low, high = found.auc
    assert low < difference < high
    pairs = agreement(gluon, torch, "shared")
    assert pairs.frameworks.pairs == 4 and pairs.frameworks.same == likeness(list(zip(gluon, torch, strict=True))).same


def test_one_seed_has_no_baseline():
    rng = np.random.default_rng(2)
    found = agreement(runs_of("gluon", 1, rng), runs_of("torch", 1, rng), "shared")
    assert found.seeds is None and found.auc is None and found.frameworks.pairs == 1


def test_old_records_say_only_what_was_right():
    correct = np.array([[True, False, True, True]])
    old = [Outcome("frozen", f, seed, (0.75,), correct) for f in ("gluon", "torch") for seed in (0, 1)]
    found = agreement(old[:2], old[2:], "own")
    assert found.frameworks.same == 1 and found.frameworks.gap is None and found.auc is None


# --- over seeds and images ---


def test_resampling_is_by_hand_for_one_image_or_no_spread():
    rng = np.random.default_rng(3)
    some = runs_of("gluon", 3, rng)
    assert resampled_interval(some, some, "shared") == (0, 0)
    low, high = resampled_interval(some, some, "own")
    assert low < 0 < high
    assert resampled_interval(some[:1], some[:1], "shared") is None
    # the same images are drawn for both frameworks: with the same networks everywhere, images alone add nothing
    assert resampled_interval([some[0]] * 3, [some[0]] * 3, "own") == pytest.approx((0, 0), abs=1e-12)


def test_resampling_needs_the_images_of_every_epoch_it_is_about():
    rng = np.random.default_rng(4)
    whole, last = runs_of("gluon", 2, rng, epochs=3), runs_of("gluon", 2, rng, epochs=1)
    assert whole[0].averaged == 3 and resampled_interval(whole, whole, "shared") is not None
    older = [Outcome("frozen", "gluon", o.seed, (0.5, 0.6, 0.7, 0.8), o.correct) for o in last]
    assert older[0].averaged == 3 and resampled_interval(older, older, "shared") is None


def test_resampling_holds_the_difference_less_often_than_it_says_with_few_seeds():
    # Each pair of runs has a difference of its own, and so has each image: what it shows on other photographs is the mean of both.
    rng, holds = np.random.default_rng(5), {3: [], 10: []}
    for seeds, held in holds.items():
        for _ in range(150):
            image, labels = rng.normal(0.9, 0.6, 100), np.zeros(100, dtype=int)
            shift = rng.normal(0, 0.15, (2, seeds, 1))
            p = stats.norm.sf(image + shift + rng.normal(0, 0.3, (2, seeds, 100)))
            gluon, torch = (
                [said(p[i, s], labels, f, s, "shared") for s in range(seeds)] for i, f in enumerate(("gluon", "torch"))
            )
            low, high = resampled_interval(gluon, torch, "shared", times=300)
            held.append(low <= 0 <= high)
    assert np.mean(holds[3]) < 0.88 < np.mean(holds[10]) + 0.06
    assert np.mean(holds[3]) < np.mean(holds[10])
