"""What is said about GPUs is what is known: of drivers, of nvidia-smi in every state, several cards, each framework's build."""

import os
from types import SimpleNamespace

import pytest

import gluon_impl.devices
import shared.nvidia
import torch_impl.devices
from shared.cuda_driver import MAJOR, ask
from shared.device import Device
from shared.errors import UserError
from shared.nvidia import Card, nvidia_card
from shared.runs.frameworks import FRAMEWORKS, implementation


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that makes this machine one with an `nvidia-smi` (a shell script, None for none) and an answer of the driver."""
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    (tmp_path / "dev").mkdir()
    plain = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not os.path.exists(f"{p}/nvidia-smi"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{plain}")
    monkeypatch.setattr(shared.nvidia, "PATIENCE", 2)

    def make(script=None, driver=None, devices=(), models=(), **environment):
        if script is not None:
            tool = tmp_path / "bin" / "nvidia-smi"
            tool.write_bytes(b"#!/bin/sh\n" + (script if isinstance(script, bytes) else script.encode()) + b"\n")
            tool.chmod(0o755)
        for name in devices:
            (tmp_path / "dev" / name).touch()
        for i, model in enumerate(models):
            (tmp_path / "proc" / "gpus" / str(i)).mkdir(parents=True)
            (tmp_path / "proc" / "gpus" / str(i) / "information").write_text(f"Model: \t\t {model}\nIRQ: 5\n")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(shared.nvidia, "_driver_answer", lambda: driver or {"missing": True})
        return nvidia_card(str(tmp_path / "proc"), str(tmp_path / "dev"))

    return make


OLD = """case "$*" in
*compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2;;
*name*) echo "Tesla T4";;
esac"""


def test_there_is_no_gpu_only_where_nothing_speaks_of_one(machine):
    assert machine() == Card(False, doubt="there is no NVIDIA GPU")


@pytest.mark.parametrize(
    ("script", "devices", "words"),
    [
        ("echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9", (), "failed"),
        ("echo 'Failed to initialize NVML: Insufficient Permissions'; exit 4", (), "Insufficient Permissions"),
        ("echo 'nvidia-smi: error while loading libnvidia-ml.so' >&2; exit 127", (), "libnvidia-ml"),
        ("sleep 60", (), "no answer within 2 s"),
        ("echo 'foo bar'", (), "'foo bar'"),
        (b"printf '\\377\\001\\002'", (), "nvidia-smi says"),
        ("echo '[N/A], [N/A]'", (), "[N/A]"),
        ("exit 0", (), "nvidia-smi says 'nothing'"),
        (None, ("nvidia0", "nvidiactl"), "nvidia0 is there"),
        (None, ("nvidia3",), "nvidia3 is there"),
    ],
)
def test_what_cannot_be_found_out_is_said_as_such(machine, script, devices, words):
    card = machine(script, devices=devices)
    assert card.found is None and "cannot be found out" in card.doubt and words in card.doubt
    assert "no NVIDIA GPU" not in card.doubt and card.doubt.isprintable()


def test_a_driver_that_fails_is_no_lack_of_a_gpu(machine):
    card = machine(driver={"error": "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"})
    assert card.found is None and "MISMATCH" in card.doubt


@pytest.mark.parametrize(
    ("script", "name", "capability"),
    [
        ("echo 'NVIDIA H200, 9.0'", "NVIDIA H200", (9, 0)),
        (OLD, "Tesla T4", None),
        ("echo 'NVIDIA L4, [N/A]'", "NVIDIA L4", None),
        ("echo 'NVIDIA L4, [Not Supported]'", "NVIDIA L4", None),
        ("echo 'WARNING: infoROM is corrupted at gpu 0'; echo 'NVIDIA RTX 5090, 12.0'", "NVIDIA RTX 5090", (12, 0)),
        ("echo 'NVIDIA A100-SXM4-40GB, 8.0'; echo 'NVIDIA A100-SXM4-40GB, 8.0'", "NVIDIA A100-SXM4-40GB", (8, 0)),
    ],
)
def test_what_nvidia_smi_says_is_taken(machine, script, name, capability):
    assert machine(script) == Card(True, name, capability)


TWO = "printf 'Tesla K80, 3.7\\nNVIDIA L4, 8.9\\n'"
UUIDS = f"""case "$*" in
*-L*) printf 'GPU 0: Tesla K80 (UUID: GPU-aaa1)\\nGPU 1: NVIDIA L4 (UUID: GPU-bbb2)\\n  MIG 1g.5gb Device 0: (UUID: MIG-cc)\\n';;
*) {TWO};;
esac"""


@pytest.mark.parametrize(
    ("script", "visible", "name"),
    [
        (TWO, "1", "NVIDIA L4"),
        (TWO, "1,0", "NVIDIA L4"),
        (TWO, "0", "Tesla K80"),
        (UUIDS, "GPU-bbb2", "NVIDIA L4"),
        (UUIDS, "GPU-bbb", "NVIDIA L4"),
        (UUIDS, "MIG-cc", "NVIDIA L4 MIG 1g.5gb"),
        (UUIDS, "MIG-GPU-bbb2/1/0", "NVIDIA L4"),
    ],
)
def test_the_card_that_is_chosen_is_the_one_that_is_named(machine, script, visible, name):
    card = machine(script, CUDA_VISIBLE_DEVICES=visible, CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert (card.found, card.name, card.doubt) == (True, name, "")


def test_another_order_of_unequal_cards_is_pointed_out(machine):
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in machine(TWO, CUDA_VISIBLE_DEVICES="1").doubt


@pytest.mark.parametrize("visible", ("", "-1", "7", "none", "GPU-ddd"))
def test_a_card_that_is_hidden_is_not_one_that_is_not_there(machine, visible):
    card = machine(UUIDS, CUDA_VISIBLE_DEVICES=visible)
    assert card.found is False and f"CUDA_VISIBLE_DEVICES={visible!r}" in card.doubt


def test_the_kernels_files_name_the_card_where_nothing_else_does(machine):
    card = machine(models=("Tesla V100-SXM2-16GB",))
    assert (card.found, card.name, card.capability) == (True, "Tesla V100-SXM2-16GB", None)


def test_the_driver_is_believed_before_nvidia_smi(machine):
    card = machine(TWO, driver={"count": 1, "name": "NVIDIA A100 MIG 1g.5gb", "capability": [8, 0]})
    assert card == Card(True, "NVIDIA A100 MIG 1g.5gb", (8, 0))


class _Driver:
    """Stands for libcuda.so.1: `code` is what cuInit gives, `count` its number of GPUs."""

    def __init__(self, code=0, count=2):
        self.code, self.count = code, count

    def cuInit(self, flags):
        return self.code

    def cuDeviceGetCount(self, count):
        count._obj.value = self.count
        return 0

    def cuDeviceGet(self, device, ordinal):
        device._obj.value = 5 + ordinal
        return 0

    def cuDeviceGetName(self, name, length, device):
        name.value = b"NVIDIA L4" if device.value == 5 else b"another"
        return 0

    def cuDeviceGetAttribute(self, number, attribute, device):
        number._obj.value = 8 if attribute == MAJOR else 9
        return 0

    def cuGetErrorName(self, code, text):
        text._obj.value = b"CUDA_ERROR_OPERATING_SYSTEM"
        return 0 if code == 304 else 1


@pytest.mark.parametrize(
    ("driver", "answer"),
    [
        (_Driver(), {"count": 2, "name": "NVIDIA L4", "capability": [8, 9]}),
        (_Driver(100), {"count": 0}),
        (_Driver(count=0), {"count": 0}),
        (_Driver(304), {"error": "CUDA_ERROR_OPERATING_SYSTEM"}),
        (_Driver(777), {"error": "CUDA error 777"}),
    ],
)
def test_the_driver_is_asked_for_the_first_card(driver, answer):
    assert ask(driver) == answer


def _mx(cuda, gpus):
    """Stands for the mxnet module: built with or without CUDA, seeing some GPUs (or failing to)."""

    def num_gpus():
        if isinstance(gpus, Exception):
            raise gpus
        return gpus

    features = SimpleNamespace(is_enabled=lambda name: cuda)
    return SimpleNamespace(
        runtime=SimpleNamespace(Features=lambda: features), context=SimpleNamespace(num_gpus=num_gpus)
    )


UNKNOWN = Card(None, doubt="whether there is an NVIDIA GPU cannot be found out: x")


@pytest.mark.parametrize(
    ("card", "cuda", "gpus", "kind", "words"),
    [
        (Card(False, doubt="there is no NVIDIA GPU"), False, 0, "cpu", "there is no NVIDIA GPU"),
        (Card(True, "NVIDIA H200", (9, 0)), True, 1, "cpu", "no code for the NVIDIA H200 (compute capability 9.0"),
        (Card(True, "Tesla K80", (3, 7)), True, 1, "cpu", "compute capability 3.7"),
        (Card(True, "NVIDIA A100", (8, 0)), False, 0, "cpu", "CPU build"),
        (Card(True, "NVIDIA A100", (8, 0)), True, 0, "cpu", "finds no GPU"),
        (Card(True, "NVIDIA A100", (8, 0)), True, RuntimeError("driver too old"), "cpu", "driver too old"),
        (Card(True, "NVIDIA L4", (8, 9)), True, 1, "gpu", "NVIDIA L4"),
        (Card(True, "Tesla T4"), True, 1, "gpu", "compute capability cannot be found out"),
        (Card(True, "Tesla T4"), False, 0, "cpu", "Tesla T4"),
        (UNKNOWN, False, 0, "cpu", "cannot be found out"),
        (UNKNOWN, True, 0, "cpu", "cannot be found out"),
        (UNKNOWN, True, 1, "gpu", "name cannot be found out"),
    ],
)
def test_gluon_uses_a_gpu_only_where_its_wheel_can(card, cuda, gpus, kind, words):
    device = gluon_impl.devices._judged(card, _mx(cuda, gpus))
    assert device.kind == kind and words in device.reason
    assert (device.name is None) == (kind == "cpu")


def _torch(error=None, built="13.0", name="NVIDIA H100", capability=(9, 0), archs=("sm_75", "sm_90", "sm_120")):
    """Stands for the torch module: `error` is what it says when CUDA is begun with, None where it works."""

    def init():
        raise error

    cuda = SimpleNamespace(
        is_available=lambda: error is None,
        init=init,
        get_device_name=lambda number: name,
        get_device_capability=lambda number: capability,
        get_arch_list=lambda: list(archs),
    )
    return SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda=built, hip=None), __version__="2.11.0")


NO_DRIVER = RuntimeError("Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU")
TOO_OLD = RuntimeError(
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver"
)
NONE_SHOWN = RuntimeError("No CUDA GPUs are available")
T4 = Card(True, "Tesla T4")


@pytest.mark.parametrize(
    ("torch", "card", "kind", "words"),
    [
        (_torch(), T4, "gpu", "NVIDIA H100"),
        (_torch(built=None), T4, "cpu", "CPU-only build; the Tesla T4 needs"),
        (_torch(built=None), Card(False, doubt="there is no NVIDIA GPU"), "cpu", "no NVIDIA GPU"),
        (_torch(NO_DRIVER), Card(False, doubt="there is no NVIDIA GPU"), "cpu", "there is no NVIDIA GPU"),
        (_torch(NO_DRIVER), T4, "cpu", "no NVIDIA driver (libcuda.so.1) for the Tesla T4"),
        (_torch(NO_DRIVER), UNKNOWN, "cpu", "cannot be found out"),
        (_torch(TOO_OLD), T4, "cpu", "too old: it gives CUDA 11.4, and this PyTorch was built for CUDA 13.0"),
        (_torch(NONE_SHOWN), T4, "cpu", "no GPU that PyTorch may use"),
        (_torch(RuntimeError("CUDA error: unknown")), T4, "cpu", "CUDA error: unknown"),
        (_torch(name="Tesla V100", capability=(7, 0)), T4, "cpu", "no code for the Tesla V100 (compute capability 7.0"),
        (_torch(name="RTX 4090", capability=(8, 9), archs=("sm_80",)), T4, "gpu", "RTX 4090"),
        (_torch(name="new", capability=(15, 0), archs=("sm_90", "compute_90")), T4, "gpu", "new"),
    ],
)
def test_torch_says_what_keeps_it_from_a_gpu(torch, card, kind, words, monkeypatch):
    monkeypatch.setattr(torch_impl.devices, "nvidia_card", lambda: card)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    device = torch_impl.devices._judged(torch)
    assert device.kind == kind and words in device.reason


def test_torch_names_what_hides_a_gpu(monkeypatch):
    monkeypatch.setattr(torch_impl.devices, "nvidia_card", lambda: T4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES=''" in torch_impl.devices._judged(_torch(NONE_SHOWN)).reason


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_gpu_is_used_where_it_is_there_and_refused_where_it_is_not(framework):
    device = implementation(framework, "devices").find_gpu()
    assert isinstance(device, Device)
    choose_device = implementation(framework, "training").choose_device
    if device.kind == "gpu":  # on a machine that has one
        assert choose_device("gpu")[1] == device
        return
    with pytest.raises(UserError, match="cannot use a GPU"):
        choose_device("gpu")
