"""What the exercises answer, tabulate and draw, of runs that were never made: any outcome can be had."""

import math

import pytest

from shared.exercises import adapting, freezing, hotdog_row, rates, spoiled, strategy, tuning
from shared.exercises.bench import Bench
from shared.exercises.index import EXERCISES
from shared.exercises.intervals import difference, each, end_of_sweep, listed, t_interval
from shared.exercises.report import report_on, write
from shared.experiments import experiment
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.record import Run


def made_up(tmp_path, accuracy, holdout=lambda e: 0.5, loss=lambda e: 0.5, seconds=2.0, peak=400.0, device="cpu"):
    """A bench of two seeds and 500 images whose runs have what `accuracy(framework, experiment, seed)` says in every epoch."""

    def train(bench, wanted, holdout_share, seeds):
        def run(f, e, seed):
            value = holdout(e) if holdout_share else accuracy(f, e, seed)
            epochs = [{"epoch": 0, "test_accuracy": 0.5, "train_loss": None, "seconds": None}]
            took = seconds / 2 if e.frozen else seconds
            epochs += [
                {"epoch": i, "test_accuracy": value, "train_loss": loss(e), "seconds": took}
                for i in range(1, e.num_epochs + 1)
            ]
            memory = {"before_mib": 100.0, "peak_mib": 100 + (peak - 100) / (3 if e.frozen else 1)}
            gpu = None if device == "cpu" else "a graphics card"
            where = {"used": device, "gpu": gpu, "threads": 1, "cpu": "a processor"}
            return Run(tmp_path, e.as_dict(), f, seed, {"classes": ["a", "b"]}, {}, where, {}, memory, epochs=epochs)

        return {e: {f: [run(f, e, s) for s in seeds or bench.seeds] for f in bench.frameworks} for e in wanted}

    class Pretended(Bench):
        def train(self, arms, holdout=0.0, seeds=None, measured=None, only=None):
            return train(self, arms, holdout, seeds)

        def names(self, wanted):
            return wanted

    return Pretended(tmp_path, "chapter", [0, 1], overrides={"size": 32}, images=500)


def test_exercise_1_says_where_it_does_best_where_it_breaks_and_which_layer(tmp_path):
    # the features bear 0.3, the output layer 1 at most; an undertrained rate below the best has not broken
    def accuracy(f, e, seed):
        if e.learning_rate < 0.005:
            return 0.55 if e.head_lr_mult == 1 else 0.56 + 0.001 * seed
        broke = e.learning_rate > 0.5 or e.learning_rate * e.head_lr_mult > 1.5
        return (0.5 if broke else 0.8 + (e.learning_rate == 0.01) * 0.1) + 0.001 * seed

    bench = made_up(tmp_path, accuracy, loss=lambda e: abs(e.learning_rate - 0.03))
    bench.measurement = lambda name: {f: {"limit": 0.05} for f in FRAMEWORKS}
    report = report_on(rates, bench)
    text = " ".join(report.answer)
    assert "does best with 0.901 ± 0.006 at 0.01 in Gluon" in text
    assert "and breaks at 0.3 in Gluon and at 0.3 in PyTorch" in text
    assert "It is better at 0.001 and 0.003 and worse at 0.3 in Gluon" in text
    assert [row[1] for row in report.tables[2][2]][:3] == ["1.1 ± 0.6, better"] * 2 + ["0.0 ± 0.0, undecided"]
    assert "Up to a rate of 0.05 in Gluon" in text and "when theirs is 0.005 in Gluon" in text
    assert "with the features at 0.3, 10 times that rate for the output layer costs 30.0 ± 0.0 points" in text
    assert text.count("it is the output layer that breaks first") == 2
    bench = made_up(tmp_path, lambda f, e, seed: 0.9)
    bench.measurement = lambda name: {f: {"limit": 0.05} for f in FRAMEWORKS}
    text = " ".join(report_on(rates, bench).answer)
    assert "breaks at no rate tried in Gluon" in text and "no rate tried breaks the output layer alone" in text
    assert "at 0.001 (the lowest rate tried; the seeds do not tell it from 6 of the 6 others) in Gluon" in text
    assert "It is undecided in Gluon and undecided in PyTorch" in text


