"""What one epoch of training gave."""

from dataclasses import dataclass, field, fields

import numpy as np


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch gave; epoch 0 is the network before any training.

    train_loss: mean cross-entropy over the epoch's batches (nats). Accuracies: shares in 0 to 1. seconds: wall time of the
    training half of the epoch, data loading included, evaluation not; images_per_second: over that time.
    test_probabilities: (N, classes) float32 softmax outputs for the test images in their order, test_labels: (N,) int64.
    """

    epoch: int
    train_loss: float | None = None
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    test_probabilities: np.ndarray | None = field(default=None, repr=False, compare=False)
    test_labels: np.ndarray | None = field(default=None, repr=False, compare=False)

    def numbers(self) -> dict:
        """The numbers of the epoch, without the arrays."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if not f.name.startswith("test_") or f.name == "test_accuracy"
        }
