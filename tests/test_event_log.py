"""`--log tensorboard`: what TensorBoard's own reader finds in the event files of both frameworks, and that it changes nothing."""

import io
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import ROOT, hotdog, random_tensors, write_images
from PIL import Image
from safetensors.numpy import save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from shared.errors import UserError
from shared.experiments import experiment
from shared.images.folders import load_dataset
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source
from shared.runs import events
from shared.runs.execute import execute
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.job import Job
from shared.runs.record import read_run
from shared.strategies import STAGES, rate_factor

SCALARS = {
    "loss/train": "train_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/test": "test_accuracy",
    "speed/images_per_second": "images_per_second",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with images and a thin source network, and a function that carries out a job on them."""
    folder = tmp_path_factory.mktemp("logged")
    counts = {(s, c): n for s, n in (("train", 6), ("test", 4)) for c in ("hotdog", "not-hotdog")}
    write_images(folder / "pictures", counts)
    tensors = random_tensors(Architecture(2, channels=(8, 8, 16, 24, 32), classes=5))
    save_file(tensors, folder / "thin.safetensors", {"classes": '["apple", "hotdog", "mug", "photocopier", "pizza"]'})

    def carry_out(framework, name="finetune", log="tensorboard", out="runs", job=None, **overrides):
        e = experiment(name, **{"size": 32, "batch_size": 5, "num_epochs": 2, **overrides})
        settings = {"device": "cpu", "log": log, "out": folder / out, **(job or {})}
        one = Job(e, framework, 0, str(folder / "pictures"), str(folder / "thin.safetensors"), **settings)
        return execute(one, load_dataset(one.data, holdout=one.holdout), load_source(one.source))

    carry_out.folder = folder
    return carry_out


@pytest.fixture(scope="module")
def logged(made):
    return {framework: made(framework) for framework in FRAMEWORKS}


def read(folder) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "histograms": 0})
    found.Reload()
    return found


def scalars(found, tag):
    return {event.step: event.value for event in found.Scalars(tag)}


def tags(found):
    return {kind: sorted(found.Tags()[kind]) for kind in ("scalars", "images", "histograms")}


def test_both_frameworks_write_the_same_tags(logged):
    gluon, torch = (tags(read(logged[f].folder)) for f in FRAMEWORKS)
    assert gluon == torch
    assert gluon == {
        "scalars": sorted([*SCALARS, "rate/features", "rate/output"]),
        "images": ["images/first_batch"],
        "histograms": ["output/bias", "output/weight"],
    }


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_values_are_those_of_the_record(framework, logged):
    run, found = logged[framework], read(logged[framework].folder)
    for tag, key in SCALARS.items():
        wanted = {e["epoch"]: np.float32(e[key]) for e in run.epochs if e[key] is not None}
        assert scalars(found, tag) == wanted and wanted, tag
    rates = {"features": run.experiment["learning_rate"], "output": 10 * run.experiment["learning_rate"]}
    for group, rate in rates.items():
        assert scalars(found, f"rate/{group}") == {1: np.float32(rate), 2: np.float32(rate)}
    (weights,) = (t for n, t in _tensors(run).items() if n == "output.weight")
    *_, last = found.Histograms("output/weight")
    assert [h.step for h in found.Histograms("output/weight")] == [0, 1, 2]
    assert last.histogram_value.num == weights.size == sum(last.histogram_value.bucket)
    assert last.histogram_value.min == weights.min() and last.histogram_value.max == weights.max()
    assert last.histogram_value.sum == pytest.approx(weights.sum(dtype=np.float64))
    biases = [h.histogram_value for h in found.Histograms("output/bias")]
    assert [b.num for b in biases] == [2, 2, 2] and biases[-1].max != biases[0].max


def _tensors(run):
    from safetensors.numpy import load_file

    return load_file(run.folder / "weights.safetensors")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_log_changes_no_bit_of_a_run(framework, made, logged):
    without = made(framework, log=None, out="silent")
    assert not [f for f in without.folder.iterdir() if "tfevents" in f.name]
    for name in ("weights.safetensors", "epoch_probabilities.npz", "test_probabilities.csv"):
        assert (without.folder / name).read_bytes() == (logged[framework].folder / name).read_bytes(), name
    own = [made(framework, log=log, out=f"own-{log}", job={"draws": "own"}) for log in ("tensorboard", None)]
    assert len({(run.folder / "weights.safetensors").read_bytes() for run in own}) == 1


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_picture_is_the_first_batch_as_it_was_trained_on(framework, made, logged):
    (event,) = read(logged[framework].folder).Images("images/first_batch")
    picture = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert (event.step, picture.shape) == (1, (32, 5 * 34 - 2, 3))
    dataset = load_dataset(str(made.folder / "pictures"))
    X, _ = next(iter(implementation(framework, "data").train_iter(dataset.train, 32, 5, 0, "shared")))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    X = X.asnumpy() if framework == "gluon" else X.numpy()
    for i in range(5):
        wanted = (X[i].transpose(1, 2, 0) * std + mean) * 255
        tile = picture[:, i * 34 : i * 34 + 32].astype(float)
        assert np.abs(tile - wanted).max() <= 0.5 + 1e-3
        assert (picture[:, i * 34 + 32 : i * 34 + 34] == 255).all()  # what is between them, and behind the last nothing


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_rates_are_told_by_stage_where_they_differ_and_are_those_that_were_used(framework, made):
    gradual = read(made(framework, "gradual", out="gradual", learning_rate=0.001).folder)
    assert {t for t in gradual.Tags()["scalars"] if t.startswith("rate/")} == {f"rate/{stage}" for stage in STAGES}
    assert scalars(gradual, "rate/output") == {1: np.float32(0.01), 2: np.float32(0.01)}
    assert scalars(gradual, "rate/layer4") == {1: 0, 2: np.float32(0.001)}  # set free in the second epoch
    assert scalars(gradual, "rate/layer3") == {1: 0, 2: 0}
    falling = read(made(framework, "discriminative", out="falling", learning_rate=0.001).folder)
    assert scalars(falling, "rate/stem")[1] == pytest.approx(0.001 * 0.5**4)
    frozen = read(made(framework, "frozen", out="frozen", learning_rate=0.001).folder)
    assert scalars(frozen, "rate/features") == {1: 0, 2: 0}
    climbing = read(made(framework, "warmup-cosine", out="climbing", learning_rate=0.001).folder)
    factors = [rate_factor("warmup-cosine", update, 6) for update in range(6)]  # three batches an epoch
    assert scalars(climbing, "rate/output") == {
        1: pytest.approx(0.01 * np.mean(factors[:3])),
        2: pytest.approx(0.01 * np.mean(factors[3:])),
    }


def test_images_that_were_held_out_are_not_called_test_images(made):
    run = made("torch", out="held", job={"holdout": 0.34}, keep_best=True)
    found = read(run.folder)
    assert scalars(found, "accuracy/held_out") == {e["epoch"]: np.float32(e["test_accuracy"]) for e in run.epochs}
    assert scalars(found, "loss/held_out") == {e["epoch"]: np.float32(e["test_loss"]) for e in run.epochs}
    assert not [tag for tag in found.Tags()["scalars"] if tag.endswith("/test")]


# A process that kills itself when an epoch was logged and not recorded yet, or goes on to the end.
CHILD = """
import os, signal, sys
from pathlib import Path
from shared.experiments import experiment
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.runs import execute as carrying_out
from shared.runs.job import Job

framework, folder, number = sys.argv[1:]
real, saved = carrying_out.Run.save, []

def save(run):
    saved.append(None)
    if len(saved) == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    real(run)

carrying_out.Run.save = save
folder = Path(folder)
e = experiment("finetune", size=32, batch_size=5, num_epochs=3)
job = Job(e, framework, 0, str(folder / "pictures"), str(folder / "thin.safetensors"), device="cpu", log="tensorboard",
          out=folder / f"killed-{framework}", resume=True)
run = carrying_out.execute(job, load_dataset(job.data), load_source(job.source))
print("torch" in sys.modules)
"""


# while epoch 2 is recorded, and while epoch 0 is
@pytest.mark.parametrize(("framework", "saves"), [("gluon", 5), ("torch", 3)])
def test_a_run_that_goes_on_logs_no_epoch_twice(framework, saves, made):
    def child(number):
        command = [sys.executable, "-c", CHILD, framework, str(made.folder), str(number)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    assert child(saves).returncode == -signal.SIGKILL
    done = child(-1)
    assert done.returncode == 0, done.stderr
    if framework == "gluon":
        assert done.stdout.strip() == "False", "a process of Gluon has loaded PyTorch"
    run = read_run(sorted((made.folder / f"killed-{framework}").glob("*/run.json"))[-1].parent)
    files = [f for f in run.folder.iterdir() if "tfevents" in f.name]
    assert len(files) == 2
    found = read(run.folder)
    for tag, key in SCALARS.items():
        wanted = [(e["epoch"], np.float32(e[key])) for e in run.epochs if e[key] is not None]
        assert [(event.step, event.value) for event in found.Scalars(tag)] == wanted
    assert [h.step for h in found.Histograms("output/weight")] == [0, 1, 2, 3]
    assert len(found.Images("images/first_batch")) == 1


def test_a_loss_that_is_no_number_is_logged_as_it_is(made):
    run = made("torch", out="diverged", learning_rate=1e30, job={"keep_going": True})
    found = read(run.folder)
    assert run.epochs[-1]["train_loss"] is None
    assert np.isnan(scalars(found, "loss/train")[2])
    assert [h.step for h in found.Histograms("output/weight")] == [0]


def test_without_tensorboard_there_is_one_line_and_nothing_is_trained(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match="--log tensorboard needs TensorBoard, .* --extra watch") as caught:
        made("torch", out="lacking")
    assert "\n" not in str(caught.value) and not (made.folder / "lacking").exists()


def test_the_command_takes_it(made):
    options = ("--data", made.folder / "pictures", "--source", made.folder / "thin.safetensors", "--size", 32)
    options += (
        "--epochs",
        1,
        "--batch-size",
        5,
        "--framework",
        "torch",
        "--device",
        "cpu",
        "--out",
        made.folder / "by",
    )
    done = hotdog("run", "finetune", *options, "--log", "tensorboard")
    assert done.returncode == 0 and f"tensorboard --logdir {made.folder / 'by'}" in done.stdout, done.stderr
    (run,) = (made.folder / "by").iterdir()
    assert scalars(read(run), "accuracy/test")
    done = hotdog("run", "finetune", *options, "--log", "wandb")
    assert done.returncode == 2 and "wandb" in done.stderr and "tensorboard" in done.stderr


def test_a_full_disk_is_one_error_that_names_the_file(tmp_path):
    code = """
import resource, signal, sys
from pathlib import Path
from shared.epochs import EpochMetrics
from shared.errors import guarded
from shared.experiments import experiment
from shared.runs.events import Log

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = Log(Path(sys.argv[1]), experiment("frozen"), 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
tensors = {"output.weight": __import__("numpy").ones((2, 8)), "output.bias": __import__("numpy").zeros(2)}
sys.exit(guarded(lambda: [log.epoch(EpochMetrics(i, test_accuracy=0.5), tensors) for i in range(9)]))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "tfevents" in done.stderr, done.stderr


# --- parts ---


def test_a_grid_has_rows_of_eight_and_white_between():
    images = np.arange(11, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), dtype=np.uint8)
    whole = events.grid(images)
    assert whole.shape == (2 * 4 + 2, 8 * 6 + 7 * 2, 3)
    assert (whole[:4, :6] == 0).all() and (whole[6:, 16:22] == 10).all()
    assert (whole[4:6] == 255).all() and (whole[6:, 22:] == 255).all()


def test_pixels_beyond_black_and_white_stay_within():
    X = np.array([-10.0, 0.0, 10.0], dtype=np.float32).reshape(1, 1, 1, 3).repeat(3, axis=1)
    assert events.pixels(X)[0, 0, 0].tolist() == [0, 0, 0] and events.pixels(X)[0, 0, 2].tolist() == [255] * 3
    assert events.pixels(X)[0, 0, 1].tolist() == [round(255 * m) for m in (0.485, 0.456, 0.406)]


def test_groups_of_rates():
    plain = experiment("finetune")
    names = {"features.bn2.weight": 0.1, "output.bias": 1.0}
    assert events.rates_by_group(names, plain) == {"features": 0.1, "output": 1.0}
    assert events.rates_by_group({"output.bias": 1.0}, replace(plain, trained_from="output stem"))["features"] == 0
    apart = events.rates_by_group(names, replace(plain, stage_decay=0.5))
    assert list(apart) == list(STAGES) and apart["layer4"] == 0.1 and apart["stem"] == 0


def test_equal_numbers_have_a_histogram():
    one = events.histogram(np.zeros((2, 1), dtype=np.float32))
    assert (one.min, one.max, one.num, sum(one.bucket)) == (0, 0, 2, 2)


def test_arrays_on_any_device_are_taken():
    on_gpu = SimpleNamespace(cpu=lambda: np.ones(2))
    assert events.as_numpy(on_gpu).tolist() == [1, 1]
