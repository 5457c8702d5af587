"""The two frameworks by name, and the network that an experiment starts from in each."""

import importlib

from shared.experiments import Experiment
from shared.images.splits import Dataset
from shared.networks.source import Source

FRAMEWORKS = ("gluon", "torch")


def implementation(framework: str, module: str):
    """The module `module` (data, nets, training) of a framework's implementation; imports the framework."""
    return importlib.import_module(f"{framework}_impl.{module}")


def target_net(framework: str, experiment: Experiment, source: Source, dataset: Dataset):
    """The network that `experiment` starts from, in `framework`; its randomness comes from the seed set before."""
    nets = implementation(framework, "nets")
    if experiment.start == "scratch":
        net = nets.scratch_net(source.architecture, len(dataset.classes))
    else:
        net = nets.finetune_net(source, len(dataset.classes))
    if experiment.row is not None:
        nets.reuse_row(net, source, source.row(experiment.row), dataset.hotdog_slot, experiment.other_row)
    if experiment.frozen:
        nets.freeze_features(net, experiment.lock_batch_norm)
    return net


NAMES = {"gluon": "Gluon", "torch": "PyTorch"}
