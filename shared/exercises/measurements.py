"""What features are worth before any training: measured once per framework, recorded."""

import json

import numpy as np

from shared.errors import UserError
from shared.experiments import WRONG_ROW
from shared.files import write_text
from shared.images.draws import OWN
from shared.networks.rows import reused_output
from shared.networks.source import HOTDOG
from shared.runs.frameworks import implementation
from shared.runs.job import Job
from shared.runs.machine import package_versions
from shared.runs.scoring import score


def measure_features(name: str, job: Job):
    """Measure `name` (one of MEASUREMENTS) as `job` would train, in this process, and write it to `out`/`name`-`framework`.json."""
    dataset, network = job.load()
    size, batch_size = job.experiment.size, job.experiment.batch_size
    parts = {part: implementation(job.framework, part) for part in ("data", "nets", "training")}
    device, _ = parts["training"].choose_device(job.device)
    parts["training"].seed_everything(0)
    net = parts["nets"].pretrained_net(network)

    def features_of(split, training=False):
        if training:
            batches = parts["data"].train_iter(split, size, batch_size, job.seed, job.draws, job.workers)
        else:
            batches = parts["data"].test_iter(split, size, batch_size, job.workers)
        return parts["training"].predict_features(net, batches, device, training)

    record = MEASUREMENTS[name](features_of, dataset, network)
    record["settings"] = measured_with(name, dataset.fingerprint, network.fingerprint, size, batch_size, job.draws)
    record |= {"device": str(device), "versions": package_versions()}
    text = json.dumps(record, indent=None if name == "rows" else 1)
    write_text(job.out / f"{name}-{job.framework}.json", text + "\n")


def measured_with(name, data, source, size, batch_size, draws) -> dict:
    """What a measurement depends on: fingerprints, the side of the crops; for features of training views, batch and draws."""
    settings = {"data": data, "source": source, "size": size}
    if name == "limit":
        settings["batch_size"] = batch_size
        settings |= {} if draws == OWN else {"draws": draws}  # the first records, with own draws, did not say
    return settings


def check_rows(source, dataset):
    """Raise UserError where exercise 4 has nothing to compare: without both rows, a third, and two classes of images."""
    try:
        _ = source.row(HOTDOG), source.row(WRONG_ROW), dataset.hotdog_slot
    except UserError as error:
        raise UserError(
            f"exercise 4 needs output rows labelled {HOTDOG} and {WRONG_ROW}, and a class {HOTDOG}: {error}"
        ) from None
    if source.architecture.classes < 3 or len(dataset.classes) != 2:
        raise UserError(
            f"exercise 4 compares rows for two classes of images; {source.name} has {source.architecture.classes} rows "
            f"(at least 3 are needed), {dataset.name} has {len(dataset.classes)} classes"
        )


def stability_limit(features_of, dataset, source) -> dict:
    """Up to which rate the output layer cannot overshoot, on the features that the first epoch of fine-tuning would give it.

    Those are of random views, normalised by the batch: training never sees the running statistics. The Hessian of the mean
    cross-entropy over the output layer's weights and biases is at most half the second moment of the features (with a 1 appended
    for the bias); for two classes it is that where both have probability one half. Gradient descent on a quadratic diverges
    above 2 / (largest eigenvalue), hence above 4 / (largest eigenvalue of the second moment).
    """
    features, _ = features_of(dataset.train, training=True)
    extended = np.column_stack([features.astype(np.float64), np.ones(len(features))])
    largest = float(np.linalg.eigvalsh(extended.T @ extended / len(extended))[-1])
    return {"limit": 4 / largest}


def row_scores(features_of, dataset, source) -> dict:
    """What every row of the source's output layer says of the test images, as a detector of hot dogs, before any training.

    A row's score is its logit less the mean logit of all other rows. rows: per row its label, AUC, and accuracy of
    "score above 0"; fills: the same for the hot dog row against other stand-ins for the other class; scores: of the images.
    """
    features, labels = features_of(dataset.test)
    features, is_hotdog = features.astype(np.float64), labels == dataset.hotdog_slot
    weight, bias = (source.tensors[f"output.{leaf}"].astype(np.float64) for leaf in ("weight", "bias"))
    logits = features @ weight.T + bias
    count = logits.shape[1]
    above = (logits * count - logits.sum(axis=1, keepdims=True)) / (count - 1)
    hotdog, wrong = source.row(HOTDOG), source.row(WRONG_ROW)
    rests = {}
    for rest in ("mean", "nearest", "zero"):
        new = {"output.weight": np.zeros((2, weight.shape[1])), "output.bias": np.zeros(2)}
        layer = reused_output(source, hotdog, 0, new, rest)
        logits_of_two = features @ layer["output.weight"].T + layer["output.bias"]
        rests[rest] = detector(logits_of_two[:, 0] - logits_of_two[:, 1], is_hotdog)
    return {
        "images": len(labels),
        "hotdog": hotdog,
        "wrong": wrong,
        "rows": [{"label": source.label(i)} | detector(above[:, i], is_hotdog) for i in range(count)],
        "fills": rests,
        "scores": {
            source.label(row): {
                name: [round(float(score), 3) for score in above[chosen, row]]
                for name, chosen in (("hotdog", is_hotdog), ("other", ~is_hotdog))
            }
            for row in (hotdog, wrong)
        },
    }


def detector(scores: np.ndarray, is_hotdog: np.ndarray) -> dict:
    """How well `scores` (N,) tell hot dogs (N,) bool: `auc`, and `accuracy` of "score above 0"."""
    from scipy.stats import mannwhitneyu  # takes a second to load

    yes, no = scores[is_hotdog], scores[~is_hotdog]
    # Mann and Whitney's U counts the pairs that are in the right order, half a pair for a tie.
    area = mannwhitneyu(yes, no).statistic / (len(yes) * len(no))
    return {"auc": float(area), "accuracy": float(((scores > 0) == is_hotdog).mean())}


def transferability(features_of, dataset, source) -> dict:
    """LEEP and LogME of the source network on the training images, as evaluation sees them: what they say before any training."""
    return score(source, *features_of(dataset.train))


MEASUREMENTS = {"limit": stability_limit, "rows": row_scores, "transferability": transferability}
