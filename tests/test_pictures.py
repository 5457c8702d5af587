"""The chapter's pictures come from records by one command; the record of two frameworks in lockstep says how they part."""

import dataclasses
import json

import numpy as np
import pytest
from helpers import hotdog, run_of
from PIL import Image

from shared.book.diagrams import plot_divergence
from shared.book.pictures import RECORDS, chapter_pictures
from shared.command.__main__ import app
from shared.errors import UserError, guarded
from shared.experiments import experiment
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.parity.divergence import WAYS, diverge, divergence_table, read_divergence, write_divergence
from shared.parity.lockstep import exact_in_float32
from shared.runs.curves import plot_runs
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.machine import package_versions

NAMES = ("fine-tuning.png", "contact-sheet.png", "source-drawings.png", "feature-maps.png", "predictions.png")
NAMES += ("augmentations.png", "curves.png", "where-they-part.png")
NAMES += tuple(f"exercise-{number}.png" for number in (1, 2, 3, 4, 5, 6))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with the pictures as the command draws them now."""
    folder = tmp_path_factory.mktemp("pictures")
    done = hotdog("pictures", "--out", "drawn", cwd=folder, env={"HOTDOG_CACHE": folder / "cache"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"drawn/{name}" for name in NAMES]
    return folder / "drawn"


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_small_files_wide_enough_to_read(drawn, name):
    file = drawn / name
    assert file.stat().st_size < 200_000
    with Image.open(file) as picture:
        assert picture.format == "PNG" and picture.width >= 700


@pytest.mark.parametrize("name", NAMES)
def test_recorded_pictures_are_what_the_command_draws(drawn, name):
    old, new = (np.asarray(Image.open(f / name).convert("RGB"), float) for f in (RECORDS / "pictures", drawn))
    assert old.shape == new.shape
    # another processor may round a few pixels otherwise; a line that has moved is hundreds of them
    assert (np.abs(old - new).max(axis=2) > 30).sum() < 50, "run `uv run hotdog pictures`"


def test_pictures_need_the_records(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.book.pictures.RECORDS", tmp_path / "nowhere")
    with pytest.raises(UserError, match="checkout"):
        chapter_pictures(tmp_path / "out")


@pytest.mark.parametrize("experiments", [1, 2, 4, 5])
def test_curves_of_any_number_of_experiments_frameworks_and_seeds(tmp_path, experiments):
    found = [run_of(f"experiment {i}", "torch", (0.5, 0.75)) for i in range(experiments)]
    found += [run_of("experiment 0", "gluon", (0.5, None, 0.9)[: 3 - seed], seed) for seed in range(3)]
    with Image.open(plot_runs(found, tmp_path / "curves.png")) as picture:
        assert picture.width >= 700


# --- lockstep ---


def tiny(name, **overrides):
    return experiment(name, size=32, batch_size=4, **overrides)


@pytest.fixture
def record(images, thin_file):
    """Two steps of a thin network on tiny images."""
    chosen = [tiny("finetune"), tiny("frozen")]
    return diverge(chosen, load_source(str(thin_file)), load_dataset(str(images)), steps=2, seed=3)


def test_the_record_says_how_far_both_are_apart_after_every_step(record, thin_file, tmp_path):
    about, series = record["about"], record["series"]
    assert about["seed"] == 3 and about["source"]["fingerprint"] == load_source(str(thin_file)).fingerprint
    assert set(about["devices"]) == set(FRAMEWORKS) and about["versions"] == package_versions()
    assert [(s["experiment"]["name"], s["name"]) for s in series] == [
        (name, way) for name in ("finetune", "frozen") for way in WAYS.values()
    ]
    for one in series:
        assert [s["step"] for s in one["steps"]] == [1, 2]
        for step in one["steps"]:
            assert step["loss_gap"] == abs(step["gluon_loss"] - step["torch_loss"])
            assert 0 < step["weights"] < step["worst"] and step["weights"] < step["way"]
        if one["experiment"]["name"] == "frozen":
            assert {s["worst_tensor"] for s in one["steps"]} <= {"output.weight", "output.bias"}
    write_divergence(tmp_path / "record.json", record)
    assert read_divergence(tmp_path / "record.json") == record
    assert len(plot_divergence(record, tmp_path / "picture.png").read_bytes()) > 1000


def test_float32_parts_further_than_float64_and_that_further_than_with_exact_rates(record):
    for single, double, exact in (record["series"][:3], record["series"][3:]):
        assert single["experiment"]["learning_rate"] == double["experiment"]["learning_rate"] == 0.01
        assert exact["experiment"]["learning_rate"] == 0.009765625
        assert double["steps"][0]["loss_gap"] < 1e-12 and exact["steps"][0]["loss_gap"] < 1e-12
        for i in range(2):
            assert single["steps"][i]["way"] > 10 * double["steps"][i]["way"] > 1000 * exact["steps"][i]["way"]


def test_a_table_row_per_series(record):
    header, rows = divergence_table(record)
    assert header[3:5] == ["step 1", "step 2"] and len(rows) == 6
    assert rows[0][:3] == ["finetune", "0.01", "float32"]
    assert float(rows[0][-1]) == pytest.approx(record["series"][0]["steps"][-1]["way"], rel=0.5)


def test_numbers_that_are_not_finite_are_left_out(images, thin_file, tmp_path):
    burst = [tiny("finetune", learning_rate=1e30)]
    record = diverge(burst, load_source(str(thin_file)), load_dataset(str(images)), steps=3)
    assert record["series"][0]["steps"][-1]["loss_gap"] is None
    write_divergence(tmp_path / "record.json", record)
    assert divergence_table(read_divergence(tmp_path / "record.json"))[1][0][-1] == "–"
    plot_divergence(record, tmp_path / "picture.png")


def test_exact_rates_are_near_and_exact():
    own = experiment("finetune", "mini")
    exact = exact_in_float32(own)
    for rate in (exact.learning_rate, exact.learning_rate * exact.head_lr_mult, exact.weight_decay):
        assert float(np.float32(rate)) == rate
    assert abs(exact.learning_rate / own.learning_rate - 1) < 0.0625
    with pytest.raises(ValueError, match="not exact"):
        exact_in_float32(dataclasses.replace(own, head_lr_mult=0.1))


def test_the_command_writes_the_record_and_prints_the_steps(images, thin_file, tmp_path):
    few = ["--size", "32", "--batch-size", "4", "--steps", "2", "--record", "record.json"]
    done = hotdog("diverge", "frozen", "--data", images, "--source", thin_file, *few, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "frozen in float64: 2 steps of both" in done.stdout and "step 2" in done.stdout
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["about"]["command"].startswith("hotdog diverge frozen --data")
    assert len(record["series"]) == 3


def test_wrong_numbers_of_steps_and_names_are_refused_in_one_line(images, thin_file, capsys):
    with pytest.raises(UserError, match="at least 1"):
        diverge([tiny("finetune")], load_source(str(thin_file)), load_dataset(str(images)), steps=0)
    for arguments, said in ((["--steps", "0"], "--steps"), (["toast"], "unknown experiment 'toast'")):
        assert guarded(lambda arguments=arguments: app(["diverge", *arguments], standalone_mode=False)) == 2
        error = capsys.readouterr().err
        assert said in error and len(error.splitlines()) == 1
