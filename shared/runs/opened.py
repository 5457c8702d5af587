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

from shared.images.folders import check_image
from shared.networks.source import Source, fingerprint
from shared.runs.execute import trained_tensors
from shared.runs.frameworks import implementation
from shared.runs.record import Run, read_run


@dataclass(frozen=True)
class Trained:
    """The network that a run ended with. size: side in pixels of the crops that it was trained on."""

    net: object
    classes: tuple[str, ...]
    size: int
    framework: str

    def probabilities(self, images) -> np.ndarray:
        """Softmax outputs (N, classes) float32 for image files, read as `hotdog predict` reads them.

        Raises UserError for a file that is no image.
        """
        data, training = (implementation(self.framework, module) for module in ("data", "training"))
        files = [Path(image) for image in images]
        for file in files:
            check_image(file)
        device, _ = training.choose_device("auto")
        batches = (data.image_batch([file], self.size) for file in files)
        return training.predict_probabilities(self.net, batches, device)[0]


def open_run(folder, framework: str | None = None) -> Trained:
    """The network of the finished run in `folder`, in its own framework or in `framework` (gluon, torch).

    Raises UserError where there is no run, or it has no weights.
    """
    run = read_run(Path(folder))
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
