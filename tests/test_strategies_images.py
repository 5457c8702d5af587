"""Strategies that change the images: the same in both frameworks, from the shared draws; and what ends a run by held-out images."""

import json

import numpy as np
import pytest
from helpers import hotdog

from shared.errors import UserError
from shared.experiments import experiment
from shared.images import draws
from shared.images.augment import augment
from shared.images.folders import load_dataset
from shared.runs.best import best_epoch, mean_loss
from shared.runs.execute import execute
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.job import Job
from shared.runs.record import read_run


def epoch_of(framework, split, **ways):
    batches = implementation(framework, "data").train_iter(split, 32, 5, 3, draws.SHARED, **ways)
    arrays = [(X.asnumpy(), y.asnumpy()) if framework == "gluon" else (X.numpy(), y.numpy()) for X, y in batches]
    return [np.concatenate(parts) for parts in zip(*arrays, strict=True)]


@pytest.mark.parametrize("ways", [{"mixing": "mixup"}, {"mixing": "cutmix"}, {"augmentation": "strong"}], ids=str)
def test_both_frameworks_are_given_the_same_images_and_targets(ways, images):
    split = load_dataset(str(images)).train
    (X, y), (X2, y2) = (epoch_of(framework, split, **ways) for framework in FRAMEWORKS)
    assert X.shape == X2.shape and X.dtype == X2.dtype == np.float32
    assert np.array_equal(y, y2)
    # Views differ by 1 of 255 levels here and there; equalising or posterising may make more of one.
    assert np.mean(np.abs(X - X2)) < (0.05 if "augmentation" in ways else 0.01)
    plain, labels = epoch_of("torch", split)
    assert np.mean(np.abs(X2 - plain)) > 0.05
    if "mixing" in ways:
        assert y.shape == (len(split), 2) and np.allclose(y.sum(axis=1), 1)
        assert (0.01 < y[:, 0]).any() and (y[:, 0] < 0.99).any()
    else:
        assert np.array_equal(y2, labels)


def test_mixed_images_are_their_parts():
    for position in range(40):
        drawn = draws.mix(0, 1, position, 10, "cutmix")
        left, top, side = draws.square(drawn, 32)
        assert 0 <= left <= 32 - side and 0 <= top <= 32 - side and 0 <= drawn.partner < 10
        assert abs(side**2 / 32**2 - (1 - drawn.share)) < 0.07
    assert np.allclose(draws.shares_of(3, 0, 2, 0.25), [0.25, 0, 0.75])
    assert np.allclose(draws.shares_of(3, 1, 1, 0.25), [0, 1, 0])


def test_strong_augmentation_repeats_itself_and_varies():
    pixels = np.random.default_rng(0).integers(0, 255, (32, 40, 3)).astype("uint8")
    once, again, other = (augment(pixels, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert once.shape == pixels.shape and once.dtype == np.uint8 and once.flags.writeable
    assert np.array_equal(once, again) and not np.array_equal(once, other)


def test_a_dropout_mask_keeps_the_mean():
    mask = draws.dropout_mask(0, 1, 2, (200, 500), 0.25)
    assert set(np.unique(mask)) == {0, 1 / 0.75} and abs(mask.mean() - 1) < 0.01
    assert not np.array_equal(mask, draws.dropout_mask(1, 1, 2, (200, 500), 0.25))
    assert not np.array_equal(mask, draws.dropout_mask(0, 1, 3, (200, 500), 0.25))


def job_of(name, framework, images, thin_file, out, **fields):
    settings = {key: fields.pop(key) for key in ("holdout", "draws", "resume") if key in fields}
    one = experiment(name, num_epochs=3, size=32, batch_size=5, **fields)
    return Job(one, framework, 3, str(images), str(thin_file), device="cpu", out=out, **settings)


RESUMED = ("gradual", "adamw", "warmup-cosine", "mixup", "dropout-head")


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", RESUMED)
def test_a_stopped_run_of_every_kind_goes_on_as_if_it_had_not(name, framework, images, thin_file, tmp_path):
    """Stopped after its second epoch: in the middle of the phases, with Adam's averages, with the schedule half way."""
    (tmp_path / "whole").mkdir()
    whole = job_of(name, framework, images, thin_file, tmp_path / "whole")
    end = execute(whole, *whole.load())
    cut = job_of(name, framework, images, thin_file, tmp_path / "cut", resume=True)

    def stop(epoch):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(cut, *cut.load(), on_epoch=stop)
    went_on = execute(cut, *cut.load())
    assert [e["test_accuracy"] for e in went_on.epochs] == [e["test_accuracy"] for e in end.epochs]
    weights = [(run.folder / "weights.safetensors").read_bytes() for run in (end, went_on)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("fields", [{"keep_best": True}, {"patience": 2}], ids=str)
def test_test_images_choose_no_epoch(fields, images, thin_file, tmp_path):
    job = job_of("finetune", "torch", images, thin_file, tmp_path, **fields)
    with pytest.raises(UserError, match="held out, never by test images"):
        execute(job, *job.load())
    done = hotdog("run", "finetune", "--data", images, "--source", thin_file, "--keep-best", cwd=tmp_path)
    assert done.returncode == 2 and "--holdout" in done.stderr


@pytest.mark.parametrize("name", ["mixup", "augmented"])
def test_images_are_mixed_by_shared_draws_only(name, images, thin_file, tmp_path):
    job = job_of(name, "torch", images, thin_file, tmp_path, draws="own")
    with pytest.raises(UserError, match="shared draws"):
        job.check(*job.load())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_best_epoch_is_kept_and_training_ends_when_there_is_none_better(framework, images, thin_file, tmp_path):
    """At a rate that is far too high the loss gets worse from some epoch on."""
    fields = {"keep_best": True, "patience": 1, "holdout": 0.34, "learning_rate": 3.0}
    job = job_of("finetune", framework, images, thin_file, tmp_path, **fields)
    run = read_run(execute(job, *job.load()).folder)
    losses = [epoch["test_loss"] for epoch in run.epochs]
    assert run.status == "finished" and run.kept_epoch == best_epoch(run.epochs) == int(np.argmin(losses))
    assert len(losses) == min(4, run.kept_epoch + 2)
    lines = (run.folder / "test_probabilities.csv").read_text().splitlines()[1:]
    probabilities = np.array([[float(p) for p in line.split(",")[2:]] for line in lines])
    classes = run.dataset["classes"]
    labels = np.array([classes.index(line.split(",")[1]) for line in lines])
    assert (probabilities.argmax(axis=1) == labels).mean() == pytest.approx(run.test_accuracy)
    assert mean_loss(labels, probabilities) == pytest.approx(min(losses), abs=1e-3)
    assert not list(run.folder.glob("best.safetensors"))
    assert json.loads((run.folder / "run.json").read_text())["kept_epoch"] == run.kept_epoch
