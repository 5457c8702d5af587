"""Rung 12: the same conclusions, from each framework's own pipeline in a process of its own; two one-sided tests, fixed margin."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.command.launch import launch
from shared.experiments import CHAPTER, experiment
from shared.images.folders import load_dataset
from shared.images.mini.drawings import write_target
from shared.networks.reading import load_source
from shared.parity.accuracies import compare_all, contradictions, decided
from shared.parity.comparisons import read_record
from shared.parity.cross_execution import FILE, cross_executions
from shared.parity.design import FAMILY, MARGIN
from shared.parity.outcomes import outcome_of
from shared.parity.tensors import Measured
from shared.runs.find import completed_runs
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.job import Job
from shared.runs.record import read_runs

# Made with own draws, before the endpoint was chosen, by `hotdog parity --seeds 10 --draws own --out shared/results/seeds`.
# With ten independent runs a framework, `frozen` and `scratch` spread too much for a margin of 3 points: undecided.
ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "shared" / "results" / "seeds"
DECIDED = {"finetune", "hotdog-row"}


def measured(comparisons):
    what = "difference of the means of {} and {} runs, the largest of those that are decided"
    counts = [[len(c.seeds[f]) for f in FRAMEWORKS] for c in comparisons]
    return [
        Measured(12, f"{c.experiment}: " + what.format(*n), abs(c.difference), MARGIN)
        for c, n in zip(comparisons, counts, strict=True)
    ]


@pytest.fixture(scope="module")
def recorded():
    """The outcomes of the recorded runs on the drawings, those with another row left out."""
    return [o for o in map(outcome_of, read_runs(SEEDS)) if o.experiment in FAMILY]


def test_rung_12_recorded_runs_on_the_drawings_are_equivalent(recorded, keep):
    comparisons = compare_all(recorded)
    assert {c.experiment for c in comparisons} == set(CHAPTER)
    assert {run.source["fingerprint"] for run in read_runs(SEEDS)} == {load_source("mini").fingerprint}
    wanted = [experiment(name, "mini").as_dict() | {"row": None} for name in CHAPTER]
    assert all(run.experiment | {"row": None} in wanted for run in read_runs(SEEDS)), "records of other settings"
    for c in comparisons:
        assert c.draws == "own" and all(len(seeds) >= 10 for seeds in c.seeds.values())
        assert c.verdict.word == ("equivalent" if c.experiment in DECIDED else "undecided"), c
    keep(measured([c for c in comparisons if c.experiment in DECIDED]))


def test_rung_12_recorded_runs_put_the_experiments_in_the_same_order(recorded):
    assert contradictions(recorded) == []
    for framework in FRAMEWORKS:
        # the chapter's conclusion
        assert decided(recorded, framework, "finetune", "scratch")


def test_rung_12_pairs_made_now_do_not_contradict(tmp_path):
    write_target(tmp_path / "drawings", seed=1, counts=(64, 50))
    settings = {
        "data": tmp_path / "drawings",
        "source": "mini",
        "seeds": 2,
        "epochs": 2,
        "device": "cpu",
        "out": tmp_path / "runs",
    }
    words = ["finetune", "frozen-locked", "--together", f"--record={tmp_path}/record.json"]
    words += [f"--{name}={value}" for name, value in settings.items()]
    done = subprocess.run(
        [sys.executable, "-m", "shared.command", "parity", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Planned: 2 seeds" in done.stdout and "(0 runs were there)" in done.stdout
    about, outcomes = read_record(tmp_path / "record.json")
    assert [(plan["seeds"], plan["there"]) for plan in about["plans"]] == [([0, 1], 0)]
    for c in compare_all(outcomes):
        assert c.draws == "shared" and c.seeds == {"gluon": (0, 1), "torch": (0, 1)}
        assert c.verdict.word != "different", c
        # a pair shares layer, order and views; two seeds of one framework share nothing of that
        assert (
            c.agreement.frameworks.same > c.agreement.seeds.same and c.agreement.frameworks.gap < c.agreement.seeds.gap
        )
    assert contradictions(outcomes) == [] and len(outcomes) == 8
    for o in outcomes:
        # its weights in the other framework: the same function of nearly the same pixels
        assert o.elsewhere.labels <= 1 and o.elsewhere.mean < 1e-3 and o.elsewhere.largest < 0.05, o.elsewhere
    runs = read_runs(tmp_path / "runs")
    before = [(run.folder / FILE).stat().st_mtime_ns for run in runs]
    found = cross_executions(runs, load_dataset(str(tmp_path / "drawings")))  # recorded, so not measured again
    assert len(found) == 8 and before == [(run.folder / FILE).stat().st_mtime_ns for run in runs]


@pytest.mark.slow
def test_rung_12_five_pairs_made_now_are_equivalent(tmp_path, keep):
    dataset, source = load_dataset("mini"), load_source("mini")
    jobs = [
        Job(experiment(name, "mini"), f, seed, "mini", "mini", "shared", device="cpu", out=tmp_path)
        for seed in range(5)
        for f in FRAMEWORKS
        for name in FAMILY
    ]
    assert launch(jobs, together=True) == 0
    outcomes = [outcome_of(run) for run in completed_runs(jobs, read_runs(tmp_path), dataset, source).values()]
    comparisons = compare_all(outcomes)
    assert {c.experiment for c in comparisons} == set(FAMILY)
    for c in comparisons:
        assert c.verdict.word == "equivalent" or c.experiment == "scratch" and c.verdict.word == "undecided", c
    assert contradictions(outcomes) == []
    keep(measured([c for c in comparisons if c.experiment != "scratch"]))
