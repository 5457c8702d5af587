"""Finished runs to go on with, in Python.

from shared.runs.opened import open_run

trained = open_run("runs/hotdog-finetune-gluon-seed0-1")     # framework="torch" opens the same weights in the other one
trained.net                                                   # a network of that framework, with `features` and `output`
trained.classes                                               # ("hotdog", "not-hotdog")
trained.probabilities(["picture.jpg"])                        # (1, 2) float32
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from shared.errors import UserError, reason_of
from shared.images.folders import check_image
from shared.networks.architecture import Architecture, recognise
from shared.networks.source import Source, fingerprint
from shared.runs.failures import explained
from shared.runs.frameworks import implementation
from shared.runs.record import Run, read_run

BATCH = 32  # images at a time


@dataclass(frozen=True)
class Trained:
    """The network that a run ended with. size: side in pixels of the crops that it was trained on."""

    net: object
    classes: tuple[str, ...]
    size: int
    framework: str

    def probabilities(self, images) -> np.ndarray:
        """Softmax outputs (N, classes) float32 for image files, on the GPU where the framework can use one.

        Raises UserError for a file that is no image.
        """
        data, training = (implementation(self.framework, module) for module in ("data", "training"))
        files = [Path(image) for image in images]
        for file in files:
            check_image(file)
        device, _ = training.choose_device("auto")
        batches = (data.image_batch(files[i : i + BATCH], self.size) for i in range(0, len(files), BATCH))
        try:
            return training.predict_probabilities(self.net, batches, device)[0]
        except Exception as error:
            raise explained(error, files=files) from error


def open_run(folder, framework: str | None = None) -> Trained:
    """The network of the finished run in `folder`, in its own framework or in `framework` (gluon, torch).

    Raises UserError where there is no run, or it has no weights.
    """
    return trained(read_run(Path(folder)), framework)


def trained(run: Run, framework: str | None = None) -> Trained:
    """The same for a run that is read already."""
    source, framework = trained_source(run), framework or run.framework
    net = implementation(framework, "nets").pretrained_net(source)
    if framework == "torch":
        net.eval()  # in Gluon a call outside of autograd.record() is one in evaluation
    return Trained(net, source.classes, run.experiment["size"], framework)


def trained_source(run: Run) -> Source:
    """What a finished run ended with, as a source network: all tensors, and the class labels of its images.

    Raises UserError where its weights are missing, damaged or not finite.
    """
    architecture, tensors = trained_tensors(run)
    classes = tuple(run.dataset["classes"])
    return Source(run.folder.name, architecture, tensors, classes, fingerprint(tensors))


def trained_tensors(run: Run) -> tuple[Architecture, dict[str, np.ndarray]]:
    """The architecture and the tensors {canonical name: float32 array} that a finished run ended with.

    Raises UserError where they are missing, damaged, not finite, or not of this run's classes.
    """
    file = run.folder / "weights.safetensors"
    if not file.is_file():
        raise UserError(f"{run.folder} has no weights.safetensors: only a finished run can be used")
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {file}: {reason_of(error)}") from None
    if not all(np.isfinite(t).all() for t in tensors.values()):
        raise UserError(f"{file} holds numbers that are not finite: the training of this run diverged")
    architecture = recognise(tensors, str(file))
    if architecture.classes != len(run.dataset["classes"]):
        raise UserError(
            f"{file} has {architecture.classes} output rows, but its run {len(run.dataset['classes'])} classes"
        )
    return architecture, tensors
