"""Output rows of the source network, reused in a target network's output layer."""

import numpy as np

from shared.networks.source import Source

# What the classes without a reused row get, see `reused_output`.
OTHER_ROWS = ("mean", "nearest", "zero", "random")
NEAREST = 10


def reused_output(source: Source, row: int, slot: int, new: dict, other_row: str = "mean") -> dict:
    """The output layer `new` of a target network with the source's row `row` in `slot`, and in its other rows `other_row`:

    mean: the mean of all other rows of the source. The logit of `slot` then beats the others exactly where the source network
    scores row `row` above the average of its other rows. nearest: the mean of the ten rows that are most like row `row` (cosine).
    zero: nothing, so that the row has to beat 0. random: what `new` has there.

    new, and what is returned: {"output.weight": (classes, width), "output.bias": (classes,)} in float32; copies.
    """
    weight, bias = source.tensors["output.weight"], source.tensors["output.bias"]
    others = np.delete(np.arange(len(bias)), row)
    if other_row == "nearest":
        alike = weight[others] @ weight[row] / np.linalg.norm(weight[others], axis=1)
        others = others[np.argsort(-alike, kind="stable")[:NEAREST]]
    new_weight, new_bias = new["output.weight"].copy(), new["output.bias"].copy()
    if other_row == "zero":
        new_weight[:], new_bias[:] = 0, 0
    elif other_row != "random":
        new_weight[:], new_bias[:] = weight[others].mean(axis=0), bias[others].mean()
    new_weight[slot], new_bias[slot] = weight[row], bias[row]
    return {"output.weight": new_weight, "output.bias": new_bias}
