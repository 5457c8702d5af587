"""How the learning rates of `shared.experiments.PRESETS` were chosen: from runs on held-out training images in `results/sweep`.

An epoch's accuracy swings, at high rates by ten points, and what is wanted is a rate at which it is high *and* stays. So a run
is worth the lowest held-out accuracy of its last three epochs, and the rate is taken whose runs are worth most, on average.

(The first rule, written down while the sweep went on, took the highest mean of those epochs, and of rates within a point of it the
one that swings least. When the runs of `frozen-locked` were there, it would have taken the rate at which they swing most, so it
was replaced by this one, before `scratch` and `hotdog-row` had been swept. No test image has a part in either.)
"""

from collections import defaultdict
from dataclasses import dataclass

from shared.book.recorded import finished
from shared.parity.design import ENDPOINT_EPOCHS
from shared.runs.tables import markdown_table, mean, show


@dataclass(frozen=True)
class Tried:
    """Runs of an experiment at one rate: means over seeds.

    accuracy: held-out, of the last three epochs; swing: the highest of them less the lowest; worth: the lowest. loss: the last
    epoch's training loss.
    """

    experiment: str
    batch_size: int
    rate: float
    seeds: int
    accuracy: float
    swing: float
    worth: float
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
                worth=mean(min(values) for values in last),
                loss=mean(run.epochs[-1]["train_loss"] for run in group),
            )
        )
    return dict(found)


def chosen(rates: list[Tried]) -> Tried:
    """By the rule above."""
    return max(rates, key=lambda one: one.worth)


def table(name: str = "sweep") -> str:
    """All that was tried, with a mark on what was taken."""
    header = ["experiment", "batch", "lr", "seeds", "held-out accuracy", "swing", "lowest", "training loss", ""]
    rows = []
    for rates in tried(name).values():
        taken = chosen(rates)
        for one in rates:
            row = [one.experiment, str(one.batch_size), f"{one.rate:g}", str(one.seeds)]
            row += map(show, (one.accuracy, one.swing, one.worth, one.loss))
            rows.append([*row, "taken" if one is taken else ""])
    return markdown_table(header, rows)
