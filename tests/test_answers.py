"""What is said at the end about predictions: the numbers are scikit-learn's on a case done by hand, the picture shows the worst."""

import csv

import numpy as np
import pytest
from helpers import write_images
from PIL import Image

from shared.images.folders import load_test_images
from shared.runs import answers
from shared.runs.answers import measures, most_confident_errors, report_on


def of(classes, labels, sure, called=None):
    """Probabilities in which image i is called `called[i]` (or rightly) with the probability `sure[i]`."""
    called = labels if called is None else called
    rest = (1 - np.asarray(sure, dtype=float)) / (classes - 1)
    probabilities = np.repeat(rest[:, None], classes, axis=1)
    probabilities[np.arange(len(labels)), called] = sure
    return np.asarray(labels), np.asarray(called), probabilities


def test_the_numbers_of_a_case_done_by_hand():
    # 4 hot dogs, 3 of them found; 6 others, 2 of them taken for hot dogs
    labels, called, p = of(
        2, [0] * 4 + [1] * 6, [0.9, 0.8, 0.7, 0.6, 0.9, 0.8, 0.7, 0.6, 0.75, 0.85], [0, 0, 0, 1, 0, 0, 1, 1, 1, 1]
    )
    matrix, scores, auc = measures(labels, called, p)
    assert matrix.tolist() == [[3, 1], [2, 4]]
    np.testing.assert_allclose(scores[0], [3 / 5, 3 / 4, 2 / 3, 4])
    np.testing.assert_allclose(scores[1], [4 / 5, 4 / 6, 8 / 11, 6])
    hotdogs, others = p[:4, 0], p[4:, 0]
    pairs = [(a > b) + (a == b) / 2 for a in hotdogs for b in others]
    assert auc == pytest.approx(np.mean(pairs))


def test_what_cannot_be_divided_is_left_open():
    labels, called, p = of(3, [0, 0, 1], [0.9] * 3, [0, 0, 0])  # class 1 is never called, class 2 does not occur
    _, scores, auc = measures(labels, called, p)
    assert np.isnan(scores[1, 0]) and scores[1, 1] == 0 and np.isnan(scores[2, :2]).all() and auc is None
    labels, called, p = of(2, [0, 0], [0.9] * 2)
    assert measures(labels, called, p)[2] is None  # one class only: no curve


def test_the_surest_errors_come_first_and_the_least_sure_where_there_are_none():
    assert most_confident_errors(*of(2, [0, 0, 1, 1], [0.6, 0.7, 0.8, 0.9], [1, 1, 0, 1])).tolist() == [2, 1, 0]
    assert most_confident_errors(*of(2, [0, 0, 1], [0.9, 0.6, 0.7])).tolist() == [1, 2, 0]


@pytest.fixture
def pictures(tmp_path):
    """A function that gives classes and a split of `count` images each in folders of the given names."""

    def make(names, count=3):
        write_images(tmp_path / "set", {("", name): count for name in names})
        _, classes, split = load_test_images(str(tmp_path / "set"))
        return classes, split

    return make


@pytest.mark.parametrize("wrong", (0, 1, 5))
def test_a_report_is_printed_and_kept(wrong, pictures, tmp_path):
    classes, split = pictures(("hotdog", "not-hotdog"))
    labels = np.array(split.labels)
    called = np.where(np.arange(6) < wrong, 1 - labels, labels)
    _, _, p = of(2, labels, [0.9] * 6, called)
    report = report_on(classes, split, labels, p, tmp_path / "report")
    assert [file.name for file in report.files] == ["report.csv", "report.png"]
    assert f"{wrong} of 6 images are wrong." in report.lines and any("AUC" in line for line in report.lines)
    assert Image.open(tmp_path / "report.png").width > 600
    lines = list(csv.DictReader(open(tmp_path / "report.csv")))
    assert sum(int(line[f"called {line['class']}"]) for line in lines) == 6 - wrong
    (_, _, scores), (_, header, matrix) = report.tables
    assert header[1:] == list(classes) and sum(int(n) for row in matrix for n in row[1:]) == 6
    assert scores[-1][0] == "mean"


def test_many_classes_are_summed_up_and_kept_whole(pictures, tmp_path):
    names = [f"class_{i:02d}" for i in range(answers.FEW + 5)]
    classes, split = pictures(names, 2)
    labels = np.array(split.labels)
    called = np.where(labels < 4, 4, labels)
    report = report_on(classes, split, labels, of(len(names), labels, [0.9] * len(labels), called)[2], tmp_path / "r")
    (_, _, scores), (caption, header, confusions) = report.tables
    assert [row[0] for row in scores[:4]] == names[:4] and len(scores) == answers.FEW + 1
    assert header == ["is", "called", "images"] and sorted(confusions) == [
        [name, "class_04", "2"] for name in names[:4]
    ]
    assert len(list(csv.reader(open(tmp_path / "r.csv")))) == len(names) + 1


def test_strange_names_and_missing_images_do_not_stop_a_report(pictures, tmp_path, recwarn):
    classes, split = pictures(("a$b$_{", "日本\u202e", "x\x1b[31m"))
    labels = np.array(split.labels)
    (split.folder / split.names[0]).unlink()
    (split.folder / split.names[4]).write_bytes(b"no image")
    report = report_on(classes, split, labels, of(3, labels, [0.9] * 9, (labels + 1) % 3)[2], tmp_path / "report")
    assert len(report.files) == 2 and not recwarn


def test_a_diverged_network_and_a_folder_that_cannot_be_written_are_said(pictures, tmp_path):
    classes, split = pictures(("a", "b"))
    report = report_on(classes, split, np.array(split.labels), np.full((6, 2), np.nan), tmp_path / "report")
    assert (report.tables, report.files) == ([], []) and "diverged" in report.lines[0]
    (tmp_path / "file").touch()
    p = of(2, split.labels, [0.9] * 6)[2]
    report = report_on(classes, split, np.array(split.labels), p, tmp_path / "file" / "report")
    assert report.files == [] and sum("could not be written" in line for line in report.lines) == 2
