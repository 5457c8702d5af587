"""Exported files are opened by their own frameworks' code in processes of their own, and give the probabilities they had here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import THIN, hotdog, random_source, write_images
from safetensors import safe_open
from safetensors.numpy import save_file

from shared.errors import FailedRun, UserError
from shared.networks.architecture import WIDTHS, Architecture
from shared.networks.reading import load_source
from shared.networks.source import fingerprint
from shared.runs import exporting
from shared.runs.exporting import export, probabilities, sample_images
from shared.runs.opened import open_run, trained_source
from shared.runs.record import read_run

LABELS = ("a hot dog", "Würstchen", "not-hotdog")
ENDINGS = (".params", ".pth", ".safetensors", ".onnx")
# What the zoos have and what they lack; a whole ResNet-18, otherwise as small as the kind allows.
NETWORKS = {
    "v1": Architecture(1, classes=3),
    "v1 shallow": Architecture(1, (1, 2, 1, 1), classes=3),
    "v1 thin": Architecture(1, channels=THIN, classes=3),
    "v1 bottleneck": Architecture(1, (1, 2, 1, 1), THIN, 3, "bottleneck"),
    "v1b thin": Architecture(1, (1, 2, 1, 1), THIN, 3, "bottleneck_v1b"),
    "v1b": Architecture(1, (1, 1, 1, 1), WIDTHS["bottleneck_v1b"], 3, "bottleneck_v1b"),
    "v2 thin": Architecture(2, channels=THIN, classes=3),
    "v2 bottleneck": Architecture(2, (1, 2, 1, 1), THIN, 3, "bottleneck"),
}
# Where the zoo of the file's framework lacks the network, a module lies beside the file.
MODULES = {
    ".params": {"v1b thin", "v1b"},
    ".pth": {"v1 thin", "v1 bottleneck", "v1b thin", "v2 thin", "v2 bottleneck"},
    ".onnx": set(),
}
MODULES[".safetensors"] = MODULES[".pth"]


def labelled(architecture):
    source = random_source(architecture)
    source.tensors["output.weight"] *= 10  # so that the classes' probabilities differ
    return type(source)(source.name, architecture, source.tensors, LABELS, fingerprint(source.tensors))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    file = tmp_path_factory.mktemp("images") / "images.npy"
    np.save(file, sample_images(64)[:3])  # another batch size than the export looked at
    return file


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """{(network, ending): what was exported}, each in a folder of its own, and {network: source}."""
    folder, made, sources = tmp_path_factory.mktemp("exports"), {}, {}
    for name, architecture in NETWORKS.items():
        sources[name] = labelled(architecture)
        for ending in ENDINGS:
            made[name, ending] = export(
                sources[name], folder / f"{name}{ending}".replace(" ", "-") / f"net{ending}", 64
            )
    return made, sources


def opened(cases, tmp_path):
    """The probabilities that plain code gets in a process of its own; `cases`: [(Exported or (file, lines), mode, images)]."""
    listed = []
    for i, (file, lines, mode, images) in enumerate(cases):
        out = tmp_path / f"{mode}-{i}.npy"
        listed.append(
            {"folder": str(file.parent), "lines": lines, "images": str(images), "out": str(out), "mode": mode}
        )
    (tmp_path / "cases.json").write_text(json.dumps(listed))
    script = Path(__file__).with_name("opens.py")
    # -P: nothing of the folder that the script lies in
    command = [sys.executable, str(script), str(tmp_path / "cases.json")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    return [np.load(case["out"]) for case in listed]


@pytest.mark.parametrize("mode", ("classic", "np", "torch", "onnx"))
def test_plain_code_opens_what_was_exported(mode, exported, images, tmp_path):
    made, sources = exported
    endings = {"torch": (".pth", ".safetensors"), "onnx": (".onnx",)}.get(mode, (".params",))
    chosen = [(name, ending) for name in NETWORKS for ending in endings]
    found = opened([(made[one].file, made[one].opening, mode, images) for one in chosen], tmp_path)
    for (name, ending), got in zip(chosen, found, strict=True):
        for framework in ("gluon", "torch"):
            wanted = probabilities(framework, sources[name], np.load(images))
            assert np.abs(got - wanted).max() <= 1e-5, (name, ending, framework)
        assert np.ptp(wanted) > 0.1  # probabilities that are all alike would show nothing


def test_files_read_back_to_the_bit(exported):
    made, sources = exported
    for (name, ending), one in made.items():
        if ending == ".onnx":
            continue
        again = load_source(str(one.file))
        assert again.architecture == sources[name].architecture, (name, ending)
        assert again.classes == LABELS, (name, ending)
        assert again.fingerprint == sources[name].fingerprint, (name, ending)


def test_what_lies_beside_a_file(exported):
    made, _ = exported
    for (name, ending), one in made.items():
        beside = {path.suffix for path in one.file.parent.iterdir()} - {ending}
        assert (".py" in beside) == (name in MODULES[ending]), (name, ending)
        assert (".json" in beside) == (ending in (".params", ".pth"))
        assert sorted(one.beside) == sorted(path for path in one.file.parent.iterdir() if path != one.file)
        if ending == ".pth":
            assert json.loads((one.file.parent / "net.classes.json").read_text(encoding="utf-8")) == list(LABELS)


def test_names_are_the_zoos_own(exported):
    import mxnet as mx
    import torch
    from mxnet.gluon.model_zoo import vision
    from torchvision.models import resnet18

    made, _ = exported
    ours = torch.load(made["v1", ".pth"].file, weights_only=True)
    theirs = resnet18(num_classes=3).state_dict()
    assert [(n, t.shape, t.dtype) for n, t in ours.items()] == [(n, t.shape, t.dtype) for n, t in theirs.items()]
    with mx.util.np_shape(2):  # reads what was written without NumPy semantics
        ours = mx.nd.load(str(made["v1", ".params"].file))
    assert list(ours) == list(vision.resnet18_v1(classes=3)._collect_params_with_prefix())


def test_labels_and_normalisation_are_in_the_metadata(exported):
    import onnxruntime

    made, _ = exported
    with safe_open(made["v2 thin", ".safetensors"].file, framework="numpy") as file:
        assert json.loads(file.metadata()["classes"]) == list(LABELS)
        assert file.metadata()["format"] == "pt"  # what transformers and timm insist on
    session = onnxruntime.InferenceSession(str(made["v2 thin", ".onnx"].file))
    meta = session.get_modelmeta()
    assert json.loads(meta.custom_metadata_map["classes"]) == list(LABELS)
    assert json.loads(meta.custom_metadata_map["mean"]) == [0.485, 0.456, 0.406]
    assert json.loads(meta.custom_metadata_map["std"]) == [0.229, 0.224, 0.225]
    (images,), (output,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.shape[0], images.shape[1], output.name) == ("images", "batch", 3, "probabilities")
    for batch, height, width in ((1, 64, 64), (5, 96, 80)):
        X = np.zeros((batch, 3, height, width), "float32")
        assert session.run(None, {"images": X})[0].shape == (batch, 3)


TRAINING = ("--framework", "torch", "--epochs", 1, "--size", 64, "--batch-size", 4)


def test_from_classic_gluon_by_training_to_plain_torchvision(tmp_path):
    """The way of somebody with a Gluon file from before NumPy semantics: train it here, take it to torchvision."""
    script = """
