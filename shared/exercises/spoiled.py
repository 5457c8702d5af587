"""How a trained network does on spoiled test images, as it is and adapted: measured at the end of its run, kept beside its record.

What is compared is paired: the same trained network, the same images, the same order.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np

from shared.files import write_text
from shared.images import corruptions
from shared.images.corruptions import CORRUPTIONS, corrupted
from shared.images.draws import order
from shared.images.splits import Dataset
from shared.images.views import normalised
from shared.runs.frameworks import implementation
from shared.runs.record import Run

FILE = "spoiled.json"
AS_IT_IS, STATISTICS = "as it is", "batch statistics"
# Tent's rates for plain SGD. There are few batches (13 of the drawings), so they are far above its authors' for fifty thousand
# images. Looked at beforehand, on the test drawings with one seed: below 0.1 nothing changes, 3 does no better than 1.
RATES = (0.1, 1.0)
ADAPTED = {STATISTICS: 0.0} | {f"Tent, rate {rate:g}": rate for rate in RATES}
ARMS = (AS_IT_IS, *ADAPTED)
MIXED, BY_CLASS = "mixed", "class by class"
CLEAN = next(iter(CORRUPTIONS))


@dataclass(frozen=True)
class Spoiled:
    """Test accuracies of one run's network: mixed {corruption: {arm: accuracy}}; by_class {arm: accuracy}, images as they are."""

    mixed: dict[str, dict[str, float]]
    by_class: dict[str, float]


def settings() -> dict:
    """What the measurement depends on beyond the run, to tell records of other settings."""
    strengths = {name: getattr(corruptions, name) for name in ("BRIGHTNESS", "NOISE", "SHIFT")}
    return {"corruptions": list(CORRUPTIONS), **strengths, "adapted": ADAPTED}


def measure(run: Run, net, dataset: Dataset, device):
    """Measure the network that `run` ended with on `device`, and write it into the run's folder. The network is used up."""
    data, nets, training, adaptation = (
        implementation(run.framework, part) for part in ("data", "nets", "training", "adaptation")
    )
    size, labels = run.experiment["size"], np.array(dataset.test.labels)
    trained = nets.get_tensors(net)
    orders = {MIXED: order(run.seed, 0, len(labels)), BY_CLASS: np.argsort(labels, kind="stable")}
    # in batches of nearly the same size: a last one of a few images would have no statistics to speak of
    parts = -(-len(labels) // run.experiment["batch_size"])

    def batches(pixels, how):
        for chosen in np.array_split(orders[how], parts):
            X = np.stack([normalised(pixels[i], "float32") for i in chosen])
            yield data.as_batch(X, labels[chosen])

    def as_it_is(pixels):
        return _accuracy(*training.predict_probabilities(net, batches(pixels, MIXED), device))

    def adapted(pixels, how, rate):
        nets.set_tensors(net, trained)
        return _accuracy(*adaptation.tent(net, batches(pixels, how), device, rate))

    images = {name: corrupted(dataset.test, size, name) for name in CORRUPTIONS}
    mixed = {name: {AS_IT_IS: as_it_is(pixels)} for name, pixels in images.items()}
    by_class = {AS_IT_IS: mixed[CLEAN][AS_IT_IS]}  # one by one, whatever the order
    for arm, rate in ADAPTED.items():
        for name, pixels in images.items():
            mixed[name][arm] = adapted(pixels, MIXED, rate)
        by_class[arm] = adapted(images[CLEAN], BY_CLASS, rate)
    record = {"settings": settings()} | asdict(Spoiled(mixed, by_class))
    write_text(run.folder / FILE, json.dumps(record, indent=1) + "\n")


def _accuracy(probabilities, labels):
    return float((probabilities.argmax(axis=1) == labels).mean())


def recorded(run: Run) -> Spoiled | None:
    """What was measured at the end of `run`; None where it was not, or with other settings, or the record is damaged."""
    try:
        record = json.loads((run.folder / FILE).read_text(encoding="utf-8"))
        return Spoiled(record["mixed"], record["by_class"]) if record["settings"] == settings() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
