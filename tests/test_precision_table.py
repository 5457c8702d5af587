"""The table of bf16 against float32, from a made record whose numbers are known."""

import json

import pytest

from shared.book import precision

VERSIONS = dict.fromkeys(("mxnet", "torch", "torchvision", "numpy"), "1")


def row(experiment, which, seed, last, speed):
    return {
        "experiment": experiment,
        "precision": which,
        "seed": seed,
        "accuracies": [0.5, 0.1, last, last, last],
        "images_per_second": speed,
    }


def pairs(experiment, gaps):
    return [
        row(experiment, which, seed, 0.8 + (gap if which == "bf16" else 0), 20.0 if which == "bf16" else 10.0 + seed)
        for seed, gap in enumerate(gaps)
        for which in ("bf16", "fp32")
    ]


ROWS = [
    *pairs("finetune", [0.001, -0.001, 0.002]),
    *pairs("frozen", [0.05, -0.05, 0.0]),
    row("late", "fp32", 0, 0.9, 1.0),
]


def test_runs_are_paired_by_seed_and_whole_pairs_only_count():
    found = precision.paired(ROWS)
    assert {name: [(a["seed"], b["seed"]) for a, b in group] for name, group in found.items()} == {
        "finetune": [(0, 0), (1, 1), (2, 2)],
        "frozen": [(0, 0), (1, 1), (2, 2)],
    }
    assert all(a["precision"] == "fp32" and b["precision"] == "bf16" for group in found.values() for a, b in group)
    assert precision.endpoint(ROWS[0]) == pytest.approx(0.801)


def test_verdicts_and_holms_correction():
    said = precision.verdicts(precision.paired(ROWS), finest=0.001)
    assert said["finetune"][0] == "equivalent" and said["frozen"][0] == "undecided"
    alone = precision.verdicts({"finetune": precision.paired(ROWS)["finetune"]}, finest=0.001)
    assert said["finetune"][1] == pytest.approx(2 * alone["finetune"][1])


def test_the_table(tmp_path):
    about = {"data": {"name": "mini", "train": 1000, "test": 400}, "size": 64, "source": "mini", "cpu": "X", "cores": 2}
    record = {"about": about | {"versions": VERSIONS}, "rows": ROWS}
    (tmp_path / "precision-made.json").write_text(json.dumps(record))
    table, note = precision.precision_table("made", tmp_path).rsplit("\n\n", 1)
    finetune = next(line for line in table.splitlines() if line.startswith("| finetune"))
    assert "| 3 | 0.800 | 0.801 | +0.001" in finetune and finetune.endswith("| 1.82 |")  # 20 / 11, the median pair
    assert "1000 training and 400 test images at 64 pixels" in note
