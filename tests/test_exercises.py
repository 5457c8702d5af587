"""The exercises: what they train, what they reuse, and that tables and answers follow from the records."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import THIN, random_tensors, write_images
from safetensors.numpy import save_file

from shared import datasets, exercises, runs, sources
from shared.errors import UserError
from shared.experiments import experiment
from shared.sources import Architecture

ROOT = Path(__file__).parent.parent
EXPERIMENTS = {1: 11, 2: 6, 3: 3, 4: 6}  # different ones in an exercise
SEEDS = {1: [0], 2: [0], 3: [0, 1], 4: [0, 1]}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Tiny images and a thin source network of twelve rows, hotdog and photocopier among them."""
    folder = tmp_path_factory.mktemp("exercises")
    counts = {(s, c): n for s, n in (("train", 10), ("test", 6)) for c in ("hotdog", "not-hotdog")}
    write_images(folder / "pictures", counts)
    labels = ["hotdog", "photocopier", *(f"thing {i}" for i in range(10))]
    tensors = random_tensors(Architecture(2, channels=THIN, classes=len(labels)))
    save_file(tensors, folder / "thin.safetensors", {"classes": json.dumps(labels)})
    return str(folder / "pictures"), str(folder / "thin.safetensors")


def bench_of(material, folder, trained):
    """A bench that trains in this process and notes in `trained` what it was asked to train."""
    data, source = material

    def launch(tasks, holdout):
        for framework in tasks:
            trained.extend((framework, *task, holdout) for task in tasks[framework])
            exercises.train_runs(framework, tasks, data, source, None, holdout, "cpu", 0, folder, lambda line: None)

    def inspect(name, frameworks):
        for framework in frameworks:
            trained.append((framework, name))
            exercises.measure_features(framework, name, data, source, None, 32, "cpu", 0, folder)

    fingerprints = {h: datasets.load_dataset(data, holdout=h).fingerprint for h in (0.0, exercises.HOLDOUT)}
    fingerprints["source"] = sources.load_source(source).fingerprint
    overrides = {"size": 32, "batch_size": 8}
    folder.mkdir(exist_ok=True)
    return exercises.Bench(
        folder, "chapter", [0, 1], overrides=overrides, epochs=1,
        launch=launch, inspect=inspect, fingerprints=fingerprints,
    )  # fmt: skip


@pytest.mark.parametrize("number", exercises.EXERCISES)
def test_an_exercise_trains_once_and_says_the_same_from_its_records(number, material, tmp_path):
    trained = []
    bench = replace(bench_of(material, tmp_path / "exercise", trained), seeds=SEEDS[number])
    report = exercises.EXERCISES[number](bench)
    trainings = [task for task in trained if len(task) > 2]
    experiments = {e for _, e, *_ in trainings}
    # exercise 2 also trains what it starts from, and what it chose may differ in the number of epochs
    assert EXPERIMENTS[number] <= len(experiments) <= EXPERIMENTS[number] + 4 * (number == 2)
    assert {f for f, *_ in trained} == set(runs.FRAMEWORKS)
    assert len(trainings) == len(set(trainings))
    assert report.tables and all(len(row) == len(header) for _, header, rows in report.tables for row in rows)
    assert all("Gluon" in " ".join([*header]) for _, header, _ in report.tables[-1:])
    assert "Gluon" in " ".join(report.answer) and "PyTorch" in " ".join(report.answer)
    assert report.save_picture(tmp_path / "picture.png").stat().st_size < 200_000

    exercises.write(bench, report, {"command": "a test"})
    assert report.markdown() in (bench.folder / "answer.md").read_text(encoding="utf-8")
    trained.clear()
    assert exercises.EXERCISES[number](bench).markdown() == report.markdown()
    assert trained == []
    assert exercises.EXERCISES[number](exercises.recorded(bench.folder)).markdown() == report.markdown()


def test_an_interrupted_exercise_goes_on_where_it_was(material, tmp_path):
    trained = []
    bench = bench_of(material, tmp_path / "exercise", trained)
    everything = bench.launch

    def only_gluon(tasks, holdout):
        everything({"gluon": tasks["gluon"][:2]}, holdout)

    bench.launch = only_gluon
    with pytest.raises(UserError, match="10 of 12 runs are missing.*goes on from here"):
        bench.train([experiment("frozen", size=32, num_epochs=0, learning_rate=rate) for rate in (0.1, 0.2, 0.3)])
    bench.launch = everything
    trained.clear()
    found = bench.train([experiment("frozen", size=32, num_epochs=0, learning_rate=rate) for rate in (0.1, 0.2, 0.3)])
    assert len(trained) == 10
    assert [per["torch"][1].experiment["learning_rate"] for per in found] == [0.1, 0.2, 0.3]
    assert [per["torch"][1].seed for per in found] == [1, 1, 1]