import mxnet as mx
from mxnet.gluon.model_zoo import vision
mx.random.seed(1)
net = vision.resnet18_v1(classes=4)
net.initialize(mx.init.Xavier())
net(mx.nd.random.normal(shape=(2, 3, 64, 64)))
net.save_parameters("mine.params")
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    check_the_way("mine.params", tmp_path)


@pytest.mark.slow
def test_from_names_as_timm_has_them_to_plain_torchvision(tmp_path):
    """timm's ResNets have torchvision's names, counters included, in .safetensors."""
    script = """
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18
torch.manual_seed(1)
save_file(resnet18(num_classes=4).state_dict(), "model.safetensors", {"format": "pt"})
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    check_the_way("model.safetensors", tmp_path)


def check_the_way(source, tmp_path):
    """Train `source` in Gluon for an epoch, export the run, open it in plain torchvision: the same probabilities."""
    counts = {(split, name): 4 for split in ("train", "test") for name in ("hotdog", "not-hotdog")}
    pictures = write_images(tmp_path / "pictures", counts)
    options = ("--epochs", 1, "--size", 64, "--batch-size", 4, "--out", tmp_path / "runs")
    done = hotdog(
        "run", "finetune", "--framework", "gluon", "--data", pictures, "--source", source, *options, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (run,) = (file.parent for file in (tmp_path / "runs").glob("*/run.json"))
    done = hotdog("export", "--run", run, "--to", "net.pth", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Read again, every tensor has its bits" in done.stdout
    lines = [line.strip() for line in done.stdout.partition("To open it:\n")[2].splitlines()]
    assert "from torchvision.models import resnet18" in lines

    from gluon_impl.data import image_batch

    files = sorted((pictures / "test").rglob("*.png"))
    images = tmp_path / "images.npy"
    np.save(images, image_batch(files, 64)[0].asnumpy())
    (plain,) = opened([(tmp_path / "net.pth", lines, "torch", images)], tmp_path)
    trained = open_run(run)
    assert (trained.framework, trained.classes, trained.size) == ("gluon", ("hotdog", "not-hotdog"), 64)
    assert np.abs(trained.probabilities(files) - plain).max() <= 1e-5
    other = open_run(run, "torch")
    # images are read by the other framework here, whose resizing rounds otherwise by up to one level of 255
    assert np.abs(other.probabilities(files) - plain).max() <= 0.02
    assert trained_source(read_run(run)).fingerprint == load_source(str(tmp_path / "net.pth")).fingerprint


def test_wrong_use_is_refused_and_nothing_is_lost(tmp_path):
    source = labelled(Architecture(2, (1, 1, 1, 1), THIN, 3))
    with pytest.raises(UserError, match=r"its ending has to be one of .params, .pth, .safetensors, .onnx"):
        export(source, tmp_path / "net.h5")
    export(source, tmp_path / "net.pth", 64)
    before = (tmp_path / "net.pth").read_bytes()
    with pytest.raises(UserError, match="net.pth is there already"):
        export(source, tmp_path / "net.pth", 64)
    assert (tmp_path / "net.pth").read_bytes() == before
    export(source, tmp_path / "again.pth", 64)  # the module is there, and is the same
    module = next(tmp_path.glob("*.py"))
    module.write_text("mine = 1\n")
    with pytest.raises(UserError, match=f"{module.name} is there already"):
        export(source, tmp_path / "third.pth", 64)
    assert module.read_text() == "mine = 1\n"
    assert not (tmp_path / "third.pth").exists()
    export(source, tmp_path / "net.pth", 64, overwrite=True)
    assert "def network" in module.read_text()
    features = Architecture(2, (1, 1, 1, 1), THIN, 0)
    headless = type(source)("features", features, source.tensors, None, "")
    with pytest.raises(UserError, match="no output layer"):
        export(headless, tmp_path / "headless.pth")


def test_a_file_that_does_not_come_back_the_same_is_not_left(tmp_path, monkeypatch):
    source = labelled(Architecture(2, (1, 1, 1, 1), THIN, 3))
    other = labelled(Architecture(2, (1, 1, 1, 1), THIN, 3))
    other.tensors["features.bn1.bias"][0] += 1e-3
    monkeypatch.setattr(exporting, "load_source", lambda file: other)
    with pytest.raises(FailedRun, match="features.bn1.bias"):
        export(source, tmp_path / "net.pth", 64)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(exporting, "_run_onnx", lambda file, X: {"onnxruntime": np.full((len(X), 3), 1 / 3)})
    with pytest.raises(FailedRun, match="onnxruntime differ by"):
        export(source, tmp_path / "net.onnx", 64)
    assert not list(tmp_path.iterdir())


def test_without_onnx_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match="pip install onnx"):
        export(labelled(Architecture(2, (1, 1, 1, 1), THIN, 3)), tmp_path / "net.onnx", 64)
    assert not list(tmp_path.iterdir())


def test_without_onnxruntime_the_command_says_that_it_was_not_run(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    exported = export(labelled(Architecture(2, (1, 1, 1, 1), THIN, 3)), tmp_path / "net.onnx", 64)
    assert list(exported.differences) == ["torch"]


def test_the_command_names_the_file_and_what_is_missing(tmp_path):
    thin = Architecture(1, (1, 1, 1, 1), THIN, 3)
    save_file(random_source(thin).tensors, tmp_path / "thin.safetensors")
    both = hotdog("export", "--to", "net.pth", cwd=tmp_path)
    assert (both.returncode, both.stdout) == (2, "")
    assert "--run" in both.stderr and "--source" in both.stderr
    nothing = hotdog("export", "--run", "nowhere", "--to", "net.pth", cwd=tmp_path)
    assert nothing.returncode == 2 and "nowhere is no run" in nothing.stderr
    done = hotdog("export", "--source", "thin.safetensors", "--to", "out/net.pth", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "from resnet10_v1_8_8_16_24_32 import network" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["net.pth", "resnet10_v1_8_8_16_24_32.py"]
