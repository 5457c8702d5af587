"""Which source network suits these images? LEEP and LogME of several, in both frameworks, without training.

Both frameworks are given the same pixels (squashed by Pillow), so that they differ by rounding only.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared import experiments
from shared.files import write_text
from shared.images.feed import Batches
from shared.images.splits import Split
from shared.networks.reading import load_source
from shared.networks.source import Source
from shared.networks.transferability import leep, logme
from shared.runs.failures import explained
from shared.runs.frameworks import NAMES, implementation
from shared.runs.tables import mean, show


@dataclass(frozen=True)
class Score:
    """What a source network is worth for some images, by framework. source: as it was named. size: side of the crops in pixels.

    classes: of the source, 0 for one without an output layer, whose leep is None.
    """

    source: str
    architecture: str
    classes: int
    size: int
    leep: dict[str, float | None]
    logme: dict[str, float]


def size_for(network: Source, size: int | None) -> int:
    """The side of the crops that `network` is given: `size`, or else what it is fine-tuned with here."""
    return experiments.experiment("finetune", experiments.preset_of(network), size=size).size


def measure_sources(framework, specs: list[str], split: Split, classes: int, settings: dict, file: Path):
    """Score the source networks `specs` on the images of `split` in one framework, in this process; write the scores to `file`.

    settings: size (None for each source's own), batch_size, device (auto, cpu, gpu).
    """
    data, nets, training = (implementation(framework, part) for part in ("data", "nets", "training"))
    device, _ = training.choose_device(settings["device"])
    training.seed_everything(0)
    found = {}
    for spec in specs:
        network = load_source(spec)
        size = size_for(network, settings["size"])
        net = nets.finetune_net(network, classes)  # its new output layer is not asked
        batches = Batches(split, size, settings["batch_size"], seed=0, augment=False, dtype="float32")
        try:
            features, labels = training.predict_features(net, (data.as_batch(*batch) for batch in batches), device)
        except Exception as error:
            raise explained(error, [split]) from error
        facts = {"architecture": network.architecture.name, "classes": network.architecture.classes, "size": size}
        found[spec] = facts | score(network, features, labels)
    write_text(file, json.dumps(found))


def score(network: Source, features: np.ndarray, labels: np.ndarray) -> dict:
    """LEEP (None without an output layer) and LogME of a source network, from its features (N, width) of images, `labels` (N,)."""
    features = features.astype(np.float64)
    if network.architecture.classes == 0:
        return {"leep": None, "logme": logme(features, labels)}
    weight, bias = (network.tensors[f"output.{leaf}"].astype(np.float64) for leaf in ("weight", "bias"))
    logits = features @ weight.T + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return {"leep": leep(p / p.sum(axis=1, keepdims=True), labels), "logme": logme(features, labels)}


def ranked(measured: dict[str, dict[str, dict]]) -> list[Score]:
    """The scores of {framework: {source: what was measured}}, the highest LogME (mean of the frameworks) first."""
    some = next(iter(measured.values()))
    scores = [  # the frameworks differ in the two scores only
        Score(
            spec,
            *(facts[name] for name in ("architecture", "classes", "size")),
            *({f: by_source[spec][name] for f, by_source in measured.items()} for name in ("leep", "logme")),
        )
        for spec, facts in some.items()
    ]
    return sorted(scores, key=lambda one: -mean(one.logme.values()))


def score_table(scores: list[Score]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a source each."""
    frameworks = list(scores[0].logme)
    header = ["source", "architecture", "classes", "pixels"]
    header += [f"{name} {NAMES[f]}" for name in ("LogME", "LEEP") for f in frameworks]
    rows = [
        [one.source, one.architecture, str(one.classes or "–"), str(one.size)]
        + [show(values[f], ".4f") for values in (one.logme, one.leep) for f in frameworks]
        for one in scores
    ]
    return header, rows


def verdict(scores: list[Score], images: int) -> list[str]:
    """Which of several sources comes first, whether both scores say so, and where LEEP has too few `images`; a sentence each."""
    first, told = scores[0].source, [one for one in scores if one.classes]
    by_leep = max(told, key=lambda one: mean(one.leep.values())).source if told else first
    sentences = []
    if len(scores) > 1:
        same = f"{first} comes first by both scores." if len(told) > 1 else f"{first} comes first by LogME."
        other = f"{first} comes first by LogME, {by_leep} by LEEP: train with both before choosing."
        sentences = [same if by_leep == first or len(told) < 2 else other]
    many = [f"{one.source} ({one.classes})" for one in told if one.classes > images]
    if many:
        sentences.append(
            f"LEEP flatters a source with more classes than the {images} images, as almost every image has one to itself: "
            f"{', '.join(many)}."
        )
    return sentences
