"""Exercise 2: tune fine-tuning and training from scratch further."""

from dataclasses import replace

from shared.exercises.bench import (
    Bench,
    Report,
    at_the_end,
    each,
    framework_patches,
    half_interval,
    intervals,
    mark,
    one_digit,
    points,
    sign,
    spread,
)
from shared.runs.figures import COLOURS, HATCHES
from shared.runs.frameworks import NAMES
from shared.runs.record import Run
from shared.runs.tables import mean, show

HOLDOUT = 0.2
# Accuracies swing from one late epoch to the next, from scratch by ten points and more: where a network stays is a mean of these.
SETTLED = 3


def settled(run: Run, epochs: int) -> float:
    """Mean test accuracy after the last three of the first `epochs` epochs of a run."""
    return mean(e["test_accuracy"] for e in run.epochs[1 : epochs + 1][-SETTLED:])


def tuning(bench: Bench) -> Report:
    """Exercise 2: what is left of the difference between fine-tuned and from scratch when both are tuned at equal budget?"""
    most = bench.epochs or 7
    given = {name: bench.experiment(name) for name in ("finetune", "scratch")}
    candidates = {
        name: [replace(e, learning_rate=one_digit(e.learning_rate * f), num_epochs=most) for f in (1 / 3, 1, 10 / 3)]
        for name, e in given.items()
    }
    flat = [e for some in candidates.values() for e in some]
    searched = dict(zip(flat, bench.train(flat, holdout=HOLDOUT, seeds=bench.seeds[:1]), strict=True))
    held_out = {e: mean(settled(run, most) for some in per.values() for run in some) for e, per in searched.items()}
    tuned = {name: max(some, key=held_out.get) for name, some in candidates.items()}
    # Where the rate is the given one, the longer run is the given one as well, up to its last epoch.
    start = {
        name: tuned[name] if (tuned[name].learning_rate, most > e.num_epochs) == (e.learning_rate, True) else e
        for name, e in given.items()
    }
    wanted = [*start.values(), *tuned.values()]
    trained = dict(zip(wanted, bench.train(wanted), strict=True))
    before = {
        name: {f: [settled(run, given[name].num_epochs) for run in trained[e][f]] for f in bench.frameworks}
        for name, e in start.items()
    }
    after = {
        name: {f: [settled(run, most) for run in trained[e][f]] for f in bench.frameworks} for name, e in tuned.items()
    }
    names = [NAMES[f] for f in bench.frameworks]
    tables = [
        (
            f"The search at equal budget: three rates for {most} epochs, trained on {1 - HOLDOUT:.0%} of the training images, "
            f"judged on the others; one seed, mean of the last {min(SETTLED, most)} epochs"
            + " and of both frameworks."
            * (len(bench.frameworks) > 1),
            ["experiment", "lr", "held-out accuracy", ""],
            [
                [e.name, f"{e.learning_rate:g}", show(held_out[e]), "chosen" if e in tuned.values() else ""]
                for e in searched
            ],
        ),
        (
            f"On the test images, mean of the last {min(SETTLED, most)} epochs ({intervals(bench.seeds)}).",
            ["experiment", "setting", "lr", "epochs", *names],
            [
                [name, setting, f"{es[name].learning_rate:g}", str(es[name].num_epochs)]
                + [spread(found[name][f]) for f in bench.frameworks]
                for name in given
                for setting, es, found in (("as given", given, before), ("tuned", tuned, after))
            ],
        ),
    ]

    def gaps(found, f):
        return [a - b for a, b in zip(found["finetune"][f], found["scratch"][f], strict=True)]

    same = " and ".join(name for name in given if tuned[name].learning_rate == given[name].learning_rate)
    ends = [(name, at_the_end(e, candidates[name])) for name, e in tuned.items()]
    ends = ", ".join(f"for {name} {end}" for name, end in ends if end)
    answer = [
        (f"The search chose the given rate for {same}: tuned differs in the number of epochs only. " if same else "")
        + "As given, fine-tuning leads by "
        + each(bench.frameworks, lambda f: f"{points(gaps(before, f))} points")
        + "; with both tuned at the same budget by "
        + each(bench.frameworks, lambda f: f"{points(gaps(after, f))} points")
        + "."
        + (f" What the search chose is {ends}: there may be a better one beyond it." if ends else "")
    ]
    for f in bench.frameworks:
        change = [now - was for was, now in zip(gaps(before, f), gaps(after, f), strict=True)]
        closes = {1: "widens", 0: "is not seen to change", -1: "closes"}[sign(change)]
        ahead = {
            1: "fine-tuning is still ahead",
            0: "the seeds do not decide which of the two is ahead",
            -1: "the network from scratch is ahead",
        }
        answer.append(
            f"In {NAMES[f]} the gap {closes} by tuning ({points(change)} points), and after it {ahead[sign(gaps(after, f))]}."
            + f" From scratch is not told from chance there, {spread(after['scratch'][f])}, so there is little to compare with."
            * (sign([a - bench.chance for a in after["scratch"][f]]) == 0 and len(bench.seeds) > 1)
        )

    def draw(figure):
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for name, some in candidates.items():
            for rank, e in enumerate(some):
                curve = [
                    mean(run.epochs[i]["test_accuracy"] for f in bench.frameworks for run in searched[e][f])
                    for i in range(1, most + 1)
                ]
                style = {"color": COLOURS[name], "marker": "osv"[rank], "markersize": 4, "alpha": 0.4 + 0.3 * rank}
                left.plot(range(1, most + 1), curve, label=f"{name}, lr {e.learning_rate:g}", **style)
        left.set(xlabel="epoch", ylabel="held-out accuracy", title="the search", ylim=(0.4, 1))
        left.grid(alpha=0.3)
        for i, name in enumerate(given):
            for j, (found, alpha) in enumerate(((before, 0.4), (after, 0.9))):
                for k, f in enumerate(bench.frameworks):
                    style = {"color": COLOURS[name], "alpha": alpha, "hatch": HATCHES[f], "edgecolor": "white"}
                    error = half_interval(found[name][f])
                    right.bar(
                        i + 0.42 * j + 0.19 * k,
                        mean(found[name][f]),
                        0.17,
                        yerr=error,
                        ecolor="black",
                        capsize=2,
                        **style,
                    )
        right.set(ylabel="test accuracy", title="as given (pale) and tuned", ylim=(0.4, 1))
        for panel in (left, right):
            mark(panel, bench.chance, "chance")
        right.set(xticks=[0.3, 1.3], xticklabels=list(given))
        right.legend(handles=framework_patches(bench.frameworks), loc="upper right", fontsize=8)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)

    return Report("Tune both further", tables, answer, draw)
