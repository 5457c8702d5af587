"""The best epoch of a run by its loss on held-out images: found, kept, and when to stop looking for a better one.

Held-out images only, never test images: an epoch that was chosen by the images it is judged by looks better than it is.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from shared.experiments import Experiment
from shared.files import write_atomically

NAME = "best.safetensors"  # in a run's folder, while it goes on


class EndOfTraining(Exception):
    """Raised after an epoch to end a training loop early."""


def mean_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean cross-entropy (nats) of class indices (N,) under probabilities (N, classes); that of a probability of 0 is finite."""
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(right, np.finfo(np.float32).tiny)).mean())


def best_epoch(epochs: list[dict]) -> int:
    """The epoch with the least `test_loss`, the first of equals; a loss that is no number is the worst."""
    losses = [np.inf if epoch["test_loss"] is None else epoch["test_loss"] for epoch in epochs]
    return int(np.argmin(losses))


def stopped(experiment: Experiment, epochs: list[dict]) -> bool:
    """Whether the last `patience` epochs brought no lower loss than one before them."""
    return bool(experiment.patience and epochs) and len(epochs) - 1 - best_epoch(epochs) >= experiment.patience


def keep(folder: Path, tensors: dict):
    """Keep {name: array} as the best so far of the run in `folder`."""
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    write_atomically(folder / NAME, lambda path: save_file(tensors, path))


def kept(folder: Path) -> dict:
    """What `keep` kept last."""
    return load_file(folder / NAME)


def remove_kept(folder: Path):
    """Remove what was kept, of a run that needs it no more."""
    (folder / NAME).unlink(missing_ok=True)
