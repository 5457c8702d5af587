"""Tables and sentences made from run records. Nothing here is known before the runs are."""

import statistics

from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.record import Run


def mean(values) -> float | None:
    """The mean of those `values` that are not None, or None when there are none."""
    values = [v for v in values if v is not None]
    return statistics.fmean(values) if values else None


def show(value: float | None, form: str = ".3f") -> str:
    """`value` in the format `form`, a dash for None."""
    return "–" if value is None else format(value, form)


def plural(number: int, noun: str) -> str:
    """`number` of a thing, in words: "1 epoch", "5 epochs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def title(run: Run) -> str:
    """The experiment's name, with the reused row's number and label, and a precision other than float32, where there is one."""
    row, precision = run.source["row"], run.device.get("precision", "fp32")
    name = run.experiment["name"] + ("" if row is None else f" {row} ({run.source['row_label']})")
    return name if precision == "fp32" else f"{name} in {precision}"


def grouped(found: list[Run]) -> list[dict[str, list[Run]]]:
    """Runs that differ in framework and seed only, together: per group {framework: its runs}, in order of first appearance.

    Of several runs with the same seed the last one counts.
    """
    groups = {}
    for run in found:
        groups.setdefault(run.key(), {f: {} for f in FRAMEWORKS})[run.framework][run.seed] = run
    return [{f: list(by_seed.values()) for f, by_seed in per.items()} for per in groups.values()]


def any_of(per: dict[str, list[Run]]) -> Run:
    """One run of a group."""
    return next(run for group in per.values() for run in group)


def results_table(found: list[Run]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, one per group of runs: test accuracy (epoch 0 → last epoch), difference and speed per framework."""
    header = ["experiment", "data", "lr × output", "epochs", *NAMES.values(), "difference", "images/s", "seeds"]
    rows = []
    for per in grouped(found):
        some = any_of(per)
        e, data = some.experiment, f"{some.dataset['name']}, {some.dataset['train']} + {some.dataset['test']}"
        if some.dataset["tested_on"] != "test":
            data += " held out"
        first = {f: mean(run.epochs[0]["test_accuracy"] for run in per[f]) for f in FRAMEWORKS}
        last = {f: mean(run.test_accuracy for run in per[f]) for f in FRAMEWORKS}
        rows.append(
            [title(some), data, f"{e['learning_rate']:g} × {e['head_lr_mult']:g}", str(e["num_epochs"])]
            + [
                f"{show(first[f])} → {show(last[f])}" + ", diverged" * any(map(diverged, per[f])) if per[f] else "–"
                for f in FRAMEWORKS
            ]
            + [difference(per)]
            + [" / ".join(show(mean(run.images_per_second for run in per[f]), ".1f") for f in FRAMEWORKS)]
            + [" / ".join(str(len(per[f])) for f in FRAMEWORKS)]
        )
    return header, rows


def diverged(run: Run) -> bool:
    """Whether the training loss was no finite number in the last epoch; the accuracy is chance then."""
    return len(run.epochs) > 1 and run.epochs[-1]["train_loss"] is None


def epochs_table(found: list[Run]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, two per experiment (one per framework): test accuracy at every epoch, difference of the last, speed."""
    epochs = max(run.experiment["num_epochs"] for run in found)
    header = ["experiment", "framework", *(f"epoch {i}" for i in range(epochs + 1)), "difference", "images/s"]
    rows = []
    for per in grouped(found):
        for f in (f for f in FRAMEWORKS if per[f]):
            accuracies = [
                show(mean(run.epochs[i]["test_accuracy"] for run in per[f] if i < len(run.epochs)))
                for i in range(epochs + 1)
            ]
            rows.append(
                [title(per[f][0]) if f == next(f for f in FRAMEWORKS if per[f]) else "", NAMES[f], *accuracies]
                + [difference(per) if f == FRAMEWORKS[-1] else ""]
                + [show(mean(run.images_per_second for run in per[f]), ".0f")]
            )
    return header, rows


def seeds_table(found: list[Run]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, one per experiment: mean ± standard deviation over seeds of the test accuracy, first and last."""
    header = ["experiment", "seeds"]
    header += [f"{name} {when}" for when in ("epoch 0", "last epoch") for name in NAMES.values()] + ["difference"]
    rows = []
    for per in grouped(found):
        row = [title(any_of(per)), " / ".join(str(len(per[f])) for f in FRAMEWORKS)]
        for epoch in (0, -1):
            for f in FRAMEWORKS:
                values = [run.epochs[epoch]["test_accuracy"] for run in per[f]]
                spread = statistics.stdev(values) if len(values) > 1 else None
                row.append(f"{show(mean(values))} ± {show(spread)}")
        rows.append([*row, difference(per)])
    return header, rows


def difference(per: dict[str, list[Run]]) -> str:
    """PyTorch's final accuracy minus Gluon's, signed: the mean over the seeds that both have, a dash where there is none."""
    gluon, torch = ({run.seed: run.test_accuracy for run in per[f]} for f in FRAMEWORKS)
    return show(mean(torch[seed] - gluon[seed] for seed in gluon if seed in torch), "+.3f")


def sentences(found: list[Run]) -> list[str]:
    """One sentence per experiment, saying what its numbers show beside the others' of the same `found` runs."""
    groups = grouped(found)
    by_name = {}
    for per in groups:
        by_name.setdefault(any_of(per).experiment["name"], per)

    def each(per, value):
        parts = [f"{show(value(f))} in {NAMES[f]}" for f in FRAMEWORKS if per[f]]
        return " and ".join(parts)

    def last(per, f):
        return mean(run.test_accuracy for run in per[f])

    def first(per, f):
        return mean(run.epochs[0]["test_accuracy"] for run in per[f])

    finetune = by_name.get("finetune")
    lines = []
    for per in groups:
        some = any_of(per)
        name, epochs = some.experiment["name"], some.experiment["num_epochs"]
        text = f"{title(some)}: test accuracy {each(per, lambda f, per=per: last(per, f))} after "
        text += plural(epochs, "epoch")
        if name == "hotdog-row":
            text += f"; before any training, with only the {some.source['row_label']} row in place, " + each(
                per, lambda f, per=per: first(per, f)
            )
        elif name != "finetune" and finetune:
            gaps = [(f, last(finetune, f) - last(per, f)) for f in FRAMEWORKS if per[f] and finetune[f]]
            text += "; fine-tuning is " + " and ".join(
                f"{abs(gap) * 100:.1f} points {'ahead' if gap >= 0 else 'behind'} in {NAMES[f]}" for f, gap in gaps
            )
        elif name == "finetune":
            text += f", from {each(per, lambda f, per=per: first(per, f))} before"
        lines.append(text + ".")
    return lines


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """The table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def where_they_ran(found: list[Run]) -> list[str]:
    """One line per framework: the devices its runs used, and why."""
    lines = []
    for framework in FRAMEWORKS:
        devices = {f"{r.device['used']} ({r.device['why']})" for r in found if r.framework == framework}
        if devices:
            lines.append(f"{framework} ran on {', '.join(sorted(devices))}")
    return lines
