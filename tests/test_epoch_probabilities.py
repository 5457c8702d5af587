"""What a run said of every test image after every epoch: kept small, read back with the same classes."""

import dataclasses

import numpy as np
import pytest

from shared.errors import UserError
from shared.experiments import experiment
from shared.runs.record import (
    EPOCH_PROBABILITIES,
    Run,
    packed_probabilities,
    read_epoch_probabilities,
    unpacked_probabilities,
    write_epoch_probabilities,
    write_probabilities,
)


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (shares / shares.sum(axis=-1, keepdims=True)).astype(np.float32)


def run_in(folder, epochs, images, classes):
    dataset = {"test": images, "classes": [f"class {i}" for i in range(classes)], "fingerprint": "d"}
    recorded = [{"test_accuracy": 0.5, "train_loss": 0.1}] * epochs
    return Run(folder, experiment("finetune").as_dict(), "torch", 0, dataset, {"row": None}, {}, {}, epochs=recorded)


# A float16 is off by 2**-11 of its size, and p (1 - p) |log(p / (1 - p))| is 0.224 at most: 1.1e-4 with two classes.
@pytest.mark.parametrize(("classes", "off"), [(2, 1.1e-4), (5, 1.5e-4)])
def test_probabilities_come_back_with_the_same_classes(tmp_path, classes, off):
    rng = np.random.default_rng(classes)
    wide = softmax(rng.normal(0, 5, (6, 300, classes)))
    near = softmax(rng.normal(0, 1e-6, (6, 100, classes)))  # as good as undecided
    sure = softmax(rng.normal(0, 200, (6, 100, classes)))  # probabilities of 0 among them
    probabilities = np.concatenate([wide, near, sure], axis=1)
    labels = rng.integers(0, classes, 500)
    write_epoch_probabilities(tmp_path, labels, probabilities)
    again_labels, again = read_epoch_probabilities(run_in(tmp_path, 6, 500, classes))
    assert np.array_equal(again_labels, labels) and again_labels.dtype == np.int64
    assert again.shape == probabilities.shape and again.dtype == np.float64
    assert np.array_equal(again.argmax(axis=-1), probabilities.argmax(axis=-1))
    assert np.abs(again - probabilities).max() < off
    assert (probabilities == 0).any()


def test_neighbours_in_float32_are_told_apart():
    half = np.float32(0.5)
    above = np.nextafter(half, np.float32(1))
    for pair, wanted in (((half, above), 1), ((above, half), 0)):
        assert unpacked_probabilities(packed_probabilities([pair]))[0].argmax() == wanted
        assert packed_probabilities([pair])[0].min() < 0


def test_they_are_small(tmp_path):
    probabilities = softmax(np.random.default_rng(0).normal(0, 2, (6, 400, 2)))
    write_epoch_probabilities(tmp_path, np.zeros(400, dtype=int), probabilities)
    assert (tmp_path / EPOCH_PROBABILITIES).stat().st_size < 8000 < probabilities.nbytes / 2


def test_a_diverged_network_says_nothing(tmp_path):
    write_epoch_probabilities(tmp_path, [0, 1], np.full((1, 2, 2), np.nan))
    assert np.isnan(read_epoch_probabilities(run_in(tmp_path, 1, 2, 2))[1]).all()


def test_older_runs_have_their_last_epoch(tmp_path):
    run = run_in(tmp_path, 6, 2, 2)
    write_probabilities(
        tmp_path / "test_probabilities.csv", run.dataset["classes"], ["a", "b"], [0, 1], [[0.75, 0.25], [0.5, 0.5]]
    )
    labels, probabilities = read_epoch_probabilities(run)
    assert labels.tolist() == [0, 1] and probabilities.tolist() == [[[0.75, 0.25], [0.5, 0.5]]]


def test_a_damaged_file_is_named(tmp_path):
    write_epoch_probabilities(tmp_path, [0, 1], np.full((6, 2, 2), 0.5))
    run, file = run_in(tmp_path, 6, 2, 2), tmp_path / EPOCH_PROBABILITIES
    whole = file.read_bytes()
    for wrong in (whole[:-30], whole[:60], b"", b"PK\x03\x04", whole.replace(b"log_ratios", b"log_ration")):
        file.write_bytes(wrong)
        with pytest.raises(UserError, match="epoch_probabilities.npz is damaged .*train that run again"):
            read_epoch_probabilities(run)
    file.write_bytes(whole)
    with pytest.raises(UserError, match="5 epochs of 2 images"):
        read_epoch_probabilities(dataclasses.replace(run, status="finished", epochs=run.epochs[:5]))
    stopped = dataclasses.replace(
        run, status="interrupted", epochs=run.epochs[:5]
    )  # before its last epoch was recorded
    assert read_epoch_probabilities(stopped)[1].shape == (5, 2, 2)
    with pytest.raises(UserError, match="7 epochs of 2 images"):  # it never holds fewer
        read_epoch_probabilities(dataclasses.replace(stopped, epochs=[*run.epochs, run.epochs[-1]]))
    with pytest.raises(ValueError, match="for 3 labels"):
        write_epoch_probabilities(tmp_path, [0, 1, 1], np.full((6, 2, 2), 0.5))
