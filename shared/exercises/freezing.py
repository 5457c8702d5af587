"""Exercise 3: freeze the features."""

import statistics

from shared.exercises.bench import (
    Bench,
    Report,
    accuracies,
    each,
    epochs_of,
    framework_patches,
    half_interval,
    intervals,
    mark,
    paired_differences,
    points,
    sign,
    spread,
)
from shared.runs.figures import COLOURS, HATCHES
from shared.runs.frameworks import NAMES
from shared.runs.tables import mean, show


def freezing(bench: Bench) -> Report:
    """Exercise 3: what frozen features cost in accuracy, what they save, and what batch normalisation has to do with it."""
    epochs = {"num_epochs": bench.epochs} if bench.epochs else {}
    variants = {
        "finetune": bench.experiment("finetune", **epochs),
        "frozen, normalised by the batch": bench.experiment("frozen", **epochs),
        "frozen, batch normalisation locked": bench.experiment("frozen", lock_batch_norm=True, **epochs),
    }
    # A process each, so that each has a memory of its own.
    found = {name: bench.train([e])[0] for name, e in variants.items()}

    def seconds(name, f):
        return [e["seconds"] for run in found[name][f] for e in run.epochs if e["seconds"]]

    def typical(name, f):
        return statistics.median(seconds(name, f))

    def memory(name, f):
        some = found[name][f]
        if any("cpu" not in run.device["used"] or "peak_mib" not in run.memory for run in some):
            return None  # what a graphics card holds is not known here
        return max(run.memory["peak_mib"] for run in some) - min(run.memory["before_mib"] for run in some)

    weighed = any(memory(name, f) for name in variants for f in bench.frameworks)
    header = ["what is trained"]
    for what in ("test accuracy", "s per epoch", "memory, MiB")[: 3 if weighed else 2]:
        header += [f"{NAMES[f]} {what}" for f in bench.frameworks]
    rows = [
        [name]
        + [spread(accuracies(found[name][f])) for f in bench.frameworks]
        + [f"{typical(name, f):.2f}" for f in bench.frameworks]
        + [show(memory(name, f), ".0f") for f in bench.frameworks if weighed]
        for name in variants
    ]
    devices = [run.device for per in found.values() for some in per.values() for run in some]
    places = {
        d["gpu"] or f"{d['threads']} thread{'s' * (d['threads'] != 1)} of {d['cpu']!r} ({d['used']})" for d in devices
    }
    caption = (
        f"{epochs_of(variants['finetune'])}, {intervals(bench.seeds)}; seconds: the median epoch's training, images loaded, "
        f"on {' and on '.join(sorted(places))}" + ("; memory: what the process grew by." if weighed else ".")
    )
    full, batch, locked = variants

    def change(a, b, value):
        return each(
            bench.frameworks, lambda f: show(value(a, f) / value(b, f) if value(a, f) and value(b, f) else None, ".2f")
        )

    def less(a, b):
        kinds = {1: "ahead", 0: "undecided", -1: "behind"}
        gaps = {f: paired_differences(found[a][f], found[b][f]) for f in bench.frameworks}
        return each(bench.frameworks, lambda f: f"{points(gaps[f])} points ({kinds[sign(gaps[f])]})")

    answer = [
        f"Test accuracy of fine-tuning less that of features frozen and normalised by the batch: {less(full, batch)}; less that of "
        f"features frozen with locked batch normalisation: {less(full, locked)}.",
        f"Locked less batch: {less(locked, batch)}. The features are the same to the bit in both; what differs is what the output "
        "layer is trained on.",
        f"In multiples of fine-tuning's, a frozen epoch takes {change(batch, full, typical)}"
        + (f", and the memory it needs is {change(batch, full, memory)}." if weighed else "."),
    ]

    def draw(figure):
        panels = figure.subplots(1, 3 if weighed else 2)
        colours = (COLOURS["finetune"], COLOURS["frozen"], "#98df8a")
        short = ["fine-\ntuned", "frozen,\nbatch", "frozen,\nlocked"]
        for i, (name, colour) in enumerate(zip(variants, colours, strict=True)):
            for k, f in enumerate(bench.frameworks):
                values = accuracies(found[name][f])
                heights = (mean(values), typical(name, f), memory(name, f) or 0)
                for panel, height, error in zip(panels, heights, (half_interval(values), None, None), strict=False):
                    style = {
                        "color": colour,
                        "hatch": HATCHES[f],
                        "edgecolor": "white",
                        "ecolor": "black",
                        "capsize": 3,
                    }
                    panel.bar(i + 0.4 * k, height, 0.36, yerr=error, **style)
        for panel, title in zip(panels, ("test accuracy", "seconds per epoch", "memory, MiB"), strict=False):
            panel.set(title=title, xticks=[0.2, 1.2, 2.2], xticklabels=short)
        panels[0].set_ylim(0.4, 1)
        mark(panels[0], bench.chance, "chance")
        panels[1].legend(handles=framework_patches(bench.frameworks), fontsize=8)

    return Report("Freeze the features", [(caption, header, rows)], answer, draw)
