"""Runs on tiny images in both frameworks: what is trained, what is kept, what is recorded."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import write_images
from safetensors.numpy import load_file

from shared.errors import UserError
from shared.experiments import CHAPTER, experiment
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.runs.execute import Diverged, execute
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.job import Job
from shared.runs.opened import trained
from shared.runs.record import read_probabilities, read_run, read_runs

both = pytest.mark.parametrize("framework", FRAMEWORKS)


def short(name, **overrides):
    """The experiment at 32 px with batches of 5: three a training epoch of 12 images, the last with 2."""
    return experiment(name, **{"size": 32, "batch_size": 5, "num_epochs": 2, **overrides})


def job_of(framework, images, thin_file, out, name="finetune", seed=0, **overrides):
    experiment = short(name, **overrides)
    return Job(experiment, framework, seed, str(images), str(thin_file), device="cpu", out=out)


def carried_out(job, **options):
    return execute(job, load_dataset(job.data), load_source(job.source), **options)


def go(*arguments, **overrides):
    return carried_out(job_of(*arguments, **overrides))


@both
def test_a_run_is_recorded_with_all_that_is_needed_to_repeat_it(framework, images, thin_file, tmp_path):
    run = go(framework, images, thin_file, tmp_path / "runs")
    record = json.loads((run.folder / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["framework"] == framework
    assert record["experiment"] == short("finetune").as_dict()
    assert record["dataset"]["fingerprint"] == load_dataset(str(images)).fingerprint
    assert record["source"]["fingerprint"] == load_source(str(thin_file)).fingerprint
    assert {"mxnet", "torch", "torchvision", "numpy", "python"} <= set(record["versions"])
    assert record["device"]["used"].startswith("cpu")
    assert record["device"]["cpu"]
    epochs = record["epochs"]
    assert [e["epoch"] for e in epochs] == [0, 1, 2]
    assert epochs[0]["train_loss"] is None and epochs[0]["test_accuracy"] is not None
    assert all(e["seconds"] > 0 and e["images_per_second"] == pytest.approx(12 / e["seconds"]) for e in epochs[1:])
    assert read_run(run.folder) == run
    names, labels, probabilities = read_probabilities(run)
    assert names == list(load_dataset(str(images)).test.names)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=2e-6)
    assert (probabilities.argmax(axis=1) == labels).mean() == run.test_accuracy
    assert str(tmp_path) not in (run.folder / "run.json").read_text()


@both
def test_the_same_seed_gives_the_same_weights_and_another_gives_others(framework, images, thin_file, tmp_path):
    weights = [
        load_file(go(framework, images, thin_file, tmp_path, seed=seed).folder / "weights.safetensors")
        for seed in (3, 3, 4)
    ]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not np.array_equal(weights[0][name], weights[2][name]) for name in weights[0])


@both
def test_frozen_features_keep_every_bit_and_the_output_learns(framework, images, thin_file, tmp_path):
    run = go(framework, images, thin_file, tmp_path, "frozen")
    source, weights = load_source(str(thin_file)).tensors, load_file(run.folder / "weights.safetensors")
    for name in source:
        if name.startswith("features."):
            assert np.array_equal(weights[name], source[name]), name
    untrained = load_file(
        go(framework, images, thin_file, tmp_path, "frozen", num_epochs=0).folder / "weights.safetensors"
    )
    assert not np.array_equal(weights["output.weight"], untrained["output.weight"])
    assert not np.array_equal(weights["output.bias"], untrained["output.bias"])


@both
def test_fine_tuning_moves_the_features_and_their_statistics(framework, images, thin_file, tmp_path):
    run = go(framework, images, thin_file, tmp_path, "finetune")
    source, weights = load_source(str(thin_file)).tensors, load_file(run.folder / "weights.safetensors")
    # v2's first normalisation has no trained parameters, and on the CPU Gluon's statistics of it never move (facts: no gradient)
    same = {n for n in source if n.startswith("features.") and np.array_equal(weights[n], source[n])}
    assert same <= {n for n in source if n.startswith("features.bn0.")}


@both
def test_the_reused_row_is_in_the_hotdog_slot_before_training(framework, images, thin_file, tmp_path):
    for row, number in (("hotdog", 1), ("photocopier", 3), (4, 4)):
        run = go(framework, images, thin_file, tmp_path, "hotdog-row", num_epochs=0, row=row)
        source, weights = load_source(str(thin_file)), load_file(run.folder / "weights.safetensors")
        assert run.source["row"] == number
        assert np.array_equal(weights["output.weight"][0], source.tensors["output.weight"][number])
        assert weights["output.bias"][0] == source.tensors["output.bias"][number]


@both
def test_scratch_knows_nothing_of_the_source(framework, images, thin_file, tmp_path):
    run = go(framework, images, thin_file, tmp_path, "scratch", num_epochs=0)
    source, weights = load_source(str(thin_file)).tensors, load_file(run.folder / "weights.safetensors")
    kernels = [n for n in source if n.startswith("features.") and source[n].ndim == 4]
    for name in kernels:
        bound = np.sqrt(6 / (source[name][0].size + source[name].shape[0] * source[name][0, 0].size))
        assert 0.5 * bound < np.abs(weights[name]).max() <= bound * (1 + 1e-6), name  # Xavier, uniform


@both
def test_one_image_per_class_and_less_than_a_batch_is_enough(framework, thin_file, tmp_path):
    tiny = write_images(tmp_path / "tiny", {(s, c): 1 for s in ("train", "test") for c in ("hotdog", "not-hotdog")})
    run = go(framework, tiny, thin_file, tmp_path / "runs", batch_size=128)
    assert run.status == "finished"
    assert len(run.epochs) == 3


@both
def test_the_reported_loss_is_the_mean_over_images_not_over_batches(framework, thin_file):
    nets, training = (implementation(framework, m) for m in ("nets", "training"))
    X, y = np.random.default_rng(0).normal(size=(8, 3, 32, 32)).astype("float32"), np.array([0, 1] * 4)
    if framework == "gluon":
        from mxnet import np as mx_np

        X, y = mx_np.array(X), mx_np.array(y, dtype="int32")
    else:
        import torch

        X, y = torch.from_numpy(X), torch.from_numpy(y)
    device, _ = training.choose_device("cpu")

    def loss_of(*batches):
        seen = []
        net = nets.finetune_net(load_source(str(thin_file)), 2)
        nets.set_tensors(net, nets.get_tensors(net) | {"output.weight": np.eye(2, 32, dtype="float32")})
        still = experiment("finetune", learning_rate=0.0, num_epochs=1)
        training.train_fine_tuning(net, batches, batches, still, device, seen.append)
        assert seen[0].test_accuracy == seen[1].test_accuracy  # nothing is learned at a rate of zero
        return seen[1].train_loss

    long, short = loss_of((X[:6], y[:6])), loss_of((X[6:], y[6:]))
    both_batches = loss_of((X[:6], y[:6]), (X[6:], y[6:]))
    assert both_batches == pytest.approx((6 * long + 2 * short) / 8, rel=1e-5)
    assert abs(both_batches - (long + short) / 2) > 1e-3


@both
def test_a_failed_run_keeps_what_it_had(framework, images, thin_file, tmp_path):
    class Break(Exception):
        pass

    class Batches:
        def __init__(self, batches):
            self.batches, self.times = batches, 0

        def __iter__(self):
            self.times += 1
            if self.times == 2:
                raise Break("the disk is gone")
            return iter(self.batches)

    with pytest.raises(Break):
        carried_out(job_of(framework, images, thin_file, tmp_path), watch=Batches)
    (run,) = read_runs(tmp_path)
    assert (run.status, run.error) == ("failed", "Break: the disk is gone")
    assert [e["epoch"] for e in run.epochs] == [0, 1]
    assert sorted(p.name for p in run.folder.iterdir()) == [
        "checkpoint-1.safetensors", "epoch_probabilities.npz", "run.json"
    ]  # fmt: skip


@both
def test_an_interrupted_run_says_so(framework, images, thin_file, tmp_path):
    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carried_out(job_of(framework, images, thin_file, tmp_path), on_epoch=stop)
    (run,) = read_runs(tmp_path)
    assert run.status == "interrupted" and len(run.epochs) == 1


@both
def test_a_diverged_run_is_recorded_with_a_null_loss(framework, images, thin_file, tmp_path):
    with pytest.raises(Diverged):
        go(framework, images, thin_file, tmp_path, learning_rate=1e30)
    (run,) = read_runs(tmp_path)
    assert (run.status, run.epochs[-1]["train_loss"]) == ("diverged", None)
    assert "NaN" not in (run.folder / "run.json").read_text()


def test_folders_never_overwrite_each_other(images, thin_file, tmp_path):
    folders = [go("torch", images, thin_file, tmp_path, num_epochs=0).folder.name for _ in range(2)]
    assert folders == ["pictures-finetune-torch-seed0-1", "pictures-finetune-torch-seed0-2"]


def test_trained_nets_give_back_the_recorded_probabilities(images, thin_file, tmp_path):
    dataset = load_dataset(str(images))
    for framework in FRAMEWORKS:
        run = go(framework, images, thin_file, tmp_path)
        data, training = (implementation(framework, m) for m in ("data", "training"))
        files = [dataset.test.folder / name for name in dataset.test.names]
        batches = [data.image_batch(files, 32)]
        device, _ = training.choose_device("cpu")
        probabilities, labels = training.predict_probabilities(trained(run).net, batches, device)
        np.testing.assert_allclose(probabilities, read_probabilities(run)[2], atol=2e-6)
        assert set(labels) == {-1}


def test_records_that_are_none_are_refused(tmp_path):
    with pytest.raises(UserError, match="no run.json"):
        read_run(tmp_path)
    for text, message in (("{}", "no entry 'experiment'"), ("{", "no run record"), ("[]", "no run record")):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(UserError, match=message):
            read_run(tmp_path)


def test_a_record_that_cannot_be_read_is_left_out_with_a_word(images, thin_file, tmp_path, capsys):
    run = go("torch", images, thin_file, tmp_path, num_epochs=0)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "run.json").write_text("{")
    assert read_runs(tmp_path) == [run]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hotdog: left out: ") and "half" in line


@pytest.mark.parametrize("spoil", [lambda lines: lines[:-1], lambda lines: [], lambda lines: [*lines[:-1], "x"]])
def test_damaged_probabilities_are_refused(spoil, images, thin_file, tmp_path):
    run = go("torch", images, thin_file, tmp_path, num_epochs=0)
    file = run.folder / "test_probabilities.csv"
    file.write_text("".join(f"{line}\n" for line in spoil(file.read_text().splitlines())))
    with pytest.raises(UserError, match="test_probabilities.csv is damaged .*: delete its folder"):
        read_probabilities(run)


def test_a_diverged_network_is_not_used(images, thin_file, tmp_path):
    run = carried_out(replace(job_of("torch", images, thin_file, tmp_path, learning_rate=1e30), keep_going=True))
    assert run.status == "diverged"
    with pytest.raises(UserError, match="not finite: the training of this run diverged"):
        trained(run)


def test_damaged_weights_are_refused(images, thin_file, tmp_path):
    run = go("torch", images, thin_file, tmp_path, num_epochs=0)
    (run.folder / "weights.safetensors").write_bytes(b"cut off")
    with pytest.raises(UserError, match="cannot read .*weights.safetensors"):
        trained(run)


def test_the_chapters_hyperparameters():
    assert {n: (e.learning_rate, e.head_lr_mult) for n, e in CHAPTER.items()} == {
        "finetune": (0.01, 10),
        "scratch": (0.1, 1),
        "frozen": (0.01, 10),
        "hotdog-row": (0.01, 10),
    }
    assert all((e.weight_decay, e.batch_size, e.num_epochs, e.size) == (0.001, 128, 5, 224) for e in CHAPTER.values())


@pytest.mark.parametrize(
    "wrong", ({"learning_rate": -1.0}, {"batch_size": 0}, {"size": 8}, {"learning_rate": float("nan")})
)
def test_hyperparameters_out_of_range_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        experiment("finetune", **wrong)