@pytest.mark.parametrize(
    ("finetune", "scratch", "tuned_finetune", "tuned_scratch", "says"),
    [
        (0.9, 0.7, 0.9, 0.85, "In Gluon the gap closes by tuning (-15.0 ± 0.0 points), and after it fine-tuning is still ahead."),
        (0.9, 0.8, 0.9, 0.95, "closes by tuning (-15.0 ± 0.0 points), and after it the network from scratch is ahead."),
        (0.9, 0.8, 0.95, 0.8, "widens by tuning (5.0 ± 0.0 points), and after it fine-tuning is still ahead."),
    ],
)  # fmt: skip
def test_exercise_2_says_what_tuning_did(tmp_path, finetune, scratch, tuned_finetune, tuned_scratch, says):
    given = {name: experiment(name) for name in ("finetune", "scratch")}

    def accuracy(f, e, seed):
        tuned = e.learning_rate != given[e.name].learning_rate
        of = {"finetune": (finetune, tuned_finetune), "scratch": (scratch, tuned_scratch)}[e.name]
        return of[tuned] + 0.01 * seed

    bench = made_up(tmp_path, accuracy, holdout=lambda e: e.learning_rate)  # the highest rate is chosen
    report = report_on(tuning, bench)
    assert says in " ".join(report.answer)
    assert [row[1] for row in report.tables[0][2] if row[3] == "chosen"] == ["0.03", "0.3"]
    bench = made_up(tmp_path, accuracy, holdout=lambda e: -abs(e.learning_rate - given[e.name].learning_rate))
    assert "chose the given rate for finetune and scratch" in report_on(tuning, bench).answer[0]


def test_exercise_3_says_ahead_behind_or_undecided(tmp_path):
    def accuracy(f, e, seed):
        locked = 0.9 if f == "gluon" else 0.5 + 0.4 * seed
        return locked if e.lock_batch_norm else 0.7 if e.frozen else 0.8

    report = report_on(freezing, made_up(tmp_path, accuracy))
    text = " ".join(report.answer)
    assert (
        "normalised by the batch: 10.0 ± 0.0 points (ahead) in Gluon and 10.0 ± 0.0 points (ahead) in PyTorch" in text
    )
    assert "locked batch normalisation: -10.0 ± 0.0 points (behind) in Gluon" in text
    assert "Locked less batch: 20.0 ± 0.0 points (ahead) in Gluon and 0.0 ± 254.1 points (undecided) in PyTorch" in text
    assert "a frozen epoch takes 0.50 in Gluon and 0.50 in PyTorch" in text
    assert "the memory it needs is 0.33 in Gluon" in text
    assert report.tables[0][2][0][-2:] == ["300", "300"]


def test_exercise_3_claims_no_memory_for_a_graphics_card(tmp_path):
    report = report_on(freezing, made_up(tmp_path, lambda f, e, seed: 0.9, device="cuda"))
    caption, header, rows = report.tables[0]
    assert "memory" not in " ".join([caption, *header, *report.answer])
    assert "images loaded, on a graphics card." in caption
    assert all(len(row) == len(header) for row in rows)
    report.save_picture(tmp_path / "picture.png")


def test_exercise_4_says_what_the_row_is_worth(tmp_path):
    def accuracy(f, e, seed):
        return {"finetune": 0.7, "hotdog-row": 0.6 if f == "gluon" else 0.75 + 0.2 * seed}[e.name]

    def scored(auc, accuracy=0.6):
        return {"auc": auc, "accuracy": accuracy}

    rows = [
        {"label": n, **scored(a)} for n, a in (("hotdog", 0.9), ("photocopier", 0.3), ("apple", 0.95), ("mug", 0.5))
    ]
    fills = {"mean": scored(0.9, 0.55), "nearest": scored(0.92, 0.8), "zero": scored(0.8, 0.5)}
    scores = {"images": 400, "hotdog": 0, "wrong": 1, "rows": rows, "fills": fills, "scores": {}}
    bench = made_up(tmp_path, accuracy)
    bench.measurement = lambda name: dict.fromkeys(FRAMEWORKS, scores)
    report = report_on(hotdog_row, bench)
    text = " ".join(report.answer)
    assert "AUC of 0.900 in Gluon and 0.900 in PyTorch, the photocopier's row with 0.300 in Gluon" in text
    assert "Of the 2 other rows, 1 in Gluon and 1 in PyTorch rank the images better" in text
    assert "0.550 in Gluon and 0.550 in PyTorch with the mean of all other rows; 0.800 in Gluon" in text
    assert "differs from two random rows by -10.0 ± 0.0 points (behind) in Gluon and 15.0 ± 127.1 points (which" in text
    assert ["2 (apple), the best of the 2 others", "0.950", "0.950", "0.600", "0.600"] in report.tables[0][2]
    assert report.tables[0][2][-1][:2] == ["the 2 others, median", "0.725"]
    # every output layer is judged by its pairs with two random rows
    adds = [row[-2:] for row in report.tables[2].rows]
    assert adds == [["-10.0 ± 0.0", "15.0 ± 127.1"]] * 5 + [["–", "–"]]
    bench.seeds = [0]
    assert "-10.0 points (which the seeds do not tell from nothing) in Gluon" in " ".join(
        report_on(hotdog_row, bench).answer
    )


