"""The exercises: what they train, what they reuse, what they measure. What they answer: test_exercises_answers.py."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import THIN, hotdog, random_tensors, write_images
from safetensors.numpy import save_file

from shared.errors import UserError
from shared.exercises import strategy
from shared.exercises.bench import Bench, recorded, train_runs
from shared.exercises.index import EXERCISES
from shared.exercises.measurements import check_rows, detector, measure_features, row_scores, stability_limit
from shared.exercises.report import report_on, write
from shared.exercises.tuning import HOLDOUT
from shared.experiments import PRESETS, experiment
from shared.images.folders import load_dataset
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.job import Job
from shared.runs.record import read_runs

EXPERIMENTS = {1: 14, 2: 6, 3: 3, 4: 6, 5: 6 * len(strategy.STRATEGIES), 6: 1}  # different ones in an exercise
SEEDS = {1: [0], 2: [0], 3: [0, 1], 4: [0, 1], 5: [0], 6: [0, 1]}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Tiny images and a thin source network of forty rows, hotdog and photocopier among them."""
    folder = tmp_path_factory.mktemp("exercises")
    counts = {(s, c): n for s, n in (("train", 10), ("test", 6)) for c in ("hotdog", "not-hotdog")}
    write_images(folder / "pictures", counts)
    labels = ["hotdog", "photocopier", *(f"thing {i}" for i in range(38))]
    tensors = random_tensors(Architecture(2, channels=THIN, classes=len(labels)))
    save_file(tensors, folder / "thin.safetensors", {"classes": json.dumps(labels)})
    return str(folder / "pictures"), str(folder / "thin.safetensors")


def bench_of(material, folder, trained):
    """A bench that trains in this process and notes in `trained` what it was asked to train."""
    data, source = material
    settings = {"device": "cpu", "out": folder, "numbers_only": True, "keep_going": True}

    def launch(tasks, holdout, measured):
        for framework in tasks:
            trained.extend((framework, *task, holdout) for task in tasks[framework])
            jobs = [Job(e, framework, seed, data, source, holdout=holdout, **settings) for e, seed in tasks[framework]]
            train_runs(jobs, lambda line: None, measured)

    def inspect(name, frameworks):
        for framework in frameworks:
            trained.append((framework, name))
            arm = experiment("finetune", size=32, batch_size=8)
            measure_features(name, Job(arm, framework, 0, data, source, **settings))

    fingerprints = {"data": load_dataset(data).fingerprint, "source": load_source(source).fingerprint}
    fingerprints["held out"] = load_dataset(data, holdout=HOLDOUT).fingerprint
    overrides = {"size": 32, "batch_size": 8}
    folder.mkdir(exist_ok=True)
    return Bench(
        folder, "resnet18_v1", [0, 1], overrides=overrides, epochs=1, images=20,
        launch=launch, inspect=inspect, fingerprints=fingerprints,
    )  # fmt: skip


