"""Exercise 1: keep raising the learning rate."""

import math
from dataclasses import replace

from shared.exercises.bench import (
    Bench,
    Report,
    accuracies,
    at_the_end,
    each,
    epochs_of,
    half_interval,
    intervals,
    listed,
    losses,
    mark,
    one_digit,
    paired_differences,
    points,
    sign,
    spread,
)
from shared.runs.figures import COLOURS, LINES
from shared.runs.frameworks import NAMES
from shared.runs.tables import mean


def learning_rate(bench: Bench) -> Report:
    """Exercise 1: what becomes of fine-tuning when its learning rate goes up and up, and which layer breaks first?"""
    base = replace(bench.experiment("finetune"), num_epochs=bench.epochs or 2)
    rates = [one_digit(base.learning_rate * factor) for factor in (1 / 10, 1 / 3, 1, 10 / 3, 10, 100 / 3, 100)]
    tenfold = [replace(base, learning_rate=rate) for rate in rates]
    same = [replace(e, head_lr_mult=1.0) for e in tenfold]
    found = dict(zip([*tenfold, *same], bench.train([*tenfold, *same]), strict=True))
    limit = {f: record["limit"] for f, record in bench.measure("limit").items()}

    def accuracy(e, f):
        return mean(accuracies(found[e][f]))

    best = {f: max(found, key=lambda e, f=f: accuracy(e, f)) for f in bench.frameworks}

    def broke(e, f):
        return accuracy(e, f) < (accuracy(best[f], f) + bench.chance) / 2

    def rows(sweep):
        return [
            [f"{e.learning_rate:g}", f"{e.learning_rate * e.head_lr_mult:g}"]
            + [
                text
                for f in bench.frameworks
                for text in (
                    spread(accuracies(found[e][f])) + ", broke" * broke(e, f),
                    f"{mean(losses(found[e][f])):.3g}",
                )
            ]
            for e in sweep
        ]

    header = ["lr of the features", "lr of the output layer"]
    header += [f"{NAMES[f]} {what}" for f in bench.frameworks for what in ("test accuracy", "training loss")]
    many = f"{base.head_lr_mult:g} times"
    gaps = {
        (ten, f): paired_differences(found[ten][f], found[one][f])
        for ten, one in zip(tenfold, same, strict=True)
        for f in bench.frameworks
    }
    kinds = {1: "better", 0: "undecided", -1: "worse"}
    tables = [
        (
            f"The output layer at {many} the features' rate ({epochs_of(base)}, {intervals(bench.seeds)}; broke: nearer "
            "to chance than to the best).",
            header,
            rows(tenfold),
        ),
        ("The output layer at the features' own rate.", header, rows(same)),
        (
            f"What {many} the rate at the output layer adds to the test accuracy, in points.",
            ["lr of the features", *(NAMES[f] for f in bench.frameworks)],
            [
                [
                    f"{e.learning_rate:g}",
                    *(f"{points(gaps[e, f])}, {kinds[sign(gaps[e, f])]}" for f in bench.frameworks),
                ]
                for e in tenfold
            ],
        ),
    ]

    def top(sweep, f):
        e = max(sweep, key=lambda e: accuracy(e, f))
        even = sum(sign(paired_differences(found[e][f], found[o][f])) == 0 for o in sweep if o is not e)
        notes = [
            at_the_end(e, sweep),
            f"the seeds do not tell it from {even} of the {len(sweep) - 1} others" if even else "",
        ]
        notes = "; ".join(filter(None, notes))
        return f"{spread(accuracies(found[e][f]))} at {e.learning_rate:g}" + (f" ({notes})" if notes else "")

    def first_broken(f):
        top = max(tenfold, key=lambda e: accuracy(e, f)).learning_rate
        above = (e.learning_rate for e in tenfold if e.learning_rate > top and broke(e, f))
        return next((f"at {rate:g}" for rate in above), "at no rate tried")

    def decided(f):
        some = {s: [e.learning_rate for e in tenfold if sign(gaps[e, f]) == s] for s in (1, -1)}
        return " and ".join(f"{kinds[s]} at {listed(rates)}" for s, rates in some.items() if rates) or "undecided"

    answer = [
        f"With the output layer at {many} the features' rate fine-tuning does best with "
        + each(bench.frameworks, lambda f: top(tenfold, f))
        + ", and breaks "
        + each(bench.frameworks, first_broken)
        + ". With the output layer at the features' own rate the best is "
        + each(bench.frameworks, lambda f: top(same, f))
        + ".",
        f"Does {many} the rate at the output layer help, the features' rate being the same? It is "
        + each(bench.frameworks, decided)
        + "; at all other rates the seeds do not decide.",
        "Up to a rate of "
        + each(bench.frameworks, lambda f: f"{limit[f]:.2g}")
        + " the output layer cannot overshoot on the features that training starts with; at "
        + f"{many} the features' rate that is reached when theirs is "
        + each(bench.frameworks, lambda f: f"{limit[f] / base.head_lr_mult:.2g}")
        + ".",
    ]
    for f in bench.frameworks:
        # the lowest rate that the features bear, and the output layer at ten times of it does not
        pairs = zip(tenfold, same, strict=True)
        alone = next((ten for ten, one in pairs if broke(ten, f) and not broke(one, f)), None)
        if alone is None:
            answer.append(f"In {NAMES[f]} no rate tried breaks the output layer alone.")
            continue
        cost = [-gap for gap in gaps[alone, f]]
        answer.append(
            f"In {NAMES[f]}, with the features at {alone.learning_rate:g}, {many} that rate for the output layer costs "
            f"{points(cost)} points of accuracy"
            + (
                ": it is the output layer that breaks first."
                if sign(cost) > 0
                else "; the seeds do not tell that from nothing."
            )
        )

    def draw(figure):
        left, right = figure.subplots(1, 2)
        handles = []
        for kind, sweep, colour, factor in (
            ("ten times the", tenfold, COLOURS["finetune"], base.head_lr_mult),
            ("the same", same, "#7f7f7f", 1),
        ):
            for k, f in enumerate(bench.frameworks):
                x = [e.learning_rate * (1 + 0.06 * k) for e in sweep]  # beside each other, not upon each other
                y = [accuracy(e, f) for e in sweep]
                half = [half_interval(accuracies(found[e][f])) or 0 for e in sweep]
                style = {"color": colour, "linestyle": LINES[f], "marker": "o", "markersize": 3}
                label = f"{NAMES[f]}, output layer at {kind} rate"
                handles.append(left.errorbar(x, y, half, capsize=2, elinewidth=0.8, label=label, **style))
                right.plot(x, [min(mean(losses(found[e][f])), 1e6) for e in sweep], **style)
            for panel in (left, right):
                line = panel.axvline(mean(limit.values()) / factor, color=colour, linewidth=1.2, alpha=0.6)
            handles.append(line)
            line.set_label(f"limit of the output layer at {kind} rate")
        guessing = math.log(len(found[tenfold[0]][bench.frameworks[0]][0].dataset["classes"]))  # nats
        mark(left, bench.chance, "chance")
        mark(right, guessing, "guessing")
        for panel in (left, right):
            panel.set(xscale="log", xlabel="learning rate of the features")
            panel.grid(alpha=0.3)
        left.set(ylabel="test accuracy", ylim=(0.3, 1))
        right.set(ylabel="training loss, nats", yscale="log")
        right.yaxis.set_major_formatter("{x:g}")
        right.yaxis.set_minor_formatter("{x:g}")
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)

    return Report("Keep raising the learning rate", tables, answer, draw)
