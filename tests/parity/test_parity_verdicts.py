"""From runs to verdicts: which runs are compared, by which test, over which epochs, and what the tables say."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from shared.errors import UserError
from shared.experiments import experiment
from shared.parity.accuracies import (
    compare_all,
    contradictions,
    decided,
    not_compared,
    order_sentences,
    ranking,
    seeds_there,
)
from shared.parity.comparisons import read_record, write_record
from shared.parity.design import FAMILY, MARGIN
from shared.parity.outcomes import CrossExecution, Outcome, experiment_of, outcome_of
from shared.parity.plans import PLANS, note_plan, plan_sentences, read_plans
from shared.parity.tables import agreement_table, cross_table, verdict_notes, verdict_table
from shared.parity.tost import estimate, verdicts
from shared.runs.record import Run, read_runs, write_epoch_probabilities

RESULTS = Path(__file__).parents[2] / "shared" / "results"


def outcomes(gluon, torch, images=1000, name="finetune", draws="own"):
    """One outcome per seed with so many of `images` right, the first ones, after each of its last epochs."""
    return [
        Outcome(name, framework, seed, (right / images,), np.arange(images)[None] < right, draws=draws)
        for framework, rights in (("gluon", gluon), ("torch", torch))
        for seed, right in enumerate(rights)
    ]


def only(found):
    (one,) = compare_all(found)
    return one


# --- which test ---


@pytest.mark.parametrize("draws", ["shared", "own"])
@pytest.mark.parametrize(
    ("gluon", "torch", "word"),
    [
        ([900] * 4, [902, 898, 901, 899], "equivalent"),
        ([900] * 4, [902 + 60, 898 + 60, 901 + 60, 899 + 60], "different"),
        ([960, 961, 958, 959], [900] * 4, "different"),
        ([900] * 4, [930, 928, 932, 931], "undecided"),  # the margin itself
        ([900, 800, 950, 700], [880, 870, 900, 850], "undecided"),  # too much spread
        ([900], [900], "undecided"),  # one seed shows no spread
        ([900] * 4, [910] * 4, "equivalent"),  # no spread at all
    ],
)
def test_verdicts(gluon, torch, word, draws):
    found = only(outcomes(gluon, torch, draws=draws))
    assert found.verdict.word == word and found.draws == draws
    assert (found.low is None) == (len(gluon) == 1)


def test_the_design_decides_the_test():
    # seeds move both frameworks together: pairs see through it, independent groups do not
    gluon = [900, 850, 800, 950, 870]
    torch = [902, 849, 801, 949, 872]
    shared, own = (only(outcomes(gluon, torch, draws=draws)) for draws in ("shared", "own"))
    assert (shared.verdict.word, own.verdict.word) == ("equivalent", "undecided")
    for found, draws in ((shared, "shared"), (own, "own")):
        one = estimate(np.array(gluon) / 1000, np.array(torch) / 1000, draws, finest=1 / 1000)
        assert (found.low, found.high) == pytest.approx(one.interval())
        assert found.verdict == verdicts([one])[0]
    assert shared.chances[0] > 0.5 > own.chances[0]


def test_which_run_of_the_other_framework_has_the_same_seed_does_not_matter_for_own_draws():
    for draws, same in (("own", True), ("shared", False)):
        some = outcomes([900, 850, 800], [905, 851, 803], draws=draws)
        turned = [dataclasses.replace(o, seed=2 - o.seed) if o.framework == "torch" else o for o in some]
        assert (only(some).verdict.p == pytest.approx(only(turned).verdict.p)) == same


def test_runs_of_different_draws_are_never_compared_together():
    mixed = outcomes([900, 910], [900, 910]) + outcomes([800, 810], [800, 810], name="scratch", draws="shared")
    with pytest.raises(UserError, match="shared and with own draws cannot be compared together"):
        compare_all(mixed)
    with pytest.raises(UserError, match="draws 'borrowed'"):
        compare_all([dataclasses.replace(o, draws="borrowed") for o in outcomes([900], [900])])


def test_only_seeds_of_both_are_pairs_and_own_runs_need_none():
    some = outcomes([900, 910, 920], [905, 915, 925], draws="shared")
    found = only([o for o in some if (o.framework, o.seed) != ("torch", 1)])
    assert found.seeds == {"gluon": (0, 2), "torch": (0, 2)}
    own = only(outcomes([900, 910, 920], [905, 915]))
    assert own.seeds == {"gluon": (0, 1, 2), "torch": (0, 1)}
    with pytest.raises(UserError, match="no seed came to an end in both"):
        compare_all(some[:3])


def test_a_verdict_does_not_depend_on_what_was_asked_for_beside_it():
    one = outcomes([900, 850, 870], [902, 851, 873], draws="shared")
    other = outcomes([700, 750, 770], [790, 720, 710], name="scratch", draws="shared")
    assert compare_all(one + other)[0].verdict == only(one).verdict
    # Holm's correction has the whole family in it even so
    alone = estimate([0.9, 0.85, 0.87], [0.902, 0.851, 0.873], "shared", 1 / 1000).p_equivalent()
    assert only(one).verdict.p == pytest.approx(alone * len(FAMILY))


# --- which number ---


def test_the_endpoint_is_the_mean_of_the_last_three_epochs():
    def one(accuracies):
        return Outcome("finetune", "gluon", 0, accuracies, np.zeros((1, 4), dtype=bool))

    full = one((0.5, 0.6, 0.7, 0.9, 0.8))
    assert (full.averaged, full.accuracy, full.last) == (3, pytest.approx(0.8), 0.8)
    assert one((0.5, 0.6, 0.8)).accuracy == pytest.approx(0.7)  # what was before any training never counts
    assert one((0.5,)).accuracy == 0.5 and one((0.5,)).averaged == 1
    assert one((0.5, 0.9)).accuracy == 0.9


def test_the_last_epoch_stands_beside_it():
    def runs(f, last):
        return [
            Outcome("finetune", f, s, (0.5, 0.8, 0.8, last), np.arange(1000)[None] < 800, draws="shared")
            for s in (0, 1)
        ]

    found = only(runs("gluon", 0.8) + runs("torch", 0.89))
    assert found.difference == pytest.approx(0.03) and found.last == pytest.approx(0.09)
    header, (row,) = verdict_table([found])
    assert header[2] == "Gluon, mean of the last 3 epochs" and row[header.index("last epoch")] == "+0.090"


def test_endpoints_of_different_records_are_not_mixed():
    some = outcomes([900, 910], [900, 910])
    longer = dataclasses.replace(some[0], accuracies=(0.5, 0.9, 0.9, 0.9))
    with pytest.raises(UserError, match="different numbers of epochs known"):
        compare_all([longer, *some[1:]])
    with pytest.raises(UserError, match="different numbers of test images"):
        compare_all(some[:-1] + outcomes([900, 910], [900, 910], images=1200)[-1:])


# --- runs that diverged ---


def lost(framework, seed, draws, name="finetune"):
    return Outcome(name, framework, seed, (), np.zeros((0, 1000), dtype=bool), draws=draws, diverged=True)


@pytest.mark.parametrize("draws", ["shared", "own"])
def test_a_run_that_diverged_is_counted_and_has_no_accuracy(draws):
    some = outcomes([900, 901, 902], [901, 902, 903], draws=draws)
    both = only([*some, lost("gluon", 3, draws), lost("torch", 3, draws)])
    assert both.verdict.word == "equivalent" and both.diverged == {"gluon": 1, "torch": 1}
    assert (both.gluon, both.torch) == pytest.approx((0.901, 0.902))
    one = only([*some, lost("torch", 3, draws)])  # equivalent means that they break alike too
    assert one.verdict.word == "undecided" and one.diverged == {"gluon": 0, "torch": 1}
    row = verdict_table([one])[1][0]
    assert (
        "diverged: 1 of PyTorch" in row[1]
        and row[6] == "undecided: runs diverged in one framework and not in the other"
    )


def test_a_pair_of_which_one_run_diverged_is_no_pair():
    some = outcomes([900, 901, 902, 903], [901, 902, 903], draws="shared")
    found = only([*some, lost("torch", 3, "shared")])
    assert found.seeds["gluon"] == (0, 1, 2) and found.verdict.word == "undecided"


def test_an_experiment_that_only_diverged_stops_no_other():
    some = outcomes([900, 901], [901, 902]) + [lost(f, s, "own", "scratch") for f in ("gluon", "torch") for s in (0, 1)]
    assert [c.experiment for c in compare_all(some)] == ["finetune"]
    assert not_compared(some) == [
        "scratch is not compared: no run of both came to an end (Gluon 2 runs, 2 diverged; PyTorch 2 runs, 2 diverged)."
    ]
    assert [name for name, _ in ranking(some, "gluon")] == ["finetune"] and contradictions(some) == []


# --- order of the experiments ---


@pytest.mark.parametrize("draws", ["shared", "own"])
def test_order_of_the_experiments(draws):
    def both(gluon, torch, other_gluon, other_torch):
        return outcomes(gluon, torch, draws=draws) + outcomes(other_gluon, other_torch, name="scratch", draws=draws)

    same = both([900, 905, 910], [902, 906, 909], [800, 810, 805], [801, 808, 806])
    assert contradictions(same) == []
    assert [name for name, _ in ranking(same, "torch")] == ["finetune", "scratch"]
    turned = both([900, 905, 910], [702, 706, 709], [800, 810, 805], [801, 808, 806])
    assert contradictions(turned) == ["finetune beats scratch in gluon, scratch beats finetune in torch"]
    assert order_sentences(turned)[0] == "Order in gluon: finetune 0.905, scratch 0.805"
    assert order_sentences(turned)[2:] == contradictions(turned)
    hair = both([901, 901], [900, 900], [900, 900], [901, 901])  # one image of 1000 in each of two seeds
    assert contradictions(hair) == []


def test_experiments_with_own_draws_are_no_pairs_either():
    def runs(draws):
        return outcomes([900, 800, 700], [1, 2], draws=draws) + outcomes(
            [890, 791, 689], [1, 2], name="scratch", draws=draws
        )

    assert decided(runs("shared"), "gluon", "finetune", "scratch")
    assert not decided(runs("own"), "gluon", "finetune", "scratch")


# --- from runs ---


def run_in(folder, losses, status="finished", **fields):
    folder.mkdir()
    accuracies = [0.5, *np.linspace(0.6, 0.9, len(losses) - 1)]
    epochs = [{"train_loss": loss, "test_accuracy": a} for loss, a in zip(losses, accuracies, strict=True)]
    about = {"row": None, "row_label": None} | fields.pop("source", {})
    run = Run(
        folder, experiment("frozen", **fields).as_dict(), "torch", 3, {"test": 4, "classes": ["a", "b"]}, about, {}, {}
    )
    run.epochs, run.status = epochs, status
    return run


def test_an_outcome_is_what_its_run_recorded(tmp_path):
    run = run_in(tmp_path / "run", [None, 0.7, 0.6, 0.5])
    p = np.array([[0.9, 0.2, 0.6, 0.1]] * 3 + [[0.9, 0.8, 0.6, 0.1]])
    write_epoch_probabilities(run.folder, [0, 0, 1, 1], np.stack([p, 1 - p], axis=-1))
    found = outcome_of(run)
    assert (found.experiment, found.framework, found.seed, found.draws) == ("frozen", "torch", 3, "own")
    assert found.correct.tolist() == [[True, False, False, True]] * 3 + [[True, True, False, True]]
    assert found.predicted.tolist() == [0, 0, 0, 1] and found.averaged == 3
    assert found.accuracy == pytest.approx(np.mean([0.6, 0.75, 0.9]))


@pytest.mark.parametrize(("losses", "status"), [([None, 0.7, None], "finished"), ([None, 900.0], "diverged")])
def test_a_run_whose_loss_was_no_number_diverged(tmp_path, losses, status):
    found = outcome_of(run_in(tmp_path / "run", losses, status))
    assert found.diverged and found.accuracies == () and found.images == 4


def test_locked_runs_and_other_rows_are_experiments_of_their_own(tmp_path):
    locked = run_in(tmp_path / "locked", [None], lock_batch_norm=True)
    assert experiment_of(locked) == "frozen-locked" and experiment_of(locked) in FAMILY
    row = run_in(tmp_path / "row", [None], source={"row": 713, "row_label": "photocopier"})
    assert experiment_of(row) == "frozen, row 713 (photocopier)"


# --- tables ---


def test_tables_have_eight_columns_at_most_and_say_what_is_asked_for():
    some = outcomes([900, 850, 870], [902, 851, 873], draws="shared")
    some += outcomes([700, 750, 770], [790, 720, 710], name="scratch", draws="shared")
    some[0] = some[0].with_cross_execution(CrossExecution(2, 0.05, 0.0004))
    found = compare_all(some)
    for header, rows in (verdict_table(found), agreement_table(found), cross_table(some)):
        assert len(header) <= 8 and all(len(row) == len(header) for row in rows)
    header, rows = verdict_table(found)
    assert rows[0][1] == "3 pairs" and rows[0][6].startswith("equivalent (p ")
    assert rows[1][6].startswith("undecided (p 1); chance of a verdict ") and rows[1][6].count("%") == 3
    assert rows[0][7] == f"± {found[0].verdict.smallest:.3f}" and found[0].verdict.smallest < MARGIN
    assert cross_table(some)[1] == [["finetune", "Gluon", "1", "1000", "2", "5.0e-02", "4.0e-04"]]
    assert "paired" in verdict_notes(found)[0] and len(verdict_notes(found)) == 2
    one = compare_all(outcomes([900], [910]))
    assert verdict_table(one)[1][0][6:] == ["undecided: one seed shows no spread", "–"]
    assert "Welch" in verdict_notes(one)[0] and len(verdict_notes(one)) == 1


def test_the_words_of_a_difference():
    (row,) = verdict_table(compare_all(outcomes([900, 901, 902], [800, 801, 802], draws="shared")))[1]
    assert row[6] == "different" and row[4].startswith("-0.100 (")


# --- records ---


def as_recorded(rng, draws="shared"):
    made = []
    labels = np.arange(37) % 2
    for framework in ("gluon", "torch"):
        for seed in range(3):
            p = rng.random((6, 37, 1))
            probabilities = np.concatenate([p, 1 - p], axis=-1)
            correct = probabilities.argmax(-1) == labels
            accuracies = tuple(correct.mean(axis=-1))
            elsewhere = CrossExecution(1, 0.25, 0.125) if seed == 0 else None
            run = ("frozen", framework, seed, accuracies, correct, probabilities, labels, draws)
            made.append(Outcome(*run, elsewhere=elsewhere))
    return [*made, lost("gluon", 3, draws, "frozen")]


def test_a_record_gives_back_what_was_written(tmp_path):
    some = as_recorded(np.random.default_rng(0))
    write_record(tmp_path / "record.json", {"command": "none", "experiments": [experiment("frozen").as_dict()]}, some)
    about, again = read_record(tmp_path / "record.json")
    assert about == {"command": "none", "experiments": [experiment("frozen").as_dict()]}
    for a, b in zip(some, again, strict=True):
        assert (a.experiment, a.framework, a.seed, a.draws, a.diverged, a.elsewhere, a.images) == (
            b.experiment, b.framework, b.seed, b.draws, b.diverged, b.elsewhere, b.images,
        )  # fmt: skip
        assert np.array_equal(a.correct, b.correct) and np.allclose(a.accuracies, b.accuracies, atol=1e-6)
        if not a.diverged:
            assert np.abs(a.probabilities - b.probabilities).max() < 2e-4 and np.array_equal(a.labels, b.labels)
    first = (tmp_path / "record.json").read_bytes()
    write_record(tmp_path / "record.json", about, again)
    assert (tmp_path / "record.json").read_bytes() == first  # nothing more is lost the second time


def test_any_endpoint_can_be_computed_from_a_record(tmp_path):
    write_record(tmp_path / "record.json", {"experiments": []}, as_recorded(np.random.default_rng(1)))
    for o in read_record(tmp_path / "record.json")[1]:
        if not o.diverged:
            assert np.allclose((o.probabilities.argmax(-1) == o.labels).mean(axis=-1), o.accuracies, atol=1e-6)


def test_records_of_an_older_project_are_read(tmp_path):
    # As it wrote them: right or wrong after the last epoch, as bits; no draws; no locked batch normalisation.
    older = {key: value for key, value in experiment("frozen").as_dict().items() if key != "lock_batch_norm"}
    correct = np.random.default_rng(2).random(37) < 0.8
    row = {
        "experiment": "frozen",
        "framework": "gluon",
        "seed": 0,
        "accuracy": round(float(correct.mean()), 6),
        "images": 37,
    }
    row["correct"] = np.packbits(correct).tobytes().hex()
    rows = [row, row | {"framework": "torch"}]
    (tmp_path / "record.json").write_text(json.dumps({"about": {"experiments": [older]}, "runs": rows}))
    about, found = read_record(tmp_path / "record.json")
    assert about["experiments"] == [experiment("frozen").as_dict()]
    assert {o.draws for o in found} == {"own"} and found[0].accuracy == correct.mean()
    assert np.array_equal(found[0].correct, correct[None]) and found[0].probabilities is None
    assert verdict_table(compare_all(found))[0][2] == "Gluon, last epoch"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"runs": []}', '{"about": {"experiments": []}, "runs": [{"experiment": "x"}]}']
)
def test_what_is_no_record_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(UserError, match="record.json is no record of a comparison"):
        read_record(tmp_path / "record.json")
    with pytest.raises(UserError, match="there is no such record"):
        read_record(tmp_path / "other.json")


# --- plans ---


def test_looking_twice_is_seen(tmp_path):
    some = [experiment("finetune"), experiment("frozen")]

    def note(experiments, seeds, there=0, draws="shared", data="d"):
        return note_plan(tmp_path, experiments, range(seeds), draws, data, "s", there)

    assert len(note(some, 3)) == 1
    assert len(note(some, 3, there=12)) == 1  # the same plan, gone on with
    assert (
        "Planned: 3 seeds on " in plan_sentences(note(some, 3))[0]
        and "(0 runs were there)" in plan_sentences(note(some, 3))[0]
    )
    assert len(note(some, 3, draws="own")) == len(note(some, 3, data="e")) == 1  # other runs
    assert len(note(some[:1], 5, there=6)) == 2
    (told,) = plan_sentences(note(some[:1], 5))
    assert told.startswith("Planned 2 times: 3 seeds on ") and "then 5 seeds" in told and "errs more often" in told
    assert len(note([experiment("scratch")], 5)) == 1
    assert plan_sentences([]) == ["The seeds of these runs were not planned in writing."]


def test_a_look_before_all_planned_seeds_are_there_is_seen(tmp_path):
    some = outcomes([900, 910, 905], [900, 910], draws="shared") + [lost("torch", 2, "shared")]
    assert seeds_there(some) == {"finetune": 3}
    plans = note_plan(tmp_path, [experiment("finetune")], range(5), "shared", "d", "s", 0)
    assert plan_sentences(plans, seeds_there(some))[1:] == [
        "A look before the plan is fulfilled, of 5 seeds there are: finetune 3."
    ]
    assert len(plan_sentences(plans, {"finetune": 5})) == 1


def test_plans_survive_a_line_that_was_cut_off(tmp_path):
    note_plan(tmp_path, [experiment("frozen")], [0, 1], "own", "d", "s", 0)
    with open(tmp_path / PLANS, "a") as file:
        file.write('{"noted": "2026-')
    assert [plan.seeds for plan in read_plans(tmp_path)] == [[0, 1]]
    assert read_plans(tmp_path / "nowhere") == []


# --- the recorded runs ---


def recorded(label=None):
    runs = read_runs(RESULTS / "seeds")
    return [outcome_of(run) for run in runs if run.source["row_label"] in (label, None, "hotdog")]


def test_equivalent_is_withdrawn_for_the_recorded_frozen_runs():
    # They have own draws. As pairs by the number of their seeds, and by the last epoch, they were called equivalent (p .038).
    frozen = [o for o in recorded() if o.experiment == "frozen"]
    last = [[o.last for o in frozen if o.framework == f] for f in ("gluon", "torch")]
    assert {o.draws for o in frozen} == {"own"}
    assert estimate(*last, "shared").p_equivalent() == pytest.approx(0.038, abs=5e-4)
    assert estimate(*last, "own").p_equivalent() == pytest.approx(0.107, abs=5e-4)
    rng = np.random.default_rng(0)
    pairings = [estimate(last[0], rng.permutation(last[1]), "shared").p_equivalent() for _ in range(1000)]
    assert np.mean(np.array(pairings) < 0.05) < 0.04  # the pairing by number was a lucky one
    found = {c.experiment: c.verdict.word for c in compare_all(recorded())}
    assert found == {
        "finetune": "equivalent",
        "hotdog-row": "equivalent",
        "frozen": "undecided",
        "scratch": "undecided",
    }


def test_two_seeds_of_one_framework_agree_as_two_frameworks_do_in_the_recorded_runs():
    for c in compare_all(recorded()):
        a = c.agreement
        assert a.frameworks.same == pytest.approx(a.seeds.same, abs=0.03), c.experiment
        assert a.frameworks.mcnemar <= a.seeds.mcnemar + 0.05, c.experiment
