"""Rung 2, tensors: each network holds what it was given, and what is new in it is drawn alike.

Compared: source tensors carried into Gluon, into torch and back; new tensors, with own and with shared draws; tensors after another
network was trained.
Tolerance: none for what is carried, and for new tensors of shared draws (every bit). Own draws are random in each framework: their
distribution, by the Kolmogorov-Smirnov statistic's critical value at p = 0.0001, and Xavier's bound.
Fails: a tensor transposed or under another's name, memory that is shared, another initialisation, a start that is not shared.
"""

import math

import numpy as np
from scipy import stats

from shared.experiments import CHAPTER
from shared.images.draws import SHARED
from shared.networks.architecture import tensor_shapes
from shared.parity.tensors import Mismatch, changed, compare, largest, within
from shared.runs import frameworks
from shared.runs.frameworks import FRAMEWORKS

from ..scene import NETS, TRAINING, steps_of, train

RUNG = 2


def check_carrying(source):
    """Source tensors put into Gluon, read, put into torch, read, put into Gluon again: every bit of every tensor stays."""
    tensors, worst = source.tensors, []
    order = tensor_shapes(source.architecture)
    for framework in ("gluon", "torch", "gluon"):
        net = NETS[framework].scratch_net(source.architecture, source.architecture.classes)
        NETS[framework].set_tensors(net, tensors)
        tensors = NETS[framework].get_tensors(net)
        worst.append(
            compare(RUNG, f"carried into {framework}", {n: source.tensors[n] for n in order}, tensors, 0, changed)
        )
    return worst[-1:]


def check_new_tensors(source, classes=2):
    """What is not carried starts alike: Xavier weights, the rest constant; the features of the fine-tuned network are the source's.

    Xavier: uniform up to sqrt(6 / (fan-in + fan-out)), Glorot and Bengio (2010). Weights are compared by the Kolmogorov-Smirnov
    statistic, in multiples of its critical value at p = 0.0001 (2.23 sqrt(2 / n)), so at most 1; seeds are fixed.
    """
    started = {}
    for framework in FRAMEWORKS:
        TRAINING[framework].seed_everything(0)
        scratch = NETS[framework].get_tensors(NETS[framework].scratch_net(source.architecture, classes))
        tuned = NETS[framework].get_tensors(NETS[framework].finetune_net(source, classes))
        features = {n: t for n, t in tuned.items() if n.startswith("features.")}
        compare(
            RUNG, f"{framework}: features of the source", {n: source.tensors[n] for n in features}, features, 0, changed
        )
        heads = {f"new {n}": t for n, t in tuned.items() if n.startswith("output.")}
        started[framework] = {n: t for n, t in (scratch | heads).items() if t.size > 1}
    for framework, tensors in started.items():
        _hold_to_xavier(framework, tensors)

    def unlike(a, b):
        if a.ndim == 1:
            return largest(a, b)
        return float(stats.ks_2samp(a.ravel(), b.ravel()).statistic) / (2.23 * math.sqrt(2 / a.size))

    unlike.__name__ = "Kolmogorov-Smirnov over critical"
    return [compare(RUNG, "new tensors", started["gluon"], started["torch"], 1, unlike)]


def _hold_to_xavier(side, tensors):
    for name, tensor in tensors.items():
        if tensor.ndim > 1:
            bound = math.sqrt(6 / (sum(tensor.shape[:2]) * math.prod(tensor.shape[2:])))
            reach, least = float(np.abs(tensor).max()) / bound, 0.9 if tensor.size > 99 else 0
            within(RUNG, f"{side}: largest new {name} over Xavier's bound", reach, least, 1 + 1e-6)
        else:
            constant = 1.0 if name.endswith(("running_var", ".weight")) else 0.0
            compare(RUNG, f"{side}: new", {name: np.full_like(tensor, constant)}, {name: tensor}, 0, changed)


def check_shared_start(scene):
    """With shared draws both frameworks start every experiment from the same bits, and what is new in them is Xavier's.

    The new output layer is the same in all experiments of a seed, so that they differ by what they are meant to differ in.
    """
    measured, heads = [], {}
    for name in CHAPTER:
        started = {}
        for framework in FRAMEWORKS:
            start = (framework, scene.experiment(name), scene.source, scene.dataset, 5, SHARED)
            started[framework] = NETS[framework].get_tensors(frameworks.target_net(*start))
        measured.append(compare(RUNG, f"{name}: shared start", started["gluon"], started["torch"], 0, changed))
        if CHAPTER[name].row is None:
            heads[name] = {n: t for n, t in started["gluon"].items() if n.startswith("output.")}
        if CHAPTER[name].start == "scratch":
            _hold_to_xavier("shared start", started["gluon"])
        else:
            features = {n: t for n, t in started["gluon"].items() if n.startswith("features.")}
            given = {n: scene.source.tensors[n] for n in features}
            compare(RUNG, f"{name}: features of the source", given, features, 0, changed)
    for name, head in heads.items():
        measured.append(compare(RUNG, f"output layer of {name} and finetune", heads["finetune"], head, 0, changed))
    other = frameworks.target_net("torch", scene.experiment("finetune"), scene.source, scene.dataset, 6, SHARED)
    if not changed(heads["finetune"]["output.weight"], NETS["torch"].get_tensors(other)["output.weight"]):
        raise Mismatch(RUNG, "shared start: two seeds have the same output layer")
    return measured


def check_independence(scene):
    """Training one network changes neither the source's tensors nor another network made from them before."""
    experiment = scene.experiment("finetune")
    measured, batches = [], steps_of(scene, 2)
    for framework in FRAMEWORKS:
        kept = {n: scene.source.tensors[n].copy() for n in tensor_shapes(scene.source.architecture)}
        other = NETS[framework].pretrained_net(scene.source)
        net = frameworks.target_net(framework, experiment, scene.source, scene.dataset)
        try:
            train(framework, net, experiment, batches, scene, "float32")
            given = {n: scene.source.tensors[n] for n in kept}
            compare(RUNG, f"{framework}: the source's tensors after training", kept, given, 0, changed)
            what = f"{framework}: another network after training"
            measured.append(compare(RUNG, what, kept, NETS[framework].get_tensors(other), 0, changed))
        finally:
            scene.source.tensors.update(kept)
    return measured
