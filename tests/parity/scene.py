"""What a rung is climbed with: a source network and images, the devices, and both implementations started from the same tensors."""

from dataclasses import dataclass, replace

import mxnet as mx
import numpy as np
import pytest
import torch
from mxnet import npx

import gluon_impl.adaptation
import gluon_impl.data
import gluon_impl.devices
import gluon_impl.grad_cam
import gluon_impl.nets
import gluon_impl.training
import torch_impl.adaptation
import torch_impl.data
import torch_impl.grad_cam
import torch_impl.nets
import torch_impl.training
from shared.experiments import EXPERIMENTS, STRATEGIES, Experiment
from shared.images import feed
from shared.images.splits import Dataset
from shared.networks.source import Source
from shared.parity import lockstep
from shared.runs.frameworks import FRAMEWORKS

npx.set_np()

DATA = {"gluon": gluon_impl.data, "torch": torch_impl.data}
NETS = {"gluon": gluon_impl.nets, "torch": torch_impl.nets}
GRAD_CAM = {"gluon": gluon_impl.grad_cam, "torch": torch_impl.grad_cam}
ADAPTATION = {"gluon": gluon_impl.adaptation, "torch": torch_impl.adaptation}
TRAINING = {"gluon": gluon_impl.training, "torch": torch_impl.training}


@dataclass(frozen=True)
class Where:
    """The device of each framework; `name` says both where they are not the same kind."""

    gluon: object = mx.cpu()
    torch: object = torch.device("cpu")
    name: str = "cpu"

    def of(self, framework):
        return getattr(self, framework)


def where(wanted) -> Where:
    """The devices for `cpu` or `gpu`. Gluon stays on the CPU where its wheel cannot use the GPU, and the name says so."""
    if wanted == "cpu":
        return Where()
    if not torch.cuda.is_available():
        raise pytest.UsageError("--device gpu: PyTorch finds no GPU here")
    if gluon_impl.devices.find_gpu().kind == "gpu":
        return Where(mx.gpu(), torch.device("cuda"), "gpu")
    return Where(mx.cpu(), torch.device("cuda"), "torch on gpu, gluon on cpu")


@dataclass(frozen=True)
class Scene:
    """A source network, images, the side of the crops, the batch, and the devices."""

    name: str
    source: Source
    dataset: Dataset
    size: int = 32
    batch_size: int = 8
    where: Where = Where()

    def experiment(self, name) -> Experiment:
        return replace((EXPERIMENTS | STRATEGIES)[name], size=self.size, batch_size=self.batch_size)

    def tolerance(self, cpu: float, gpu: float) -> float:
        """The one for this scene's devices. Where torch is on a GPU, that of the GPU: cuDNN adds up in another order."""
        return gpu if self.where.torch.type == "cuda" else cpu


def twins(scene, experiment, dtype="float64"):
    """{framework: network} of an experiment on the scene's devices, all with the same tensors."""
    devices = {framework: scene.where.of(framework) for framework in FRAMEWORKS}
    return lockstep.twins(experiment, scene.source, scene.dataset, devices, dtype)


def steps_of(scene, count, seed=0):
    """`count` augmented batches; every third one is half as long."""
    found = feed.batches(scene.dataset.train, scene.size, scene.batch_size, seed, count)
    half = scene.batch_size // 2
    return [(X[:half], y[:half]) if i % 3 == 2 else (X, y) for i, (X, y) in enumerate(found)]


def train(
    framework, net, experiment, batches, scene, dtype="float64", epochs=None, keep=lambda step: True, tested=None
):
    """Run the implementation's own loop, one batch per epoch (or `epochs` over all).

    -> an Epoch and the tensors for every step, step 0 first; None instead of the tensors where `keep(step)` says so.
    """

    def see(step):
        return NETS[framework].get_tensors(net) if keep(step) else None

    return lockstep.train(framework, net, experiment, batches, scene.where.of(framework), dtype, epochs, see, tested)


def array(tensor):
    """A tensor of either framework, or a PIL image, as a NumPy array (np.asarray takes MXNet's apart number by number)."""
    return tensor.asnumpy() if isinstance(tensor, mx.nd.NDArray) else np.asarray(tensor)
