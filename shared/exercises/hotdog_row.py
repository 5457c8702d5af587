"""Exercise 4: use the source network's own hot dog row."""

import statistics

from matplotlib.patches import Patch

from shared.exercises.bench import Bench, Report, accuracies, each, intervals, paired_differences, points, sign, spread
from shared.experiments import WRONG_ROW
from shared.networks.rows import NEAREST
from shared.networks.source import HOTDOG
from shared.runs.figures import COLOURS
from shared.runs.frameworks import NAMES

FILLS = {
    "mean": "the mean of all other rows",
    "nearest": f"the mean of the {NEAREST} most similar rows",
    "zero": "zero",
    "random": "a random row",
}


def hotdog_row(bench: Bench) -> Report:
    """Exercise 4: what the source network's own hot dog row is worth in the output layer, before training and after."""
    scores = bench.measure("rows")
    some = scores[bench.frameworks[0]]
    hotdog, wrong = some["hotdog"], some["wrong"]
    epochs = {"num_epochs": bench.epochs or 1}
    variants = {
        f"row {hotdog} ({HOTDOG}), other class {text}": bench.experiment("hotdog-row", other_row=fill, **epochs)
        for fill, text in FILLS.items()
    }
    variants |= {
        f"row {wrong} ({WRONG_ROW}), other class {FILLS['mean']}": bench.experiment(
            "hotdog-row", row=WRONG_ROW, **epochs
        ),
        "two random rows (finetune)": bench.experiment("finetune", **epochs),
    }
    found = dict(zip(variants, bench.train(list(variants.values())), strict=True))
    others = [i for i in range(len(some["rows"])) if i not in (hotdog, wrong)]

    def auc(f, row):
        return scores[f]["rows"][row]["auc"]

    def both(value):
        return [value(f) for f in bench.frameworks]

    def numbers(value):
        return both(lambda f: f"{value(f)['auc']:.3f}") + both(lambda f: f"{value(f)['accuracy']:.3f}")

    names = [NAMES[f] for f in bench.frameworks]
    header = [f"{name} {what}" for what in ("AUC", "accuracy") for name in names]
    best = max(others, key=lambda i: auc(bench.frameworks[0], i))
    rows = [
        [f"{i} ({some['rows'][i]['label']})" + note, *numbers(lambda f, i=i: scores[f]["rows"][i])]
        for i, note in ((hotdog, ""), (wrong, ""), (best, f", the best of the {len(others)} others"))
    ]
    median = both(lambda f: f"{statistics.median(auc(f, i) for i in others):.3f}")
    rows.append([f"the {len(others)} others, median", *median, *both(lambda f: "–")])
    stand_ins = [[FILLS[fill], *numbers(lambda f, fill=fill: scores[f]["fills"][fill])] for fill in some["fills"]]
    after = f"after {epochs['num_epochs']} epoch{'s' * (epochs['num_epochs'] != 1)}"
    tables = [
        (
            f"Every row as a detector of hot dogs, nothing trained: its logit less the mean of all others, "
            f"on {some['images']} test images.",
            ["row", *header],
            rows,
        ),
        ("The hot dog row against what may stand for the other class.", ["the other class", *header], stand_ins),
        (
            f"As an output layer: test accuracy before training and {after} ({intervals(bench.seeds)}).",
            ["output layer", *[f"{name} {when}" for when in ("before", "after") for name in names]],
            [
                [name, *both(lambda f, per=per: spread(accuracies(per[f], 0)))]
                + both(lambda f, per=per: spread(accuracies(per[f])))
                for name, per in found.items()
            ],
        ),
    ]
    with_row, without = found[next(iter(variants))], found[list(variants)[-1]]
    gains = {f: paired_differences(with_row[f], without[f]) for f in bench.frameworks}
    ahead = {f: sum(auc(f, i) > auc(f, hotdog) for i in others) for f in bench.frameworks}

    def start(fill):
        return each(bench.frameworks, lambda f: f"{scores[f]['fills'][fill]['accuracy']:.3f}")

    def told(f):
        kind = {1: "still ahead", 0: "which the seeds do not tell from nothing", -1: "behind"}[sign(gains[f])]
        return f"{points(gains[f])} points ({kind})"

    answer = [
        "Before any training the hot dog row ranks the test images with an AUC of "
        + each(bench.frameworks, lambda f: f"{auc(f, hotdog):.3f}")
        + f", the {WRONG_ROW}'s row with "
        + each(bench.frameworks, lambda f: f"{auc(f, wrong):.3f}")
        + f"; 0.5 is chance, and below it the order is the wrong way round. Of the {len(others)} other rows, "
        + each(bench.frameworks, lambda f: str(ahead[f] or "none"))
        + " rank the images better than the hot dog's.",
        "What the other class is given sets the threshold: before training the accuracy is "
        + "; ".join(f"{start(fill)} with {FILLS[fill]}" for fill in some["fills"])
        + ".",
        f"{after[0].upper()}{after[1:]} the hot dog row, the others' mean beside it, differs from two random rows by "
        + each(bench.frameworks, told)
        + ".",
    ]

    def draw(figure):
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
        f = bench.frameworks[0]
        for i, label in enumerate((HOTDOG, WRONG_ROW)):
            for j, (kind, colour) in enumerate((("hotdog", COLOURS["hotdog-row"]), ("other", "#1f77b4"))):
                box = left.boxplot(
                    [scores[f]["scores"][label][kind]],
                    positions=[i + 0.32 * j],
                    widths=0.26,
                    patch_artist=True,
                    showfliers=False,
                    medianprops={"color": "black"},
                )
                box["boxes"][0].set(facecolor=colour, alpha=0.7)
        left.axhline(0, color="black", linewidth=0.8, linestyle=":")
        left.set(xticks=[0.16, 1.16], xticklabels=[f"row {hotdog}\n{HOTDOG}", f"row {wrong}\n{WRONG_ROW}"])
        left.set_ylabel("row's logit less the mean of the others")
        kinds = (("hot dogs", COLOURS["hotdog-row"]), ("others", "#1f77b4"))
        left.legend(handles=[Patch(facecolor=c, alpha=0.7, label=k) for k, c in kinds], fontsize=8)
        order = sorted(range(len(some["rows"])), key=lambda i: -auc(f, i))
        colours = [COLOURS["hotdog-row"] if i == hotdog else "black" if i == wrong else "#c7c7c7" for i in order]
        right.bar(range(len(order)), [auc(f, i) for i in order], 1.0 if len(order) > 100 else 0.8, color=colours)
        for i in (hotdog, wrong):
            place = order.index(i)
            side = "left" if place < len(order) / 2 else "right"
            right.text(place, auc(f, i) + 0.02, some["rows"][i]["label"], ha=side, fontsize=8).set_bbox(
                {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
            )
        right.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
        right.set(xlabel=f"all {len(order)} rows, best first", ylabel="AUC as a detector of hot dogs")
        right.set(ylim=(0, 1), xticks=[])
        right.set_title(f"before any training, {NAMES[f]}", fontsize=9)

    return Report("Use the hot dog row", tables, answer, draw)
