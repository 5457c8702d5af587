"""The benchmark's record becomes the README's table; and who takes part is started as it says."""

import json
import subprocess
import sys

import pytest
from benchmarks import __main__ as bench
from helpers import ROOT

from shared.book import speed


def row(contestant, turns, **more):
    known = {"framework": "gluon", "work": "finetune", "batch": 32, "peak_mib": 1500, "first_step_seconds": 9.04}
    return known | {"contestant": contestant, "turns": turns} | more


ROWS = [
    row("book", [[96, 8.0, 8.0], [96, 4.0, 4.0], [96, 6.0, 6.0]]),
    row("ours", [[96, 2.0, 4.0], [96, 2.0, 4.0], [96, 3.0, 5.0]], peak_mib=900),
    row("ceiling", [[96, 2.0, 4.0], [96, 1.0, 2.0], [96, 2.0, 4.0]]),
    row("ours", [[96, 1.0, 1.5]], work="frozen-locked", framework="torch"),
]


def test_ratios_are_medians_of_pairs_of_turns():
    group = speed.grouped(ROWS)["finetune", 32, "gluon"]
    assert speed.ratio(group, "book") == 2.0  # of 4, 2 and 2; of the medians it would be 3
    assert speed.ratio(group, "ceiling") == pytest.approx(2 / 3)
    assert speed.ratio(group, "book with our threads") is None
    assert speed.cores_busy(group["ours"]) == pytest.approx(13 / 7)
    assert speed.cores_busy(group["book"]) == 1.0


def test_the_tables_say_what_was_recorded(tmp_path):
    versions = dict.fromkeys(("mxnet", "torch", "torchvision", "numpy"), "1")
    about = {"size": 224, "cpu": "X", "cores": 2, "versions": versions}
    (tmp_path / "speed.json").write_text(json.dumps({"about": about, "rows": ROWS}))
    text = speed.speeds(tmp_path / "speed.json")
    assert (
        "| training everything | 32 | Gluon | 16.0 (12.0–24.0) | – | 48.0 (32.0–48.0) | 48.0 (48.0–96.0) | – |" in text
    )
    assert "| training everything | 32 | Gluon | 1.00 | 1.86 | 9.0 | 9.0 | 1,500 | 900 |" in text
    assert "median of 1 to 3 turns" in text
    assert "| features frozen, batch norm too | 32 | PyTorch | – | – | 96.0 (96.0–96.0) | – | – |" in text


def test_only_ours_has_our_settings(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert not set(bench.OURS) & set(bench.environment("book"))
    assert bench.environment("book with our threads")["OMP_NUM_THREADS"] == str(bench.usable_cores())
    assert set(bench.OURS) <= set(bench.environment("ours")) and bench.environment("ours") == bench.environment(
        "ceiling"
    )


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["gluon", "torch"])
def test_every_contestant_does_every_work_and_goes_on_where_it_stopped(framework, images, tmp_path):
    out = tmp_path / "speed.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--data", images, "--framework", framework, "--out", out]
    command += ["--images", "4", "--batch", "4", "--size", "32", "--rounds"]
    for rounds in ("1", "2"):
        done = subprocess.run([*map(str, command), rounds], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == 3 * 4 + 2 + 2 * (framework == "torch") and all(len(r["turns"]) == 2 for r in rows)
    assert all(images == 4 and seconds > 0 for r in rows for images, seconds, _ in r["turns"])
