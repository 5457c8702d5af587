"""How the learning rates of `shared.experiments.PRESETS` were chosen: from runs on held-out training images in `results/sweep`.

The rule was written down before the runs that it judges were finished (see this file's history). An epoch's accuracy swings, so a
rate is judged by where its runs stay: the mean held-out accuracy of the last three epochs, over seeds. Of the rates within one
point of the best, the one whose runs swing least in those epochs is taken.
"""

from collections import defaultdict
from dataclasses import dataclass

from shared.book.recorded import finished
from shared.parity.design import ENDPOINT_EPOCHS
from shared.runs.tables import markdown_table, mean, show

NEAR = 0.01  # to the best held-out accuracy: one point


@dataclass(frozen=True)
class Tried:
    """Runs of an experiment at one rate. accuracy, swing: of the last epochs, means over seeds. loss: the last training loss."""

    experiment: str
    batch_size: int
    rate: float
    seeds: int
    accuracy: float
    swing: float
    loss: float


def tried(name: str) -> dict[str, list[Tried]]:
    """{experiment: what was tried, by rate} from the finished runs below `results/name`."""
    runs = defaultdict(list)
    for run in finished(name):
        e = run.experiment
        runs[e["name"], e["batch_size"], e["learning_rate"]].append(run)
    found = defaultdict(list)
    for (experiment, batch_size, rate), group in sorted(runs.items()):
        last = [[e["test_accuracy"] for e in run.epochs[1:]][-ENDPOINT_EPOCHS:] for run in group]
        found[experiment].append(
            Tried(
                experiment,
                batch_size,
                rate,
                len(group),
                accuracy=mean(mean(values) for values in last),
                swing=mean(max(values) - min(values) for values in last),
                loss=mean(run.epochs[-1]["train_loss"] for run in group),
            )
        )
    return dict(found)


def chosen(rates: list[Tried]) -> Tried:
    """By the rule above."""
    best = max(one.accuracy for one in rates)
    return min((one for one in rates if one.accuracy >= best - NEAR), key=lambda one: one.swing)


def table(name: str = "sweep") -> str:
    """All that was tried, with a mark on what was taken."""
    header = ["experiment", "batch", "lr", "seeds", "held-out accuracy", "swing", "training loss", ""]
    rows = []
    for rates in tried(name).values():
        taken = chosen(rates)
        for one in rates:
            row = [one.experiment, str(one.batch_size), f"{one.rate:g}", str(one.seeds)]
            rows.append([*row, show(one.accuracy), show(one.swing), show(one.loss), "taken" if one is taken else ""])
    return markdown_table(header, rows)