def test_runs_on_other_images_and_held_out_ones_are_not_reused(material, tmp_path):
    trained = []
    bench = bench_of(material, tmp_path / "exercise", trained)
    wanted = [experiment("frozen", size=32, num_epochs=0)]
    bench.train(wanted, seeds=[0])
    bench.train(wanted, seeds=[0], holdout=exercises.HOLDOUT)
    assert len(trained) == 4
    bench.fingerprints[0.0] = "other images"
    bench.launch = None
    with pytest.raises(UserError, match="2 of 2 runs are missing"):
        bench.train(wanted, seeds=[0])


def test_features_at_another_size_or_of_a_broken_record_are_measured_anew(material, tmp_path):
    trained = []
    bench = bench_of(material, tmp_path / "exercise", trained)
    bench.frameworks = ["torch"]
    first = bench.measure("edge")
    assert bench.measure("edge") == first and len(trained) == 1
    bench.overrides["size"] = 40
    bench.inspect = None
    with pytest.raises(UserError, match="no edge-torch.json"):
        bench.measure("edge")
    bench.overrides["size"] = 32
    (bench.folder / "edge-torch.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="no edge-torch.json"):
        bench.measure("edge")


def test_a_folder_without_an_exercise_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no exercise"):
        exercises.recorded(tmp_path)


def test_the_hot_dog_rows_accuracy_is_that_of_the_network_with_the_row(material, tmp_path):
    trained = []
    bench = bench_of(material, tmp_path / "exercise", trained)
    scores = bench.measure("rows")
    fills = ("mean", "nearest", "zero")
    wanted = [experiment("hotdog-row", size=32, num_epochs=0, batch_size=8, other_row=fill) for fill in fills]
    for fill, per in zip(fills, bench.train(wanted, seeds=[0]), strict=True):
        for framework in runs.FRAMEWORKS:
            assert scores[framework]["fills"][fill]["accuracy"] == pytest.approx(per[framework][0].test_accuracy)
    assert scores["gluon"]["rows"][0]["accuracy"] == scores["gluon"]["fills"]["mean"]["accuracy"]
    assert scores["gluon"]["rows"][0]["auc"] == pytest.approx(scores["torch"]["rows"][0]["auc"])


def test_auc_is_the_share_of_pairs_in_the_right_order():
    scores, is_hotdog = np.array([3.0, 1.0, 2.0, -1.0, 2.0]), np.array([True, True, False, False, False])
    found = exercises._detector(scores, is_hotdog)
    assert found["auc"] == pytest.approx((3 + 1) / 6)
    assert found["accuracy"] == pytest.approx(3 / 5)


def test_gradient_descent_on_the_output_layer_grows_beyond_the_edge_and_shrinks_below_it(material):
    rng = np.random.default_rng(0)
    features = rng.normal(1, 1, (400, 8)).astype("float32")
    labels = rng.integers(0, 2, 400)  # nothing to learn: the optimum is near probability one half
    dataset = datasets.load_dataset(material[0])
    edge = exercises.edge_of_stability(lambda split: (features, labels), dataset, None)["edge"]
    extended = np.column_stack([features, np.ones(400)])
    target = np.eye(2)[labels]
    start = rng.normal(0, 0.01, (2, 9))

    def size_after(rate, steps=60):
        weight = start.copy()
        for _ in range(steps):
            logits = extended @ weight.T
            p = np.exp(logits - logits.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            weight -= rate * (p - target).T @ extended / 400
        return np.abs(extended @ (weight[0] - weight[1])).mean()

    assert size_after(0.9 * edge) < 0.3
    assert size_after(1.2 * edge) > 1


def test_intervals_are_students():
    # t(0.975, 2) = 4.303
    assert exercises.half_interval([1.0, 2.0, 3.0]) == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    assert exercises.half_interval([1.0]) is None
    assert exercises.spread([0.5]) == "0.500"


def test_the_command_answers_in_one_framework_and_refuses_what_cannot_be(material, tmp_path):
    data, source = material

    def hotdog(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "shared.cli", "exercise", *arguments, "--data", data, "--source", source],
            capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    done = hotdog("4", "--framework", "torch", "--seeds", "1", "--size", "32", "--batch-size", "8")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "exercise-4-pictures"
    answer = (folder / "answer.md").read_text(encoding="utf-8")
    for sentence in [line for line in answer.splitlines() if line.startswith("- ")]:
        assert sentence in done.stdout
    assert "Gluon" not in answer and (folder / "picture.png").is_file()
    assert {file.name for file in folder.glob("*/*")} == {"run.json"}
    assert "one seed" in answer
    refused = hotdog("5")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr
