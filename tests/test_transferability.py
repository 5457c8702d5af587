"""LEEP and LogME against what they are by definition: an entropy, and the density of a normal distribution."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from shared.networks.transferability import leep, log_evidence, logme

# images, width of the features, their rank: more images than features, fewer, and features that repeat each other
SHAPES = {"tall": (40, 6, 6), "wide": (12, 30, 12), "of low rank": (40, 16, 5)}


def drawn(shape, seed=0, useful=0.5):
    """Features (N, D) float64 with a common mean, and labels of three classes that depend on them."""
    rng = np.random.default_rng(seed)
    n, width, rank = SHAPES[shape]
    features = 1 + rng.normal(size=(n, rank)) @ rng.normal(size=(rank, width))
    said = features @ rng.normal(size=(width, 3)) * useful + rng.normal(size=(n, 3))
    labels = said.argmax(axis=1)
    labels[:3] = 0, 1, 2
    return features, labels


def decomposed(features):
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    return left, singular


def test_leep_of_a_source_that_is_sure_is_the_conditional_entropy_of_the_classes():
    rng = np.random.default_rng(0)
    z = rng.integers(0, 5, 400)
    labels = np.where(rng.random(400) < 0.6, z % 3, rng.integers(0, 3, 400))
    together = np.zeros((3, 5))
    np.add.at(together, (labels, z), 1 / 400)
    entropy = -(together * np.log(together / together.sum(axis=0))).sum()
    assert 0.3 < entropy < np.log(3)
    assert leep(np.eye(5)[z], labels) == pytest.approx(-entropy, rel=1e-12)
    # a source class that no image has says nothing, and spoils nothing
    assert leep(np.eye(9)[z], labels) == pytest.approx(-entropy, rel=1e-12)


def test_leep_of_a_source_that_knows_the_classes_is_nothing_and_of_one_that_knows_nothing_their_entropy():
    labels = np.array([0, 0, 0, 1, 2, 2, 2, 2])
    assert leep(np.eye(3)[[2, 2, 2, 0, 1, 1, 1, 1]], labels) == 0
    shares = np.array([3, 1, 4]) / 8
    assert leep(np.full((8, 7), 1 / 7), labels) == pytest.approx((shares * np.log(shares)).sum(), rel=1e-12)


def test_leep_by_hand():
    # two source classes; class 0 goes with z=0 in 0.9 + 0.6 of 1.7, with z=1 in 0.1 + 0.4 of 1.3
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    first = [p[i, 0] * 1.5 / 1.7 + p[i, 1] * 0.5 / 1.3 for i in (0, 1)]
    last = p[2, 0] * 0.2 / 1.7 + p[2, 1] * 0.8 / 1.3
    assert leep(p, np.array([0, 0, 1])) == pytest.approx(np.log([*first, last]).mean(), rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_evidence_is_the_density_of_the_targets(shape):
    features, labels = drawn(shape)
    for label in range(3):
        targets = (labels == label).astype(float)
        found = log_evidence(*decomposed(features), targets)
        covariance = np.eye(len(targets)) / found.noise + features @ features.T / found.weights
        density = multivariate_normal(np.zeros(len(targets)), covariance).logpdf(targets)
        assert found.value == pytest.approx(density, rel=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("useful", [0.0, 0.5, 3.0])
def test_no_other_precisions_have_more_evidence(shape, useful):
    features, labels = drawn(shape, 1, useful)
    targets = (labels == 0).astype(float)
    found = log_evidence(*decomposed(features), targets)

    def density(logs):
        covariance = np.eye(len(targets)) / np.exp(logs[1]) + features @ features.T / np.exp(logs[0])
        return multivariate_normal(np.zeros(len(targets)), covariance, allow_singular=True).logpdf(targets)

    for start in ([0.0, 0.0], [3.0, 1.0], [-2.0, 3.0]):
        other = minimize(lambda logs: -density(logs), start, method="Nelder-Mead", bounds=[(-9, 9), (-4, 9)])
        assert -other.fun <= found.value + 1e-6


def test_logme_is_the_mean_of_the_classes_per_image_and_does_not_depend_on_their_order():
    features, labels = drawn("tall")
    values = [log_evidence(*decomposed(features), (labels == y).astype(float)).value for y in range(3)]
    assert logme(features, labels) == pytest.approx(np.mean(values) / len(labels), rel=1e-12)
    assert logme(features, 2 - labels) == pytest.approx(logme(features, labels), rel=1e-9)
    assert logme(features.astype("float32"), labels) == pytest.approx(logme(features, labels), rel=1e-5)


def test_both_rise_with_what_the_source_knows():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 200)
    noise = rng.normal(size=(200, 8))
    scores = []
    for strength in (0.0, 0.5, 2.0):
        logits = noise.copy()
        logits[:, 3] += strength * labels
        p = np.exp(logits)
        scores.append((leep(p / p.sum(axis=1, keepdims=True), labels), logme(logits, labels)))
    assert scores[0] < scores[1] < scores[2] and sorted(s[1] for s in scores) == [s[1] for s in scores]


def test_features_that_say_everything_or_nothing_have_a_finite_score():
    labels = np.repeat([0, 1], 10)
    exact = np.column_stack([labels, 1 - labels]).astype(float)
    useless = np.ones((20, 3))
    assert np.isfinite([logme(exact, labels), logme(useless, labels)]).all()
    assert logme(exact, labels) > logme(useless, labels)
