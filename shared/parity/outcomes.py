"""What one run said of the test images: the material of every comparison, kept without the run."""

from dataclasses import dataclass, replace

import numpy as np

from shared.networks.source import HOTDOG
from shared.parity.design import ENDPOINT_EPOCHS
from shared.runs.record import Run, read_epoch_probabilities


@dataclass(frozen=True)
class CrossExecution:
    """The weights of a run, evaluated in the other framework on the same test images.

    labels: images whose most probable class differs. largest, mean: of |Δp|, half of the summed absolute difference of an image's
    probabilities (with two classes: the difference of either one).
    """

    labels: int
    largest: float
    mean: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one run said of the N test images, which are in the dataset's order.

    accuracies: test accuracy after every epoch, epoch 0 first; one number where only the last epoch is known.
    correct: (K, N) bool, which images were right, after the last K epochs. probabilities: (K, N, classes) or None.
    labels: (N,) class indices or None. draws: `shared` or `own`. diverged: the training loss was no finite number at the end;
    such a run is counted and has no accuracy. elsewhere: its weights in the other framework, where that was tried.
    """

    experiment: str
    framework: str
    seed: int
    accuracies: tuple[float, ...]
    correct: np.ndarray
    probabilities: np.ndarray | None = None
    labels: np.ndarray | None = None
    draws: str = "own"
    diverged: bool = False
    elsewhere: CrossExecution | None = None

    @property
    def averaged(self) -> int:
        """How many epochs the endpoint is the mean of: fewer than three after a shorter training, one where only one is known."""
        return min(ENDPOINT_EPOCHS, max(1, len(self.accuracies) - 1))

    @property
    def accuracy(self) -> float:
        """The endpoint: mean test accuracy after each of the last three epochs."""
        return float(np.mean(self.accuracies[-self.averaged :]))

    @property
    def last(self) -> float:
        """Test accuracy after the last epoch."""
        return self.accuracies[-1]

    @property
    def images(self) -> int:
        return self.correct.shape[1]

    @property
    def predicted(self) -> np.ndarray:
        """(N,) predictions after the last epoch: class indices, or right and wrong where only that was recorded."""
        return self.correct[-1] if self.probabilities is None else self.probabilities[-1].argmax(axis=-1)

    def with_cross_execution(self, found: CrossExecution | None) -> "Outcome":
        return replace(self, elsewhere=found)


def experiment_of(run: Run) -> str:
    """The experiment as the family names it: `frozen` is another one with locked batch normalisation, and so is another row."""
    name = run.experiment["name"]
    if name == "frozen" and run.experiment["lock_batch_norm"]:
        name = "frozen-locked"
    label = run.source["row_label"]
    return name if label in (None, HOTDOG) else f"{name}, row {run.source['row']} ({label})"


def diverged(run: Run) -> bool:
    """Whether the training loss was no finite number at the end."""
    return run.status == "diverged" or len(run.epochs) > 1 and run.epochs[-1]["train_loss"] is None


def outcome_of(run: Run) -> Outcome:
    """The outcome of a run that came to its end, from its record. Raises UserError where what it needs is missing or damaged."""
    about = (experiment_of(run), run.framework, run.seed)
    if diverged(run):
        return Outcome(*about, (), np.zeros((0, run.dataset["test"]), dtype=bool), draws=run.draws, diverged=True)
    labels, probabilities = read_epoch_probabilities(run)
    correct = probabilities.argmax(axis=-1) == labels
    accuracies = tuple(epoch["test_accuracy"] for epoch in run.epochs)
    return Outcome(*about, accuracies, correct, probabilities, labels, run.draws)
