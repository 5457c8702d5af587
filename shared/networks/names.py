"""Tensor names, from each foreign format to the canonical ones."""

import re


def canonical_from_gluon(name: str, version: int) -> str:
    """The canonical name of Gluon's structural name (`features.5.0.bn1.gamma`), as `save_parameters` writes it."""
    stem = {1: {0: "conv1", 1: "bn1"}, 2: {0: "bn0", 1: "conv1", 2: "bn1", 9: "bn2"}}[version]
    first_stage = {1: 4, 2: 5}[version]

    def child(match):
        index = int(match[1])
        return f"features.{stem.get(index) or f'layer{index - first_stage + 1}'}."

    name = re.sub(r"^features\.(\d+)\.", child, name)
    body = {"0": "conv1", "1": "bn1", "3": "conv2", "4": "bn2", "6": "conv3", "7": "bn3"}
    name = re.sub(r"\.body\.(\d)\.", lambda match: f".{body.get(match[1], match[1])}.", name)
    return re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))


def canonical_from_gluoncv(name: str) -> str:
    """The canonical name of GluonCV's structural name for a `v1b` network (`layer1.0.bn1.gamma`): torchvision's, but for two leaves."""
    return canonical_from_torchvision(re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name)))


def canonical_from_torchvision(name: str) -> str:
    """The canonical name of a torchvision state-dict key: `fc` is the output, everything else the features."""
    if name.startswith(("features.", "output.")):
        return name
    return re.sub(r"^fc\.", "output.", name) if name.startswith("fc.") else f"features.{name}"