# Exercise 5 trains more than all others together, 1 and 2 more than the rest; what they say of their numbers is tried in
# test_exercises_answers.py.
@pytest.mark.parametrize("number", [pytest.param(n, marks=[pytest.mark.slow] * (n in (1, 2, 5))) for n in EXERCISES])
def test_an_exercise_trains_once_and_says_the_same_from_its_records(number, material, tmp_path, monkeypatch):
    monkeypatch.setattr(strategy, "SIZES", (8, 1000))
    trained = []
    bench = replace(bench_of(material, tmp_path / "exercise", trained), seeds=SEEDS[number])
    report = report_on(EXERCISES[number], bench)
    trainings = [task for task in trained if len(task) > 2]
    experiments = {e for _, e, *_ in trainings}
    # exercise 2 also trains what it starts from, and what it chose may differ in the number of epochs
    assert EXPERIMENTS[number] <= len(experiments) <= EXPERIMENTS[number] + 4 * (number == 2)
    assert {f for f, *_ in trained} == set(FRAMEWORKS)
    assert len(trainings) == len(set(trainings))
    # Arms that start from the source and reuse no row begin with the same network, in both frameworks.
    starts = {}
    for run in read_runs(bench.folder):
        if run.experiment["start"] == "source" and run.experiment["row"] is None and number not in (2, 5):
            starts.setdefault(run.seed, set()).add(run.epochs[0]["test_accuracy"])
    assert all(len(accuracies) == 1 for accuracies in starts.values())
    assert report.tables and all(len(row) == len(header) for _, header, rows in report.tables for row in rows)
    assert all("Gluon" in " ".join([*header]) for _, header, _ in report.tables[-1:])
    assert "Gluon" in " ".join(report.answer) and "PyTorch" in " ".join(report.answer)
    assert report.save_picture(tmp_path / "picture.png").stat().st_size < 200_000

    write(bench, report, {"command": "a test"})
    assert report.markdown() in (bench.folder / "answer.md").read_text(encoding="utf-8")
    trained.clear()
    again = report_on(EXERCISES[number], bench)
    assert trained == [] and again.markdown() == report.markdown() and again.numbers == report.numbers
    monkeypatch.setitem(
        PRESETS, bench.preset, {"finetune": {"learning_rate": 0.5}, "scratch": {"batch_size": 7}}
    )  # moves on
    assert report_on(EXERCISES[number], recorded(bench.folder)).numbers == report.numbers


def test_an_interrupted_exercise_goes_on_where_it_was(material, tmp_path):
    trained = []
    bench = bench_of(material, tmp_path / "exercise", trained)
    everything = bench.launch

    def only_gluon(tasks, holdout, measured):
        everything({"gluon": tasks["gluon"][:2]}, holdout, measured)

    bench.launch = only_gluon
    with pytest.raises(UserError, match="10 of 12 runs are missing.*goes on from here"):
        bench.train([experiment("frozen", size=32, num_epochs=0, learning_rate=rate) for rate in (0.1, 0.2, 0.3)])
    bench.launch = everything
    trained.clear()
    arms = [experiment("frozen", size=32, num_epochs=0, learning_rate=rate) for rate in (0.1, 0.2, 0.3)]
    runs = bench.train(arms)
    assert len(trained) == 10 and list(runs) == arms
    for arm in arms:
        for framework in FRAMEWORKS:
            assert [run.seed for run in runs[arm][framework]] == [0, 1]
            assert {run.experiment["learning_rate"] for run in runs[arm][framework]} == {arm.learning_rate}


def test_runs_on_other_images_and_held_out_ones_are_not_reused(material, tmp_path):
    trained = []
    bench = bench_of(material, tmp_path / "exercise", trained)
    wanted = [experiment("frozen", size=32, num_epochs=0)]
    bench.train(wanted, seeds=[0])
    bench.train(wanted, seeds=[0], holdout=HOLDOUT)
    assert len(trained) == 4
    bench.fingerprints["data"] = "other images"
    bench.launch = None
    with pytest.raises(UserError, match="2 of 2 runs are missing"):
        bench.train(wanted, seeds=[0])


