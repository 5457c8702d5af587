"""`hotdog predict` and `evaluate`: which files are meant, what is printed and written, what is left out."""

import csv
import os
import shutil

import numpy as np
import pytest
from helpers import write_images

from shared.command import console
from shared.command.__main__ import app
from shared.errors import guarded
from shared.experiments import experiment
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.runs.answers import write_report
from shared.runs.execute import execute
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.job import Job
from shared.runs.predictions import image_files
from shared.runs.record import read_probabilities, read_runs

MANY = [f"class_{i:03d}" for i in range(101)]


@pytest.fixture
def called(capsys, monkeypatch):
    """A function that runs the command in this process: exit code, standard output, standard error."""

    def call(*arguments, columns=160):
        monkeypatch.setenv("COLUMNS", str(columns))
        console._console.cache_clear()
        capsys.readouterr()
        code = guarded(lambda: app(args=list(map(str, arguments)), standalone_mode=False))
        return code, *capsys.readouterr()

    yield call
    console._console.cache_clear()


def make_runs(images, source, out, frameworks=FRAMEWORKS):
    """Untrained runs of `frozen` on `images`, a moment each."""
    one = experiment("frozen", size=32, batch_size=5, num_epochs=0)
    for framework in frameworks:
        job = Job(one, framework, 0, str(images), str(source), device="cpu", out=out)
        execute(job, load_dataset(str(images)), load_source(str(source)))
    return {run.framework: run for run in read_runs(out)}


@pytest.fixture
def runs(images, thin_file, tmp_path):
    return make_runs(images, thin_file, tmp_path / "runs")


def test_predict_shows_both_frameworks_where_the_twin_lies_beside(runs, images, called):
    code, out, err = called("predict", images / "test" / "hotdog" / "000.png", "--run", runs["gluon"].folder)
    assert (code, err) == (0, "")
    for framework, run in runs.items():
        names, _, probabilities = read_probabilities(run)
        (line,) = [line for line in out.splitlines() if f"frozen {framework} seed 0" in line]
        shown = [float(cell) for cell in line.split("│")[4:6]]
        np.testing.assert_allclose(shown, probabilities[names.index("hotdog/000.png")], atol=1e-4)


def test_predict_takes_files_folders_and_patterns_once_each(images, tmp_path, monkeypatch):
    test = images / "test"
    (test / "hotdog" / "Thumbs.db").write_bytes(b"x")
    (test / "hotdog" / "broken.jpg").write_bytes(b"x")
    (test / ".hidden").mkdir()
    shutil.copy(test / "hotdog" / "000.png", test / ".hidden" / "000.png")
    shutil.copy(test / "hotdog" / "000.png", test / "a[0].png")  # a file, though it looks like a pattern
    files, left_out = image_files([str(test / "a[0].png"), str(test / "hotdog"), str(test / "*" / "00[01].png")])
    assert [file.relative_to(test).as_posix() for file in files] == [
        "a[0].png", "hotdog/000.png", "hotdog/001.png", "hotdog/002.png", "hotdog/003.png",
        "not-hotdog/000.png", "not-hotdog/001.png",
    ]  # fmt: skip
    assert len(left_out) == 2 and "1 files" in left_out[0] and "broken.jpg" in left_out[1]
    assert len(image_files([str(test)])[0]) == 9 and len(image_files([str(images / "**" / "*.png")])[0]) == 21
    monkeypatch.setenv("HOME", str(test))
    assert len(image_files(["~/hotdog"])[0]) == 4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.png", "no such file: nowhere.png"),
        ("no*.png", "nothing matches no*.png"),
        ("empty", "empty holds no images"),
        ("texts/*", "holds no images"),
        ("texts/a.txt", "a.txt is no"),
        ("bad", "no image can be read"),
        ("bad/b.png", "b.png"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(name, words, tmp_path, runs, called, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "texts", "bad"):
        os.mkdir(folder)
    (tmp_path / "texts" / "a.txt").touch()
    (tmp_path / "bad" / "b.png").write_bytes(b"no image")
    code, _, err = called("predict", name, "--run", runs["torch"].folder)
    assert code == 2 and words in err and len(err.splitlines()) == 1


def test_predict_does_without_a_damaged_twin_and_names_long_files_in_full(runs, images, tmp_path, called):
    (runs["torch"].folder / "weights.safetensors").write_bytes(b"no weights")
    (tmp_path / "runs" / "half").mkdir()
    (tmp_path / "runs" / "half" / "run.json").write_text("{")
    image = tmp_path / f"{'a-long-name-' * 6}.png"
    shutil.copy(images / "test" / "hotdog" / "000.png", image)
    code, out, err = called("predict", image, "--run", runs["gluon"].folder)
    assert code == 0 and image.name in out
    assert "left out" in err and "half" in err and "frozen torch" not in out


@pytest.mark.parametrize("columns", (60, 100, 160))
def test_predict_shows_the_most_probable_of_many_classes(columns, thin_file, tmp_path, called):
    images = write_images(tmp_path / "many", {(s, c): 1 for s in ("train", "test") for c in MANY})
    run = make_runs(images, thin_file, tmp_path / "runs", ["torch"])["torch"]
    arguments = ("predict", images / "test" / "class_007", "--run", run.folder, "--csv", tmp_path / "all.csv")
    code, out, _ = called(*arguments, "--top", "3", columns=columns)
    assert code == 0
    names, _, probabilities = read_probabilities(run)
    p = probabilities[names.index("class_007/000.png")]
    order = np.argsort(-p, kind="stable")
    assert MANY[order[0]] in out and f"{p[order[0]]:.4f}"[:5] in out
    assert sum(name in out.replace("class_007/", "") for name in MANY) == 3
    (line,) = csv.DictReader(open(tmp_path / "all.csv"))
    np.testing.assert_allclose([float(line[name]) for name in MANY], p, atol=2e-6)
    assert line["class"] == MANY[order[0]] and line["framework"] == "torch"
    if columns == 60:
        assert f"most probable  {MANY[order[0]]} " in out


def test_evaluate_gives_accuracy_by_class_and_keeps_the_wrong_images(runs, tmp_path, called):
    other = write_images(tmp_path / "other", {("", "hotdog"): 3, ("", "not-hotdog"): 2}, seed=9)
    run = runs["torch"]
    code, out, err = called("evaluate", "--run", run.folder, "--data", other)
    assert (code, err) == (0, "")
    lines = (run.folder / "probabilities-other.csv").read_text().splitlines()
    assert len(lines) == 6
    right = sum((float(row[2]) > float(row[3])) == (row[1] == "hotdog") for row in (x.split(",") for x in lines[1:]))
    assert f"accuracy {right / 5:.4f} on 5 images" in out and f"{5 - right} of 5 images are wrong" in out
    assert "AUC" in out and "Confusion matrix" in out and "precision" in out
    assert (run.folder / "report-other.png").is_file()
    assert called("evaluate", "--run", run.folder, "--data", other)[0] == 0
    assert (run.folder / "probabilities-other-2.csv").is_file() and (run.folder / "report-other-2.png").is_file()
    (other / "hotdog").rename(other / "burger")
    code, _, err = called("evaluate", "--run", run.folder, "--data", other)
    assert code == 2 and "burger" in err


def test_a_report_can_be_written_for_any_finished_run(runs, images):
    report = write_report(runs["gluon"], load_dataset(str(images)).test)
    assert [file.name for file in report.files] == ["report.csv", "report.png"]
    wrong = round((1 - runs["gluon"].test_accuracy) * 8)
    assert f"{wrong} of 8 images are wrong." in report.lines
