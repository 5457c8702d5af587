"""The two frameworks by name, and the network that an experiment starts from in each."""

import importlib
from dataclasses import replace

from shared.experiments import Experiment
from shared.images.draws import OWN, SHARED, initial_tensors
from shared.images.splits import Dataset
from shared.networks.architecture import tensor_shapes
from shared.networks.source import Source
from shared.strategies import STAGES, stage_at

FRAMEWORKS = ("gluon", "torch")
NAMES = {"gluon": "Gluon", "torch": "PyTorch"}


def implementation(framework: str, module: str):
    """The module `module` (data, nets, training) of a framework's implementation; imports the framework."""
    return importlib.import_module(f"{framework}_impl.{module}")


def target_net(framework: str, experiment: Experiment, source: Source, dataset: Dataset, seed=0, draws=OWN):
    """The network that `experiment` starts from, in `framework`.

    What is not the source's is drawn by the framework, whose generators start from `seed`; with shared draws, by NumPy.
    """
    nets = implementation(framework, "nets")
    implementation(framework, "training").seed_everything(seed)
    classes = len(dataset.classes)
    scratch = experiment.start == "scratch"
    net = nets.scratch_net(source.architecture, classes) if scratch else nets.finetune_net(source, classes)
    if draws == SHARED:
        shapes = tensor_shapes(replace(source.architecture, classes=classes))
        new = {n: s for n, s in shapes.items() if scratch or n.startswith("output.")}
        nets.set_tensors(net, nets.get_tensors(net) | initial_tensors(new, seed))
    if experiment.row is not None:
        nets.reuse_row(net, source, source.row(experiment.row), dataset.hotdog_slot, experiment.other_row)
    first = stage_at(experiment.trained_from, 1)
    if first != STAGES[0]:
        nets.freeze_features(net, experiment.lock_batch_norm, first)
    return net
