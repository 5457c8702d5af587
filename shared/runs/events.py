"""What a run tells TensorBoard while it goes on: event files in the run's folder, with the same tags in both frameworks.

    uv run --extra watch hotdog run finetune --log tensorboard
    uv run --extra watch tensorboard --logdir runs

A step is an epoch, 0 the untrained network. Nothing here draws a random number or changes a tensor, so a run with a log has the
same weights as one without. TensorBoard's own records are written, not by PyTorch's writer: a process of Gluon imports no PyTorch.
"""

import io
import math
import os
import platform
import statistics
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from shared.epochs import EpochMetrics
from shared.errors import UserError
from shared.experiments import Experiment
from shared.images.views import unnormalised
from shared.strategies import STAGES, stage_of

SHOWN, COLUMNS, GAP = 32, 8, 2  # images of the first batch, in a row of the grid, and pixels between them
BUCKETS = 30  # of a histogram


def check_log():
    """Raise UserError where TensorBoard, which writes the event files, is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise UserError(
            "--log tensorboard needs TensorBoard, which is not installed: uv run --extra watch hotdog run … --log tensorboard"
        ) from None


class Log:
    """Writes the events of the run in `folder`; a new file for each attempt at it.

    first: the epoch that comes next; what an earlier attempt logged from there on counts no more. tested: what the evaluated images
    are called in tags, `test` or `held_out`.
    """

    def __init__(self, folder: Path, experiment: Experiment, first: int, tested: str = "test"):
        check_log()
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        self.path = folder / f"events.out.tfevents.{time.time():017.6f}.{platform.node()}.{os.getpid()}"
        self.experiment, self.tested = experiment, tested
        self.first_batch, self.rates = None, defaultdict(list)
        self._append(Event(wall_time=time.time(), file_version="brain.Event:2"))
        # A session that starts at a step makes readers forget what older files of this folder hold from that step on.
        self._append(Event(wall_time=time.time(), step=first, session_log=SessionLog(status=SessionLog.START)))

    def watched(self, batches, rates):
        """`batches` as they are; on their way the first one is kept, and after every update the rates that it was made with.

        rates: gives {canonical name: rate} of the tensors that are trained.
        """
        return _Watched(batches, self, rates)

    def epoch(self, epoch: EpochMetrics, tensors: dict, test_loss: float | None = None):
        """Write what an epoch gave, and the output layer of the network's `tensors` {canonical name: array} after it."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in self._scalars(epoch, test_loss).items()]
        for leaf in ("weight", "bias"):
            if np.isfinite(tensors[f"output.{leaf}"]).all():  # those of a network that diverged have no histogram
                values.append(Summary.Value(tag=f"output/{leaf}", histo=histogram(tensors[f"output.{leaf}"])))
        if self.first_batch is not None and epoch.epoch == 1:
            values.append(Summary.Value(tag="images/first_batch", image=_png(grid(pixels(self.first_batch)))))
        self.rates.clear()
        self._append(Event(wall_time=time.time(), step=epoch.epoch, summary=Summary(value=values)))

    def _scalars(self, epoch, test_loss):
        scalars = {
            "loss/train": epoch.train_loss,
            f"loss/{self.tested}": test_loss,
            "accuracy/train": epoch.train_accuracy,
            f"accuracy/{self.tested}": epoch.test_accuracy,
            "speed/images_per_second": epoch.images_per_second,
        } | {f"rate/{group}": statistics.fmean(values) for group, values in self.rates.items()}
        return {tag: value for tag, value in scalars.items() if value is not None}

    def _append(self, event):
        # TensorBoard's EventFileWriter has a thread of its own, which on a full disk dies with a traceback.
        from tensorboard.summary.writer.record_writer import RecordWriter

        record = io.BytesIO()
        RecordWriter(record).write(event.SerializeToString())
        try:
            with open(self.path, "ab") as file:
                file.write(record.getvalue())
        except OSError as error:
            raise type(error)(error.errno, error.strerror, str(self.path)) from error


class _Watched:
    def __init__(self, batches, log, rates):
        self.batches, self.log, self.rates = batches, log, rates

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for X, y in self.batches:
            if self.log.first_batch is None:
                self.log.first_batch = as_numpy(X[:SHOWN])
            yield X, y
            for group, rate in rates_by_group(self.rates(), self.log.experiment).items():
                self.log.rates[group].append(rate)


def rates_by_group(rates: dict[str, float], experiment: Experiment) -> dict[str, float]:
    """The rates {canonical name: rate} by group: `features` and `output`, or every stage where the experiment tells them apart.

    The rate of a group of which nothing is trained is 0.
    """
    kept_apart = set(experiment.trained_from.split()) - {"stem", "output"}
    apart = experiment.stage_decay != 1 or bool(kept_apart)
    groups = dict.fromkeys(STAGES if apart else ("features", "output"), 0.0)
    for name, rate in rates.items():
        stage = stage_of(name)
        groups[stage if apart or stage == "output" else "features"] = rate
    return groups


def as_numpy(X) -> np.ndarray:
    """A framework's array on the CPU or a GPU as NumPy's, a copy."""
    return np.array(X.asnumpy() if hasattr(X, "asnumpy") else X.cpu())


def pixels(X: np.ndarray) -> np.ndarray:
    """Normalised images (N, 3, H, W) as pixels (N, H, W, 3) uint8."""
    return (unnormalised(X) * 255).round().astype(np.uint8)


def grid(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, 3) uint8 in rows of eight, white between them: (height, width, 3) uint8."""
    count, height, width, _ = images.shape
    columns = min(count, COLUMNS)
    rows = math.ceil(count / columns)
    whole = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, dtype=np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        whole[top : top + height, left : left + width] = image
    return whole


def _png(image):
    from tensorboard.compat.proto.summary_pb2 import Summary

    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, format="png")
    height, width, channels = image.shape
    return Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=encoded.getvalue())


def histogram(tensor: np.ndarray):
    """The numbers of `tensor`, which are finite, counted in BUCKETS equal steps from the least to the largest."""
    from tensorboard.compat.proto.summary_pb2 import HistogramProto

    numbers = tensor.astype(np.float64).ravel()
    counts, edges = np.histogram(numbers, bins=BUCKETS)
    return HistogramProto(
        min=numbers.min(),
        max=numbers.max(),
        num=numbers.size,
        sum=numbers.sum(),
        sum_squares=(numbers**2).sum(),
        bucket_limit=edges[1:].tolist(),
        bucket=counts.tolist(),
    )
