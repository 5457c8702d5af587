"""What mutants got past at first: small checks of what larger tests take for granted. See tests/mutation."""

import dataclasses
import importlib
import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from shared.errors import UserError
from shared.parity import cross_execution
from shared.parity.outcomes import CrossExecution
from shared.parity.tost import estimate, verdicts

# --- values ---

ROOMS = ("parity", "networks")
VALUES = [
    f"shared.{room}.{file.stem}"
    for room in ROOMS
    for file in sorted((Path(__file__).parents[1] / "shared" / room).glob("*.py"))
    if "@dataclass" in file.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", [*VALUES, "shared.images.draws"])
def test_values_cannot_be_changed_under_whoever_holds_them(module):
    module = importlib.import_module(module)
    own = [it for it in vars(module).values() if dataclasses.is_dataclass(it) and it.__module__ == module.__name__]
    assert own
    for kind in own:
        if kind.__name__ != "Candidate":  # which is filled while a file is read
            assert kind.__dataclass_params__.frozen, kind


# --- equivalence ---


def test_numbers_of_any_dtype_are_compared_in_float64():
    gluon, torch = [0.1, 0.2, 0.4], [0.3, 0.1, 0.7]
    for draws in ("own", "shared"):
        wanted = estimate(gluon, torch, draws)
        for a, b in ((np.float32(gluon), torch), (gluon, np.float32(torch))):
            found = estimate(a, b, draws)
            exact = estimate(np.float64(a), np.float64(b), draws)
            assert found == exact
            assert found.difference == pytest.approx(wanted.difference, rel=1e-6)


def test_numbers_without_any_spread_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = estimate([0.5, 0.5], [0.5, 0.5], "own", 0.01)
    assert one.freedom == 1 and one.error == pytest.approx(0.01)


@pytest.mark.parametrize("unit", [1, 100, 1e-3])
def test_the_smallest_margin_has_the_unit_of_the_numbers(unit):
    gluon, torch = np.array([0.2, 0.9, 0.5]), np.array([0.3, 0.1, 0.7])
    (one,) = verdicts([estimate(gluon, torch, "own")])
    (other,) = verdicts([estimate(gluon * unit, torch * unit, "own")], 0.03 * unit)
    assert other.smallest == pytest.approx(one.smallest * unit, rel=1e-3) and other.word == one.word


# --- cross-execution ---


def a_run(folder, framework="gluon", **other):
    return SimpleNamespace(
        folder=folder,
        framework=framework,
        status="finished",
        dataset={"fingerprint": "pictures"},
        experiment={"size": 32, "batch_size": 8},
        **other,
    )


DATASET = SimpleNamespace(fingerprint="pictures", name="drawings", test="the test images")
HERE = np.array([[0.5, 0.5], [0.8, 0.2], [0.4, 0.6], [1.0, 0.0]])
THERE = np.array([[0.3, 0.7], [0.8, 0.2], [0.5, 0.5], [0.9, 0.1]])


@pytest.fixture
def pretended(monkeypatch):
    """No framework: what cross-execution calls in the other one is noted, and THERE is what comes of it."""
    called = []

    class Room:
        def __init__(self, framework, name):
            self.prefix = f"{framework} {name}"

        def __getattr__(self, name):
            def note(*arguments):
                called.append((f"{self.prefix}.{name}", *arguments))
                return {"choose_device": ("a device", "why"), "predict_probabilities": (THERE, "labels")}.get(
                    name, name
                )

            return note

    monkeypatch.setattr(cross_execution, "implementation", Room)
    monkeypatch.setattr(cross_execution, "trained_tensors", lambda folder: f"tensors of {folder}")
    monkeypatch.setattr(
        cross_execution, "recognise", lambda tensors, what: SimpleNamespace(classes=2, of=(tensors, what))
    )
    monkeypatch.setattr(cross_execution, "read_probabilities", lambda run: ("names", "labels", HERE))
    return called


@pytest.mark.parametrize(("framework", "there"), [("gluon", "torch"), ("torch", "gluon")])
def test_cross_execution_is_the_other_frameworks_prediction_less_the_recorded_one(
    framework, there, pretended, tmp_path
):
    found = cross_execution.cross_execution(a_run(tmp_path, framework), DATASET, "gpu", 3)
    assert (found.labels, found.largest, found.mean) == (2, pytest.approx(0.2), pytest.approx(0.1))
    by = {name: arguments for name, *arguments in pretended}
    assert all(name.startswith(there) for name in by)
    architecture, classes = by[f"{there} nets.scratch_net"]
    assert architecture.of == (f"tensors of {tmp_path}", str(tmp_path)) and classes == 2
    assert by[f"{there} nets.set_tensors"] == ["scratch_net", f"tensors of {tmp_path}"]
    assert by[f"{there} data.test_iter"] == ["the test images", 32, 8, 3]
    assert by[f"{there} training.choose_device"] == ["gpu"]
    assert by[f"{there} training.predict_probabilities"] == ["scratch_net", "test_iter", "a device"]


def test_cross_execution_is_by_default_on_the_cpu_in_this_process(pretended, tmp_path):
    cross_execution.cross_execution(a_run(tmp_path), DATASET)
    by = {name: arguments for name, *arguments in pretended}
    assert by["torch training.choose_device"] == ["cpu"] and by["torch data.test_iter"][-1] == 0


def test_cross_execution_refuses_a_run_on_other_images(pretended, tmp_path):
    with pytest.raises(UserError, match="tested on other images than drawings"):
        cross_execution.cross_execution(a_run(tmp_path), SimpleNamespace(fingerprint="others", name="drawings"))
    assert pretended == []


def test_cross_executions_are_measured_once_by_a_process_of_the_other_framework(pretended, tmp_path, monkeypatch):
    runs = []
    for i, framework in enumerate(["gluon", "torch", "gluon", "torch", "torch"]):
        folder = tmp_path / f"{i}"
        folder.mkdir()
        (folder / "weights.safetensors").touch()
        runs.append(a_run(folder, framework))
    (runs[3].folder / "weights.safetensors").unlink()
    runs[4].status = "failed"
    kept = CrossExecution(7, 0.5, 0.25)
    (runs[2].folder / cross_execution.FILE).write_text(json.dumps(dataclasses.asdict(kept)))
    (runs[1].folder / cross_execution.FILE).write_text(
        '{"labels": 1}'
    )  # cut short, or of another version: measured anew
    started = []

    def in_processes(work, parts):
        started.append({framework: [run.folder.name for run in part[0]] for framework, part in parts.items()})
        for part in parts.values():
            work(*part)

    monkeypatch.setattr(cross_execution, "run_in_processes", in_processes)
    found = cross_execution.cross_executions(runs, DATASET)
    assert started == [{"gluon": ["1"], "torch": ["0"]}]
    assert list(found) == [runs[0].folder, runs[1].folder, runs[2].folder] and found[runs[2].folder] == kept
    assert found[runs[0].folder].labels == 2
    by = {name: arguments for name, *arguments in pretended}
    assert by["torch training.choose_device"] == ["cpu"] and by["torch data.test_iter"][-1] == 0
    assert cross_execution.cross_executions(runs, DATASET, "gpu", 5) == found and started[1] == {}
    (runs[0].folder / cross_execution.FILE).unlink()
    pretended.clear()
    cross_execution.cross_executions(runs, DATASET, "gpu", 5)
    by = {name: arguments for name, *arguments in pretended}
    assert by["torch training.choose_device"] == ["gpu"] and by["torch data.test_iter"][-1] == 5
    assert started[2] == {"torch": ["0"]}


def test_what_was_found_is_one_line_of_json(pretended, tmp_path):
    cross_execution._measure([a_run(tmp_path)], DATASET, "cpu", 0)
    text = (tmp_path / cross_execution.FILE).read_text()
    assert text.endswith("}\n") and json.loads(text)["labels"] == 2
