"""Both implementations, each on a device that is not the one its data comes from: pretended ones, so that it holds on any machine.

`--device gpu` climbs the ladder on real ones.
"""

import mxnet as mx
import pytest
import torch
from helpers import THIN, random_source

import gluon_impl.devices
import gluon_impl.training
from shared.device import Device
from shared.experiments import experiment
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source
from shared.runs.execute import execute
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.job import Job

from . import pretend_gpu
from .ladder import Climb
from .planting import fault, planted
from .scene import Scene, Where, steps_of, train, twins, where


@pytest.fixture
def apart(drawings, kinds, solid, coded, monkeypatch):
    """A scene with MXNet on its second CPU device and PyTorch on a GPU that is not there."""
    source = random_source(Architecture(2, layers=(1, 1, 1, 1), channels=THIN))
    with pretend_gpu.pretended(monkeypatch) as cuda:
        apart = Where(mx.cpu(1), cuda, "pretended")
        scene = Scene("shallow", source, drawings, size=32, batch_size=16, where=apart)
        yield Climb(scene, kinds, solid, coded, ("finetune", "frozen"), steps=4)


def test_parity_holds_on_other_devices(apart):
    nets = twins(apart.scene, apart.scene.experiment("finetune"))
    assert nets["gluon"].output.bias.list_ctx() == [mx.cpu(1)]
    assert {t.device for t in nets["torch"].state_dict().values()} == {pretend_gpu.CUDA}
    apart.climb(last=14)  # in rung 15 torch's Adam asks the driver of a GPU, and there is none


LEFT_BEHIND = [
    ("torch's training batch", "torch_impl/training.py", "X, y = _to(device, X), y.to(device)", "pass", "on cpu"),
    ("torch's labels", "torch_impl/training.py", "X, y = _to(device, X), y.to(device)", "X = _to(device, X)", "on cpu"),
    ("torch's test batch", "torch_impl/training.py", "net(_to(device, X)).softmax", "net(X).softmax", "on cpu"),
    ("torch's probabilities", "torch_impl/training.py", ".softmax(dim=1).cpu()", ".softmax(dim=1)", "to numpy"),
    ("torch's tensors", "torch_impl/nets.py", ".detach().cpu()", ".detach()", "to numpy"),
    (
        "Gluon's training batch",
        "gluon_impl/training.py",
        "X, y = X.as_in_ctx(device), y.as_in_ctx(device)",
        "pass",
        r"on cpu\(0\)",
    ),
    (
        "Gluon's test batch",
        "gluon_impl/training.py",
        "net(X.as_in_ctx(device))).asnumpy()",
        "net(X)).asnumpy()",
        r"on cpu\(0\)",
    ),
]


@pytest.mark.parametrize(("what", "file", "old", "new", "sign"), LEFT_BEHIND, ids=[row[0] for row in LEFT_BEHIND])
def test_parity_catches_what_is_left_on_the_cpu(what, file, old, new, sign, apart):
    framework = file.split("_")[0]
    scene = apart.scene
    some = scene.experiment("finetune")
    net = twins(scene, some)[framework]
    with planted(fault(what, file, 0, "", old, new)), pytest.raises(Exception, match=sign):
        train(framework, net, some, steps_of(scene, 2), scene)


def test_parity_runs_record_the_device_they_used(drawings, tmp_path, monkeypatch):
    monkeypatch.setattr(
        gluon_impl.training, "choose_device", lambda wanted: (mx.cpu(1), Device("cpu", None, "another one"))
    )
    source, some = load_source("mini"), experiment("hotdog-row", "mini", num_epochs=1, size=32)
    with pretend_gpu.pretended(monkeypatch):
        jobs = {f: Job(some, f, 0, "drawings", "mini", device="gpu", out=tmp_path) for f in FRAMEWORKS}
        made = {f: execute(job, drawings, source) for f, job in jobs.items()}
    assert (made["torch"].device["used"], made["torch"].device["gpu"]) == ("cuda", "pretended GPU")
    assert made["gluon"].device["used"] == "cpu(1)"
    for run in made.values():
        assert run.status == "finished" and (run.folder / "weights.safetensors").is_file()


def test_devices_say_where_each_framework_runs(monkeypatch):
    assert where("cpu").name == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(pytest.UsageError, match="PyTorch finds no GPU"):
        where("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gluon_impl.devices, "find_gpu", lambda: Device("cpu", None, "its wheel has no code"))
    apart = where("gpu")
    assert (str(apart.torch), str(apart.gluon), apart.name) == ("cuda", "cpu(0)", "torch on gpu, gluon on cpu")
    monkeypatch.setattr(gluon_impl.devices, "find_gpu", lambda: Device("gpu", "a GPU", "a GPU"))
    assert where("gpu").name == "gpu"
