"""How well a source network suits labelled images, told from one pass over them, before any training: LEEP and LogME.

Both are higher for a source that suits better, and compare sources on the same images only. LEEP asks what the source's own classes
say of the new ones; LogME, how well a linear layer on its features can say the new classes.
"""

from typing import NamedTuple

import numpy as np


def leep(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Log expected empirical prediction, in nats per image, at most 0.

    probabilities: (N, source classes), the source's softmax output. labels: (N,) new classes 0, 1 … The source's output says which
    of its classes z an image shows, how often new class y goes with z is counted on the images, and both together predict y.

    Source: Nguyen et al., "LEEP: A New Measure to Evaluate Transferability of Learned Representations", ICML 2020.
    """
    joint = np.stack([probabilities[labels == y].sum(axis=0) for y in range(labels.max() + 1)])  # (new, source classes)
    seen = joint.sum(axis=0)
    given_source = joint / np.where(seen > 0, seen, 1)  # of y given z
    return float(np.log((probabilities * given_source[labels]).sum(axis=1)).mean())


class Evidence(NamedTuple):
    """The logarithm of the evidence (nats, of all N targets) and the precisions of weights and noise where it is highest."""

    value: float
    weights: float
    noise: float


def log_evidence(left: np.ndarray, singular: np.ndarray, targets: np.ndarray) -> Evidence:
    """The evidence for a Bayesian linear regression of `targets` (N,) on features F = U S V', at its highest.

    left, singular: U (N, R) and the diagonal of S (R,), the largest first. Weights are drawn from N(0, 1/alpha) and noise from
    N(0, 1/beta), so targets from N(0, I/beta + F F'/alpha). For a given alpha/beta the best beta is known, which leaves one number
    to search; unlike renewing alpha and beta in turn, that cannot stop too early, nor run away where N < D.
    """
    from scipy.optimize import minimize_scalar

    spread, along = singular**2, (left.T @ targets) ** 2
    beyond = max(targets @ targets - along.sum(), 0.0)  # what no linear function of the features can say
    n = len(targets)

    def noise(log_ratio):
        return n / ((along / (1 + spread / np.exp(log_ratio))).sum() + beyond)

    def value(log_ratio):
        return (n * np.log(noise(log_ratio) / (2 * np.pi)) - n - np.log1p(spread / np.exp(log_ratio)).sum()) / 2

    # From next to no penalty of the weights to next to no weights: the best point of a grid, then its surroundings.
    grid = np.log(spread[0]) + np.linspace(-30, 30, 121)
    best = grid[np.argmax([value(point) for point in grid])]
    found = minimize_scalar(lambda point: -value(point), bounds=(best - 0.5, best + 0.5), method="bounded")
    return Evidence(float(value(found.x)), float(np.exp(found.x) * noise(found.x)), float(noise(found.x)))


def logme(features: np.ndarray, labels: np.ndarray) -> float:
    """Logarithm of the maximum evidence, in nats per image: the mean over the classes of `log_evidence` / N, each against the rest.

    features: (N, D), what the source's output layer is given, not all zero. labels: (N,) new classes 0, 1 …, an image of each.

    Source: You et al., "LogME: Practical Assessment of Pre-trained Models for Transfer Learning", ICML 2021. (The authors' code
    leaves out a part of the determinant where the features have less than full rank; here it is whole.)
    """
    left, singular, _ = np.linalg.svd(features.astype(np.float64), full_matrices=False)
    targets = np.eye(labels.max() + 1)[labels].T
    return float(np.mean([log_evidence(left, singular, one).value for one in targets]) / len(labels))