def test_features_at_another_size_or_of_a_broken_record_are_measured_anew(material, tmp_path):
    trained = []
    bench = bench_of(material, tmp_path / "exercise", trained)
    bench.frameworks = ["torch"]
    first = bench.measurement("limit")
    assert bench.measurement("limit") == first and len(trained) == 1
    bench.overrides["size"] = 40
    bench.inspect = None
    with pytest.raises(UserError, match="no limit-torch.json"):
        bench.measurement("limit")
    bench.overrides["size"] = 32
    (bench.folder / "limit-torch.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="no limit-torch.json"):
        bench.measurement("limit")


def test_a_folder_without_an_exercise_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no exercise"):
        recorded(tmp_path)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_rows_detector_decides_as_the_network_with_that_row_does(framework, material):
    dataset, source = load_dataset(material[0]), load_source(material[1])
    data, nets, training = (implementation(framework, part) for part in ("data", "nets", "training"))
    device, _ = training.choose_device("cpu")
    batches = data.test_iter(dataset.test, 32, 5)
    features, _ = training.predict_features(nets.pretrained_net(source), batches, device)
    # rows that look at what tells the images apart, so that decisions differ between images, and between rivals
    mean, rng = features.mean(axis=0), np.random.default_rng(4)
    weight = rng.normal(0, 1 / features.std(axis=0).max(), source.tensors["output.weight"].shape)
    weight -= np.outer(weight @ mean, mean) / (mean @ mean)
    bias = rng.normal(0, 0.3, len(weight))
    tensors = source.tensors | {"output.weight": weight.astype("float32"), "output.bias": bias.astype("float32")}
    source = replace(source, tensors=tensors)
    net = nets.pretrained_net(source)
    scores = row_scores(lambda split: training.predict_features(net, batches, device), dataset, source)
    found = set()
    for other_row in ("mean", "nearest", "zero"):
        net = nets.finetune_net(source, 2)
        nets.reuse_row(net, source, source.row("hotdog"), 0, other_row)
        p, labels = training.predict_probabilities(net, batches, device)
        logit = np.log(p[:, 0].astype(float)) - np.log(p[:, 1].astype(float))
        assert scores["fills"][other_row] == pytest.approx(detector(logit, labels == 0))
        found.add(tuple(scores["fills"][other_row].values()))
        if other_row == "mean":
            assert scores["rows"][0] == {"label": "hotdog", **scores["fills"]["mean"]}
            said = scores["scores"]["hotdog"]
            np.testing.assert_allclose(np.sort(logit), np.sort(said["hotdog"] + said["other"]), atol=5e-3)
    assert len(found) == 3  # or the three could be mixed up


def test_auc_is_the_share_of_pairs_in_the_right_order():
    scores, is_hotdog = np.array([3.0, 1.0, 2.0, -1.0, 2.0]), np.array([True, True, False, False, False])
    found = detector(scores, is_hotdog)
    assert found["auc"] == pytest.approx((3 + 1) / 6)
    assert found["accuracy"] == pytest.approx(3 / 5)


def test_gradient_descent_on_the_output_layer_grows_beyond_the_limit_and_shrinks_below_it(material):
    rng = np.random.default_rng(0)
    features = rng.normal(1, 1, (400, 8)).astype("float32")
    labels = rng.integers(0, 2, 400)  # nothing to learn: the optimum is near probability one half
    dataset = load_dataset(material[0])
    limit = stability_limit(lambda split, training: (features, labels), dataset, None)["limit"]
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

    assert size_after(0.9 * limit) < 0.3
    assert size_after(1.2 * limit) > 1


def test_the_command_answers_in_one_framework_and_refuses_what_cannot_be(material, tmp_path):
    data, source = material

    def exercise(*arguments):
        return hotdog("exercise", *arguments, "--data", data, "--source", source, cwd=tmp_path)

    done = exercise("4", "--framework", "torch", "--seeds", "1", "--size", "32", "--batch-size", "8")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "exercise-4-pictures"
    answer = (folder / "answer.md").read_text(encoding="utf-8")
    for sentence in [line for line in answer.splitlines() if line.startswith("- ")]:
        assert sentence in done.stdout
    assert "Gluon" not in answer and (folder / "picture.png").is_file()
    assert {file.name for file in folder.glob("*/*")} == {"run.json"}
    assert "one seed" in answer
    for wrong in (["7"], [], ["1", "--epochs", "0"], ["1", "--size", "8"]):
        refused = exercise(*wrong)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr


def test_exercise_4_needs_both_rows_a_third_and_two_classes(material):
    data, source = (load(name) for load, name in zip((load_dataset, load_source), material, strict=True))
    check_rows(source, data)
    for wrong in (replace(source, classes=None), replace(source, classes=("hotdog", *source.classes[2:], "mug"))):
        with pytest.raises(UserError, match="exercise 4 needs output rows labelled hotdog and photocopier"):
            check_rows(wrong, data)
    with pytest.raises(UserError, match="has 3 classes"):
        check_rows(source, replace(data, classes=("hotdog", "mug", "taco")))