SCORES = {"logme": -0.4, "leep": -0.3}


def test_exercise_5_says_what_does_best_with_how_many_images(tmp_path, monkeypatch):
    given = {name: experiment(name).learning_rate for name in ("frozen-locked", "finetune", "scratch")}
    monkeypatch.setattr(strategy, "STRATEGIES", dict.fromkeys(given, {}))

    def accuracy(f, e, seed):
        assert e.learning_rate != given[e.name]  # another one was chosen
        few = {"frozen-locked": 0.8, "finetune": 0.7 + 0.2 * seed, "scratch": 0.5}
        many = {"frozen-locked": 0.8, "finetune": 0.9, "scratch": 0.91 if f == "torch" else 0.6}
        return {50: few, 200: few, None: many}[e.train_images][e.name] + 0.01 * seed

    def held_out(e):  # frozen features take the highest rate, the others the lowest
        return e.learning_rate if e.name == "frozen-locked" else -e.learning_rate

    bench = made_up(tmp_path, accuracy, holdout=held_out)
    bench.measurement = lambda name: dict.fromkeys(FRAMEWORKS, SCORES)
    report = report_on(strategy, bench)
    text = " ".join(report.answer)
    assert (
        "With 50 training images frozen-locked does best (0.805; finetune is 0.0 ± 127.1 points behind, undecided) in Gluon"
        in text
    )
    assert (
        "With all 500 training images finetune does best (0.905; frozen-locked is 10.0 ± 0.0 points behind, decided) in"
        in text
    )
    assert "scratch does best (0.915; finetune is 1.0 ± 0.0 points behind, decided) in PyTorch" in text
    assert "with all 500 30.0 ± 0.0 (ahead) in Gluon and -1.0 ± 0.0 (behind) in PyTorch" in text
    assert (
        "of the source network on all 500 training images: LogME -0.400 in Gluon and -0.400 in PyTorch; LEEP -0.300"
        in text
    )
    searched, found = report.tables
    assert searched.header == ["strategy", "50", "200", "all 500"]
    assert searched.rows[0][1] == "0.03 (0.030, highest)" and searched.rows[2][1] == "0.03 (-0.030, lowest)"
    assert found.header[-2:] == ["Gluon, all 500", "PyTorch, all 500"] and found.rows[1][-1] == "0.905 ± 0.064"


def spoiled_by(monkeypatch, accuracy):
    """Let every run have been measured on spoiled images, with what `accuracy(run, images, arm)` says."""

    def recorded(run):
        mixed = {name: {arm: accuracy(run, name, arm) for arm in spoiled.ARMS} for name in spoiled.CORRUPTIONS}
        return spoiled.Spoiled(mixed, {arm: accuracy(run, "class by class", arm) for arm in spoiled.ARMS})

    monkeypatch.setattr(spoiled, "recorded", recorded)


def test_exercise_6_says_what_spoils_what_helps_and_what_the_order_does(tmp_path, monkeypatch):
    def accuracy(run, images, arm):
        tent = arm.startswith("Tent")
        if images == "class by class":
            return 0.8 if arm == spoiled.AS_IT_IS else 0.52 if tent else 0.55
        if images == "darkened":
            helped = 0.7 + 0.1 * run.seed if run.framework == "torch" else 0.7
            return 0.5 if arm == spoiled.AS_IT_IS else helped + 0.02 * tent
        if images == "shifted":
            return 0.6 if arm == spoiled.AS_IT_IS else 0.55
        return 0.8

    spoiled_by(monkeypatch, accuracy)
    report = report_on(adapting, made_up(tmp_path, lambda f, e, seed: 0.8))
    text = " ".join(report.answer)
    assert "reaches 0.800 ± 0.000 in Gluon and 0.800 ± 0.000 in PyTorch on the test images as they are" in text
    assert "darkened 30.0 ± 0.0 in Gluon and 30.0 ± 0.0 in PyTorch; noisy 0.0 ± 0.0 in Gluon" in text
    assert "in points: darkened 20.0 ± 0.0 (better) in Gluon and 25.0 ± 63.5 (undecided) in PyTorch" in text
    assert "shifted -5.0 ± 0.0 (worse) in Gluon" in text
    assert "over both rates and all images, 0.0 to 2.0 points in Gluon" in text
    assert "the seeds decide 2 of 8 for better and 0 for worse in Gluon" in text
    assert (
        "falls from 0.800 to 0.550 in Gluon and 0.800 to 0.550 in PyTorch, Tent at its higher rate from 0.800 to 0.520"
        in text
    )
    rows = {(images, arm): cells for images, arm, *cells in report.tables[0].rows}
    assert len(rows) == 16 and rows["darkened", spoiled.STATISTICS][2] == "20.0 ± 0.0"
    assert rows["darkened", "Tent, rate 1"][2] == "2.0 ± 0.0" and rows["darkened", spoiled.AS_IT_IS][2:] == ["–", "–"]
    assert [row[-2] for row in report.tables[1].rows] == ["–", "25.0 ± 0.0", "28.0 ± 0.0", "28.0 ± 0.0"]


