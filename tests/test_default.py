"""`hotdog` without a command: all experiments on the drawn images, what it prints, what it leaves."""

import re

import pytest
from helpers import hotdog, run_of
from PIL import Image
from safetensors import safe_open

from shared.networks.reading import load_source
from shared.networks.source import MINI_FILE
from shared.runs import tables
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import read_runs
from shared.runs.tables import epochs_table, results_table, sentences


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """The default run without training (epoch 0 is what it is about here), offline, from an empty cache."""
    folder = tmp_path_factory.mktemp("default")
    return folder, in_folder(folder, "--epochs", "0")


def in_folder(folder, *arguments):
    return hotdog(*arguments, cwd=folder, env={"HOTDOG_CACHE": folder / "cache"})


def test_all_experiments_run_in_both_frameworks_and_the_files_are_named_last(default):
    folder, done = default
    assert done.returncode == 0, done.stderr
    found = read_runs(folder / "runs" / "default-1")
    assert {(r.framework, tables.title(r)) for r in found} == {
        (framework, title)
        for framework in FRAMEWORKS
        for title in (
            "finetune",
            "scratch",
            "frozen",
            "frozen-locked",
            "hotdog-row 16 (hotdog)",
            "hotdog-row 22 (photocopier)",
        )
    }
    assert all((r.status, len(r.epochs)) == ("finished", 1) for r in found)
    assert done.stdout.splitlines()[-1] == "Records and weights: runs/default-1/"
    assert Image.open(folder / "runs" / "default-1" / "curves.png").width > 800
    for sentence in sentences(found):
        assert sentence in " ".join(done.stdout.split())


def test_the_hotdog_row_is_above_chance_before_training_and_the_photocopiers_is_not(default):
    folder, _ = default
    for run in read_runs(folder / "runs"):
        if run.source["row_label"] == "hotdog":
            assert run.test_accuracy > 0.6  # 400 images: chance is 0.5 with a standard deviation of 0.025
        if run.source["row_label"] == "photocopier":
            assert run.test_accuracy < 0.55


def test_the_drawings_are_written_once(default):
    folder, _ = default
    (drawn,) = [path for path in (folder / "cache").iterdir() if path.is_dir()]
    before = drawn.stat().st_mtime_ns
    done = in_folder(folder, "data", "show", "mini", "--out", "sheet.png")
    assert done.returncode == 0, done.stderr
    assert "hotdog 500 + 200, not-hotdog 500 + 200" in done.stdout
    assert Image.open(folder / "sheet.png").width > 600
    assert drawn.stat().st_mtime_ns == before


def test_the_source_network_comes_with_labels_and_its_accuracy():
    source = load_source("mini")
    assert source.label(source.row()) == "hotdog"
    assert "photocopier" in source.classes and len(source.classes) >= 24
    with safe_open(str(MINI_FILE), framework="numpy") as file:
        assert float(file.metadata()["top1"]) >= 0.85


def test_tables_and_sentences_say_what_the_records_say():
    found = [
        run_of("finetune", "gluon", (0.5, 0.75)),
        run_of("finetune", "gluon", (0.25, 1.0), seed=1),
        run_of("finetune", "torch", (0.5, 0.5)),
        run_of("scratch", "gluon", (0.5, 0.625)),
        run_of("hotdog-row", "torch", (0.7, 0.8), row=934),
    ]
    _, rows = results_table(found)
    assert [row[0] for row in rows] == ["finetune", "scratch", "hotdog-row 934 (hotdog)"]
    assert rows[0][4:] == ["0.375 → 0.875", "0.500 → 0.500", "-0.250", "4.5 / 4.5", "2 / 1"]
    assert rows[1][4:7] == ["0.500 → 0.625", "–", "–"]
    _, (row,) = results_table([run_of("finetune", "torch", (0.5, 0.5), loss=None)])
    assert row[5] == "0.500 → 0.500, diverged"
    _, rows = epochs_table(found)
    assert rows[0][:5] == ["finetune", "Gluon", "0.375", "0.875", ""]
    assert rows[1][:5] == ["", "PyTorch", "0.500", "0.500", "-0.250"]
    assert [numbers(sentence) for sentence in sentences(found)] == [
        [0.875, 0.5, 1, 0.375, 0.5],  # Gluon, PyTorch, epochs, both before training
        [0.625, 1, 25.0],  # Gluon, epochs, points that fine-tuning is ahead
        [934, 0.8, 1, 0.7],  # row, PyTorch, epochs, PyTorch before training
    ]
    assert ["Gluon" in sentence for sentence in sentences(found)] == [True, True, False]


def numbers(sentence):
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", sentence)]
