"""Rung 11, row reuse: the source's hotdog row, weight and bias, is in the place of the class hotdog.

Compared: every row of the new output layer with the source's row or the mean of its other rows; the hotdog logit with the source
network's.
Tolerance: the row keeps every bit; means 1e-6 and logits 1e-5 (float32; another width may sum in another order).
Fails: row 713 for 934, the other class's place, a forgotten bias.
"""

from dataclasses import replace

import numpy as np

from shared.parity.lockstep import framework_batch
from shared.parity.tensors import Mismatch, changed, compare
from shared.runs import frameworks
from shared.runs.frameworks import FRAMEWORKS

from ..inside import forward
from ..scene import NETS, Where, steps_of

RUNG = 11


def check_row_reuse(scene):
    """The output row labelled hotdog, weight and bias, is in the slot of the class hotdog; the other slots hold the others' mean.

    So the hotdog logit is the source network's.
    """
    source, measured = scene.source, []
    row = source.row("hotdog") if source.classes else 0
    if source.architecture.classes == 1000 and row != 934:
        raise Mismatch(RUNG, f"hotdog is row {row} of the source, not 934")
    experiment = replace(scene.experiment("hotdog-row"), row="hotdog" if source.classes else "0")
    batch = steps_of(scene, 1)[0]
    # the hot dog first and last among the classes
    for classes in (scene.dataset.classes, ("burger", "hotdog")):
        dataset = replace(scene.dataset, classes=classes)
        slot = dataset.hotdog_slot
        for framework in FRAMEWORKS:
            net = frameworks.target_net(framework, experiment, source, dataset)
            tensors, logits = NETS[framework].get_tensors(net), {}
            for leaf in ("weight", "bias"):
                whole = source.tensors[f"output.{leaf}"]
                wanted = np.repeat(
                    np.delete(whole, row, axis=0).mean(axis=0, keepdims=True), len(dataset.classes), axis=0
                )
                wanted[slot] = whole[row]
                rows = {f"row {i} of output.{leaf}": t for i, t in enumerate(wanted)}
                found = {f"row {i} of output.{leaf}": t for i, t in enumerate(tensors[f"output.{leaf}"])}
                reused = f"row {slot} of output.{leaf}"
                same = {reused: np.atleast_1d(rows.pop(reused))}, {reused: np.atleast_1d(found.pop(reused))}
                measured.append(compare(RUNG, f"{framework}: source row {row}", *same, 0, changed))
                measured.append(compare(RUNG, f"{framework}: mean of the other rows", rows, found, 1e-6))
            X, _ = framework_batch(framework, batch, "float32")
            here = replace(scene, where=Where())
            for name, some, index in (("reusing", net, slot), ("source", NETS[framework].pretrained_net(source), row)):
                logits[name] = {"hotdog logit": forward(framework, some, X, here, training=False)["output"][:, index]}
            # float32: another width of the output layer may sum in another order
            measured.append(
                compare(RUNG, f"{framework}: against the source network", logits["source"], logits["reusing"], 1e-5)
            )
    return measured