def test_intervals_are_students():
    # t(0.975, 2) = 4.303
    interval = t_interval([1.0, 2.0, 3.0])
    assert (interval.mean, interval.half) == (2.0, pytest.approx(4.303 / math.sqrt(3), rel=1e-3))
    assert t_interval([1.0]).half is None
    assert str(t_interval([0.5])) == "0.500"


@pytest.mark.parametrize(
    ("a", "b", "sign", "says"),
    [
        # the difference is the same in every pair, however far the pairs are apart
        ([0.5, 0.7, 0.9], [0.4, 0.6, 0.8], "positive", "10.0 ± 0.0"),
        ([0.4, 0.6, 0.8], [0.5, 0.7, 0.9], "negative", "-10.0 ± 0.0"),
        ([0.5, 0.7, 0.9], [0.4, 0.9, 0.7], "undecided", "3.3 ± 51.7"),
        ([0.5, 0.7], [0.5, 0.7], "undecided", "0.0 ± 0.0"),
        ([0.9], [0.1], "undecided", "80.0"),  # one pair decides nothing
    ],
)
def test_arms_are_compared_pair_by_pair(a, b, sign, says):
    assert (difference(a, b).sign, difference(a, b).in_points()) == (sign, says)
    with pytest.raises(ValueError):
        difference(a, [*b, 0.5])


def test_words_for_frameworks_rates_and_ends():
    assert each(["gluon"], str.upper) == "GLUON in Gluon"
    assert each(["gluon", "torch"], len) == "5 in Gluon and 5 in PyTorch"
    assert [listed([0.1, 0.03, 0.01][:n]) for n in (1, 2, 3)] == ["0.1", "0.1 and 0.03", "0.1, 0.03 and 0.01"]
    tried = [0.1, 0.01, 0.03]
    assert [end_of_sweep(rate, tried) for rate in tried] == ["the highest rate tried", "the lowest rate tried", ""]


@pytest.mark.parametrize("number", EXERCISES)
@pytest.mark.parametrize("frameworks", [["gluon"], ["torch"], ["gluon", "torch"]])
def test_every_caption_and_answer_is_whole_sentences_whatever_the_frameworks(number, frameworks, tmp_path, monkeypatch):
    spoiled_by(monkeypatch, lambda run, images, arm: 0.7 + 0.01 * run.seed)
    rows = [{"label": name, "auc": 0.7, "accuracy": 0.6} for name in ("hotdog", "photocopier", "mug")]
    scores = {"hotdog": [1.0, 2.0], "other": [0.0, 1.0]}
    measured = {
        "limit": 0.05, **SCORES,
        "images": 4, "hotdog": 0, "wrong": 1, "rows": rows,
        "fills": {rest: rows[0] for rest in ("mean", "nearest", "zero")},
        "scores": {"hotdog": scores, "photocopier": scores},
    }  # fmt: skip
    bench = made_up(tmp_path, lambda f, e, seed: 0.7 + 0.01 * seed)
    bench.measurement = lambda name: dict.fromkeys(frameworks, measured)
    for seeds in ([0], [0, 1]):
        bench.frameworks, bench.seeds = frameworks, seeds
        report = report_on(EXERCISES[number], bench)
        for text in [*report.answer, *(table.caption for table in report.tables)]:
            assert text[0].isupper() or text[0].isdecimal(), text
            assert text.endswith(".") and ".." not in text and "  " not in text and " ." not in text, text
        assert all(len(row) == len(table.header) for table in report.tables for row in table.rows)
        names = " ".join(report.answer)
        assert [f"in {NAMES[f]}" in names.replace("In ", "in ") for f in FRAMEWORKS] == [
            f in frameworks for f in FRAMEWORKS
        ]
        report.save_picture(tmp_path / "picture.png")


def test_an_answer_to_other_settings_is_kept(tmp_path):
    bench = made_up(tmp_path, lambda f, e, seed: 0.9)
    report = report_on(freezing, bench)
    write(bench, report, {"limit": 8})
    report.save_picture(tmp_path / "picture.png")
    write(bench, report, {"limit": 8})
    assert not list(tmp_path.glob("earlier-*"))
    write(bench, report, {"limit": 9})
    names = {"answer.md", "exercise.json", "picture.png"}
    assert {file.name for file in (tmp_path / "earlier-1").iterdir()} == names
    assert (tmp_path / "answer.md").is_file() and '"limit": 9' in (tmp_path / "exercise.json").read_text()
