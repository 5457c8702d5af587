"""The ladder's rungs, and tensors compared one by one and by name. No framework is imported here."""

import math
from dataclasses import dataclass

import numpy as np

# The ladder, from pixels to conclusions. The first rung that breaks says where two implementations part.
RUNGS = {
    1: "pixels",
    2: "tensors",
    3: "activations",
    4: "loss",
    5: "gradients",
    6: "effective rates",
    7: "one step",
    8: "trajectory",
    9: "BatchNorm policy",
    10: "frozen",
    11: "row reuse",
    12: "accuracy",
    13: "the book",
    14: "devices",
    15: "strategies",
}


@dataclass(frozen=True)
class Measured:
    """What a check of one rung found: the worst `difference` (of `what`) and the `tolerance` it had to keep to.

    A known divergence has a least size too, `at_least`: were it smaller, one of the frameworks would have changed.
    """

    rung: int
    what: str
    difference: float
    tolerance: float
    at_least: float | None = None

    @property
    def strain(self) -> float:
        """The difference as a share of its tolerance, 0 to 1."""
        return self.difference / self.tolerance if self.tolerance else 0.0

    def __str__(self):
        name = f"rung {self.rung:2d} {RUNGS[self.rung]}"
        if self.at_least is not None:
            return f"{name:24s} known {self.difference:8.2g}  within {self.at_least:.2g} to {self.tolerance:.2g}: {self.what}"
        return f"{name:24s} worst {self.difference:8.2g}  tolerance {self.tolerance:8.2g}: {self.what}"


class Mismatch(AssertionError):
    """A rung that does not hold. `rung` is its number; the text names what differs, by how much, and the tolerance."""

    def __init__(self, rung: int, text: str):
        super().__init__(f"rung {rung} ({RUNGS[rung]}): {text}")
        self.rung = rung


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """||a - b|| / ||b|| (Euclidean norms, in float64); 0 for equal arrays, infinity where something is not finite."""
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    if np.array_equal(a, b):
        return 0.0
    difference, scale = np.linalg.norm(a - b), np.linalg.norm(b)
    return float(difference / scale) if scale > 0 and math.isfinite(difference) else math.inf


def largest(a: np.ndarray, b: np.ndarray) -> float:
    """max |a - b| over all elements, in float64; infinity where something is not finite."""
    difference = float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0.0))
    return difference if math.isfinite(difference) else math.inf


def changed(a: np.ndarray, b: np.ndarray) -> float:
    """How many elements of `a` and `b` differ in any bit (0.0 and -0.0 differ), or 1 where the dtypes do."""
    if a.dtype != b.dtype:
        return 1.0
    bits = f"V{a.dtype.itemsize}"
    return float(np.sum(np.ascontiguousarray(a).view(bits) != np.ascontiguousarray(b).view(bits)))


def compare(rung: int, what: str, gluon: dict, torch: dict, tolerance: float, measure=relative) -> Measured:
    """Compare {name: array} of one side with the other's, in the order of the names; return the worst difference.

    measure: relative, largest or changed. Raises Mismatch naming the first array that differs by more than `tolerance`, the
    worst one, and how many do; also for names and shapes that differ.
    """
    if list(gluon) != list(torch):
        odd = next((n for n in [*gluon, *torch] if (n in gluon) != (n in torch)), "their order")
        raise Mismatch(rung, f"{what}: not the same names on both sides: {odd}")
    for name in gluon:
        if gluon[name].shape != torch[name].shape:
            raise Mismatch(rung, f"{what}: {name} has shape {gluon[name].shape} here and {torch[name].shape} there")
    differences = {name: measure(gluon[name], torch[name]) for name in gluon}
    wrong = [name for name, difference in differences.items() if not difference <= tolerance]
    worst = max(differences, key=differences.get)
    if wrong:
        raise Mismatch(
            rung,
            f"{what}: {wrong[0]} is the first that differs, by {differences[wrong[0]]:.2g} ({measure.__name__}; tolerance "
            f"{tolerance:.2g}); {len(wrong)} of {len(differences)} differ, most {worst} by {differences[worst]:.2g}",
        )
    return Measured(rung, f"{what}: {worst}", differences[worst], tolerance)


def within(rung: int, what: str, value: float, low: float, high: float) -> Measured:
    """Hold a measured `value` between two bounds. Raises Mismatch when it lies outside, or is no number."""
    if not low <= value <= high:
        raise Mismatch(rung, f"{what} is {value:.4g}; it has to lie between {low:.4g} and {high:.4g}")
    return Measured(rung, what, value, high, at_least=low)
