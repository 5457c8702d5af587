"""Rung 12: the same conclusions, from each framework's own pipeline in a process of its own; two one-sided tests, fixed margin."""

from pathlib import Path

import pytest

from shared.command.run import carry_out
from shared.experiments import CHAPTER, experiment
from shared.images.folders import load_dataset
from shared.images.mini.drawings import write_target
from shared.networks.reading import load_source
from shared.parity.accuracies import MARGIN, compare_all, contradictions, decided, outcome_of
from shared.parity.comparisons import read_record
from shared.parity.tensors import Measured
from shared.runs.find import matching, missing
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.processes import run_in_processes
from shared.runs.record import read_runs

# From scratch the drawings' accuracy spreads by 8 points from seed to seed, so ten seeds decide nothing at a margin of 3: about a
# hundred would. What they must not do is to show a difference.
TOO_FEW_SEEDS = {"scratch"}

# Written by `hotdog parity --seeds 10 --together --device cpu --out runs/parity-mini --record shared/results/parity-mini.json`.
RECORD = Path(__file__).parents[2] / "shared" / "results" / "parity-mini.json"


def trained(data, seeds, out, epochs=None):
    """Outcomes of all four experiments in both frameworks, `seeds` each, trained now (mini's source network and preset)."""
    plan = [(name, {"num_epochs": epochs}, seed) for seed in range(seeds) for name in CHAPTER]
    code = run_in_processes(
        carry_out, ["gluon", "torch"], (plan, str(data), "mini", None, 0.0, "cpu", 0, out), together=True
    )
    assert code == 0
    dataset, source = load_dataset(str(data)), load_source("mini")
    wanted = [experiment(name, "mini", num_epochs=epochs) for name in CHAPTER]
    have = matching(read_runs(out), wanted, dataset.fingerprint, source, range(seeds))
    assert missing(have, wanted, range(seeds)) == []
    return [outcome_of(run) for run in have.values()]


def measured(comparisons):
    what = "difference of the means of {} seeds, the largest of those they decide (scratch is not)"
    return [
        Measured(12, f"{c.experiment}: " + what.format(len(c.seeds)), abs(c.difference), MARGIN) for c in comparisons
    ]


def test_rung_12_recorded_runs_on_the_drawings_are_equivalent(keep):
    about, outcomes = read_record(RECORD)
    comparisons = compare_all(outcomes)
    assert {c.experiment for c in comparisons} == set(CHAPTER)
    assert about["experiments"] == [{**e} for e in (experiment(n, "mini").as_dict() for n in CHAPTER)], "old record"
    assert about["source"][0]["fingerprint"] == load_source("mini").fingerprint, "record of another source network"
    for c in comparisons:
        assert len(c.seeds) >= 10
        assert c.verdict == ("undecided" if c.experiment in TOO_FEW_SEEDS else "equivalent"), c
    keep(measured(c for c in comparisons if c.experiment not in TOO_FEW_SEEDS))


def test_rung_12_recorded_runs_put_the_experiments_in_the_same_order():
    _, outcomes = read_record(RECORD)
    assert contradictions(outcomes) == []
    for framework in FRAMEWORKS:
        # the chapter's conclusion
        assert decided(outcomes, framework, "finetune", "scratch")


def test_rung_12_runs_made_now_do_not_contradict(tmp_path):
    write_target(tmp_path / "drawings", seed=1, counts=(64, 50))
    outcomes = trained(tmp_path / "drawings", seeds=2, out=tmp_path / "runs", epochs=2)
    comparisons = compare_all(outcomes)
    for c in comparisons:
        assert c.verdict != "different", c
        assert len(c.seeds) == 2 and 0.3 < c.agreement <= 1, c
    assert contradictions(outcomes) == []


@pytest.mark.slow
def test_rung_12_eight_seeds_made_now_are_equivalent(tmp_path, keep):
    outcomes = trained("mini", seeds=8, out=tmp_path / "runs")
    comparisons = compare_all(outcomes)
    for c in comparisons:
        # undecided is no failure where the spread of these very runs asks for more seeds: frozen needed 10 when this was recorded
        too_few = c.verdict == "undecided" and (c.needed is None or c.needed > len(c.seeds))
        assert c.verdict == "equivalent" or too_few and c.experiment in (*TOO_FEW_SEEDS, "frozen"), c
    assert contradictions(outcomes) == []
    keep(measured(c for c in comparisons if c.experiment not in TOO_FEW_SEEDS))
