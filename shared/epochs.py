"""What one epoch of training gave."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; epoch 0 is the network before any training.

    train_loss: mean cross-entropy over the epoch's batches (nats). Accuracies: shares in 0 to 1. seconds: wall time of the
    training half of the epoch, data loading included, evaluation not; images_per_second: over that time.
    """

    epoch: int
    train_loss: float | None = None
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    seconds: float | None = None
    images_per_second: float | None = None
