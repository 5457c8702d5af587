"""The command as a user calls it: what it prints, where it writes, how it refuses."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import THIN, random_tensors, write_images
from safetensors.numpy import save_file

from gluon_impl import data as gluon_data
from gluon_impl import nets as gluon_nets
from gluon_impl.devices import gluon_reason, gpu_capability
from shared.errors import UserError, guarded
from shared.experiments import experiment
from shared.images.folders import load_dataset
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source
from shared.networks.source import Source
from shared.runs.execute import execute
from shared.runs.find import with_twins
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.record import read_probabilities, read_runs
from torch_impl import nets as torch_nets

ROOT = Path(__file__).parent.parent
SHORT = ["--size", "32", "--batch-size", "5", "--epochs", "1", "--device", "cpu"]


def hotdog(*arguments, cwd=None):
    """Run the command in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "shared.command", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def find(folder, framework, name):
    """The one run of experiment `name` on `framework` below `folder`/runs."""
    (run,) = [r for r in read_runs(folder / "runs") if (r.framework, r.experiment["name"]) == (framework, name)]
    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder of images, a source network and the runs `finetune` and `frozen` in both frameworks, made by the command."""
    folder = tmp_path_factory.mktemp("cli")
    counts = {(s, c): n for s, n in (("train", 6), ("test", 4)) for c in ("hotdog", "not-hotdog")}
    write_images(folder / "pictures", counts)
    save_file(random_tensors(Architecture(1, channels=THIN, classes=5)), folder / "thin.safetensors")
    done = hotdog("run", "finetune", "frozen", "--data", "pictures", "--source", "thin.safetensors", *SHORT, cwd=folder)
    return folder, done


def test_run_trains_in_both_frameworks_and_says_so_in_plain_lines(finished):
    folder, done = finished
    assert done.returncode == 0, done.stderr
    for framework in FRAMEWORKS:
        for name in ("finetune", "frozen"):
            assert f"{name:10s} {framework:5s} seed 0  epoch 0/1  test " in done.stdout
            run = find(folder, framework, name)
            assert f"{run.epochs[1]['images_per_second']:.1f} images/s" in done.stdout
            assert sorted(p.name for p in run.folder.iterdir()) == [
                "curves.png", "run.json", "test_probabilities.csv", "weights.safetensors"
            ]  # fmt: skip
    assert "\x1b" not in done.stdout


def test_results_show_the_frameworks_side_by_side(finished):
    folder, _ = finished
    done = hotdog("results", "--out", folder / "runs", "--plot", folder / "all.png")
    assert done.returncode == 0, done.stderr
    for name in ("finetune", "frozen"):
        (line,) = [text for text in done.stdout.splitlines() if f"│ {name}" in text]
        for framework in FRAMEWORKS:
            run = find(folder, framework, name)
            assert f"{run.epochs[0]['test_accuracy']:.3f} → {run.test_accuracy:.3f}" in line
    assert (folder / "all.png").read_bytes().startswith(b"\x89PNG")
    markdown = hotdog("results", "--out", folder / "runs", "--markdown").stdout
    assert markdown.splitlines()[1].startswith("| --- |")


def test_predict_shows_both_frameworks_where_the_twin_lies_beside(finished):
    folder, _ = finished
    run = find(folder, "gluon", "frozen")
    image = folder / "pictures" / "test" / "hotdog" / "000.png"
    done = hotdog("predict", image, "--run", run.folder)
    assert done.returncode == 0, done.stderr
    twins = with_twins([run])
    assert [(r.framework, r.experiment["name"]) for r in twins] == [("gluon", "frozen"), ("torch", "frozen")]
    for one in twins:
        names, _, probabilities = read_probabilities(one)
        assert f"{probabilities[names.index('hotdog/000.png')][0]:.4f}"[:5] in done.stdout


def test_predict_does_without_a_damaged_twin_and_names_long_files_in_full(finished, tmp_path):
    folder, _ = finished
    shutil.copytree(folder / "runs", tmp_path / "runs")
    gluon, torch = with_twins([find(tmp_path, "gluon", "frozen")])
    (torch.folder / "weights.safetensors").write_bytes(b"no weights")
    (tmp_path / "runs" / "half").mkdir()
    (tmp_path / "runs" / "half" / "run.json").write_text("{")
    image = tmp_path / f"{'a-long-name-' * 6}.png"
    shutil.copy(folder / "pictures" / "test" / "hotdog" / "000.png", image)
    done = hotdog("predict", image, "--run", gluon.folder)
    assert done.returncode == 0, done.stderr
    assert "left out" in done.stderr and "half" in done.stderr and "frozen torch" not in done.stdout
    cells = [line.split("│")[1].strip() for line in done.stdout.splitlines() if line.startswith("│")]
    assert image.name in "".join(cells)


def test_evaluate_gives_accuracy_and_probabilities_on_other_images(finished, tmp_path):
    folder, _ = finished
    other = write_images(tmp_path / "other", {("", "hotdog"): 3, ("", "not-hotdog"): 2}, seed=9)
    run = find(folder, "torch", "frozen")
    done = hotdog("evaluate", "--run", run.folder, "--data", other)
    assert done.returncode == 0, done.stderr
    lines = (run.folder / "probabilities-other.csv").read_text().splitlines()
    assert len(lines) == 6
    right = sum((float(row[2]) > float(row[3])) == (row[1] == "hotdog") for row in (x.split(",") for x in lines[1:]))
    assert f"accuracy {right / 5:.4f} on 5 images" in done.stdout
    again = hotdog("evaluate", "--run", run.folder, "--data", other)
    assert again.returncode == 0 and (run.folder / "probabilities-other-2.csv").is_file()
    renamed = other / "burger"
    (other / "hotdog").rename(renamed)
    refused = hotdog("evaluate", "--run", run.folder, "--data", other)
    assert refused.returncode == 2 and "burger" in refused.stderr


ON_TORCH = ["--data", "pictures", "--source", "thin.safetensors", "--framework", "torch"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nosuch"], "unknown experiment 'nosuch'"),
        (["results", "--plot", "curves.pdf"], "name it .png"),
        (["run", "finetune", *ON_TORCH, "--limit", "1"], "keep at least one image of each"),
        (["run", "finetune", *ON_TORCH, "--size", "32", "--batch-size", "1"], "choose another --batch-size"),
        (["run", "finetune", "--row", "3"], "--row and --other-row go with"),
        (["run", "finetune", "--data", "nowhere"], "no such dataset: nowhere"),
        (["run", "finetune", *ON_TORCH, "--source", "nowhere.pth"], "no such file: nowhere.pth"),
        (["run", "finetune", *ON_TORCH, "--batch-size", "0"], "batch_size is 0"),
        (["run", "hotdog-row", *ON_TORCH], "no class labels"),
        (["run", "hotdog-row", *ON_TORCH, "--row", "713"], "rows 0 to 4"),
        (["run", "finetune", "--seed", "x"], "Invalid value for '--seed'"),
        (["run", "finetune", "--seed", "-1"], "Invalid value for '--seed'"),
        (["run", "finetune", "hotdog-row", *ON_TORCH], "no class labels"),
        (["run", "finetune", *ON_TORCH, "--out", "thin.safetensors"], "thin.safetensors"),
        (["--seed", "3", "results"], "--seed stands before results"),
        (["--epochs", "-1"], "num_epochs is -1"),
        (["nosuch"], "No such command"),
        (["results", "--out", "nothing"], "no finished runs below nothing"),
        (["predict", "nowhere.png", "--run", "runs"], "no such file: nowhere.png"),
        (["predict", "pictures/test/hotdog/000.png", "--run", "pictures"], "pictures is no run"),
    ],
)
def test_wrong_use_is_refused_in_one_line_with_exit_code_2(finished, arguments, message):
    folder, _ = finished
    before = sorted((folder / "runs").iterdir())
    done = hotdog(*arguments, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted((folder / "runs").iterdir()) == before


def test_a_failed_run_exits_with_1_in_one_line(capsys):
    def fail():
        raise RuntimeError("first line\nsecond line")

    assert guarded(fail) == 1
    capsys.readouterr()

    def like_mxnet():
        raise RuntimeError("Traceback (most recent call last):\n  File x\nMXNetError: what it is about\n")

    assert guarded(like_mxnet) == 1
    assert "RuntimeError: MXNetError: what it is about" in capsys.readouterr().err


def test_the_reason_comes_first(capsys):
    def fail():
        raise RuntimeError("first line\nsecond line")

    assert guarded(fail) == 1
    assert capsys.readouterr().err.splitlines() == [
        "hotdog: failed: RuntimeError: first line (HOTDOG_TRACEBACK=1 shows where)"
    ]


def test_doctor_names_versions_and_devices():
    done = hotdog("doctor")
    assert done.returncode == 0
    for part in ("mxnet", "1.9.1", "gluon device", "torch device"):
        assert part in done.stdout


class _MX:
    """Stands for the mxnet module: built with or without CUDA, seeing some GPUs."""

    def __init__(self, cuda, gpus):
        self.runtime = self.context = self
        self.cuda, self.num_gpus = cuda, lambda: gpus

    def Features(self):
        return self

    def is_enabled(self, name):
        return self.cuda


@pytest.mark.parametrize(
    ("gpu", "cuda", "gpus", "usable", "words"),
    [
        (None, False, 0, False, "no NVIDIA GPU"),
        (("NVIDIA H200", (9, 0)), True, 1, False, "no code for the NVIDIA H200 (compute capability 9.0"),
        (("Tesla K80", (3, 7)), True, 1, False, "compute capability 3.7"),
        (("NVIDIA A100", (8, 0)), False, 0, False, "CPU build"),
        (("NVIDIA A100", (8, 0)), True, 0, False, "finds no GPU"),
        (("NVIDIA L4", (8, 9)), True, 1, True, "NVIDIA L4"),
    ],
)
def test_gluon_uses_a_gpu_only_where_its_wheel_can(monkeypatch, gpu, cuda, gpus, usable, words):
    monkeypatch.setattr("gluon_impl.devices.gpu_capability", lambda: gpu)
    answer, reason = gluon_reason(_MX(cuda, gpus))
    assert answer is usable
    assert words in reason


def test_gpu_capability_is_read_from_nvidia_smi(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 9.0'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert gpu_capability() == ("NVIDIA H200", (9, 0))
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpu_capability() is None


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a GPU")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_gpu_that_is_not_there_is_refused(framework):
    with pytest.raises(UserError, match="cannot use a GPU"):
        implementation(framework, "training").choose_device("gpu")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_short_run_on_real_photographs_and_weights(framework, real, tmp_path):
    dataset = load_dataset(str(real / "data" / "hotdog"), limit=24)
    source = load_source(str(real / "weights" / "resnet18_v1-imagenet1k-pq.pth"))
    one = experiment("frozen", "resnet18_v1", num_epochs=1, size=96, batch_size=8)
    run = execute(framework, one, dataset, source, 0, "cpu", tmp_path)
    assert run.status == "finished"
    assert run.source["architecture"] == "resnet18_v1"
    assert 0 < run.epochs[1]["train_loss"] < 20


@pytest.mark.parametrize("version", (1, 2))
def test_untrained_logits_agree_on_real_photographs(version, real):
    dataset = load_dataset(str(real / "data" / "hotdog"), limit=16)
    if version == 1:
        source = load_source(str(real / "weights" / "resnet18_v1-imagenet1k-pq.pth"))
    else:
        source = Source("random", Architecture(2), random_tensors(Architecture(2)), None, "")
    pixels, _ = gluon_data.image_batch([dataset.test.folder / name for name in dataset.test.names], 224)
    gluon_logits = gluon_nets.pretrained_net(source)(pixels).asnumpy()
    with torch.no_grad():  # the very same pixels: the two ways to resize may differ by 1/255
        torch_logits = torch_nets.pretrained_net(source).eval()(torch.from_numpy(pixels.asnumpy())).numpy()
    assert np.abs(gluon_logits).max() > 1
    assert np.abs(gluon_logits - torch_logits).max() < 1e-4


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopping_the_command_stops_its_processes_and_keeps_what_they_have(stop, images, thin_file, tmp_path):
    command = ["run", "finetune", "--framework", "torch", "--data", images, "--source", thin_file, "--size", "32"]
    process = subprocess.Popen(
        [sys.executable, "-m", "shared.command", *map(str, command), "--epochs", "100000", "--out", "runs"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert any("epoch 2/" in line for line in process.stdout)  # in the middle of training
    process.send_signal(stop)  # to the command alone: its processes have to hear of it from there
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "hotdog: interrupted; what was recorded so far is kept\n")
    (run,) = read_runs(tmp_path / "runs")
    assert run.status == "interrupted" and len(run.epochs) > 2
