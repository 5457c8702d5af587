"""The networks behind the page: for each framework a process of its own that holds them and answers one question after another.

MXNet's NumPy semantics belong to the thread that set them, and a web server answers in many threads; so each framework works in
the main thread of its own process. Where the page ends, however it ends, its processes read the end of their questions and end too.
"""

import contextlib
import io
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import FailedRun, UserError, reason_of
from shared.images.mini.drawings import drawing
from shared.images.mini.render import TARGET_CLASSES
from shared.networks.source import Source
from shared.runs.frameworks import FRAMEWORKS, NAMES, implementation
from shared.runs.opened import trained
from shared.runs.record import Run, read_run

# A ResNet at 224 pixels has maps of 7 x 7 places at its last stage. At fewer pixels an earlier stage has as many.
PLACES = 7
MODULES = ("data", "training", "grad_cam")
TOP = 3  # classes of the source network


@dataclass(frozen=True)
class Answer:
    """What a network says of a photograph. probabilities: (classes,) float32; heat: the map (h, w) of class number `explained`.

    source: the most probable classes of the source network with their probabilities, none where it is not at hand. predicting,
    mapping: seconds for reading the image and the probabilities, and for the map.
    """

    probabilities: np.ndarray
    explained: int
    heat: np.ndarray
    source: list[tuple[str, float]]
    predicting: float
    mapping: float


def stage_for(size: int) -> int:
    """The last stage (1 to 4) whose maps have PLACES to a side, for a network that is given `size` pixels; at least the first."""
    return max(stage for stage in (1, 2, 3, 4) if stage == 1 or size >= PLACES * 2 ** (stage + 1))


class Networks:
    """Both frameworks' processes. The networks of a run are opened with its first question, and kept.

    with Networks() as networks:
        answers = networks.ask({"gluon": run, "torch": run}, photograph)
    """

    def __enter__(self):
        self._workers = {framework: _Worker(framework) for framework in FRAMEWORKS}
        self._one = threading.Lock()
        return self

    def __exit__(self, *_):
        for worker in self._workers.values():
            worker.stop()

    def ask(
        self, runs: dict[str, Run], photograph: bytes, sources: dict[str, Source] | None = None
    ) -> dict[str, Answer]:
        """What each framework's network says of the photograph (a JPEG or PNG file), one after the other: each has all cores.

        runs: {framework: finished run}; one of the other framework will do. sources: {fingerprint: source network} of those that
        are at hand. Raises UserError where a run cannot be opened, FailedRun where a process ended.
        """
        with self._one:
            return {f: self._workers[f].ask(runs[f], photograph, sources or {}) for f in FRAMEWORKS}


def warm_up(networks: Networks, runs: dict[str, Run], sources: dict[str, Source]):
    """Have a drawing looked at, so that the first photograph waits for nothing. Raises UserError where a run cannot be opened."""
    content = io.BytesIO()
    drawing("target", "test", TARGET_CLASSES[0], 0).save(content, "PNG")
    networks.ask(runs, content.getvalue(), sources)


class _Worker:
    """The process of a framework, started anew with the next question where it has ended."""

    def __init__(self, framework):
        self.framework, self.process = framework, None
        self.known = set()
        self._start()

    def _start(self):
        spawn = multiprocessing.get_context("spawn")  # a process forked while MXNet is loaded can hang
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(self.framework, theirs), daemon=True)
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN) if _in_main_thread() else None
        try:
            self.process.start()
        finally:
            if heard is not None:
                signal.signal(signal.SIGINT, heard)
        theirs.close()

    def ask(self, run, photograph, sources):
        if not self.process.is_alive():
            self.known.clear()
            self._start()
        fingerprint = run.source["fingerprint"]
        try:
            # a source network of 45 MB is sent once
            source = None if fingerprint in self.known else sources.get(fingerprint)
            self.connection.send((str(run.folder), fingerprint, source, photograph))
            kind, answer = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(1)
            code = self.process.exitcode
            raise FailedRun(
                f"the process of {NAMES[self.framework]} was ended by signal {-code} (out of memory?)"
                if code and code < 0
                else f"the process of {NAMES[self.framework]} has ended; ask again"
            ) from None
        if kind is not None:
            raise kind(answer)
        if source is not None:
            self.known.add(fingerprint)
        return answer

    def stop(self):
        self.connection.close()  # what it is waiting for
        self.process.join(1)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


def _serve(framework, connection):
    """Answer questions until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the keyboard is the other process's
    with contextlib.suppress(Exception):  # what fails is said with the first answer
        for module in MODULES:
            implementation(framework, module)  # now, while the page is being made
    opened, sources = {}, {}
    while True:
        try:
            folder, fingerprint, source, photograph = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # neither framework has anything to tidy up
        try:
            if folder not in opened:
                opened[folder] = trained(read_run(Path(folder)), framework)
            if source is not None:
                sources[fingerprint] = implementation(framework, "nets").pretrained_net(source), source.classes
            answer = None, _answer(opened[folder], photograph, *sources.get(fingerprint, (None, ())))
        except UserError as error:
            answer = UserError, str(error)
        except Exception as error:
            answer = FailedRun, f"{NAMES[framework]} failed: {type(error).__name__}: {reason_of(error)}"
        try:
            connection.send(answer)
        except OSError:
            os._exit(0)


def _answer(network, photograph, source_net, source_classes) -> Answer:
    data, training, grad_cam = (implementation(network.framework, module) for module in MODULES)
    device, _ = training.choose_device("auto")
    start = time.perf_counter()
    with _as_file(photograph) as file:
        batch = data.image_batch([file], network.size)
        (probabilities,), _ = training.predict_probabilities(network.net, [batch], device)
    predicted = time.perf_counter()
    best = int(probabilities.argmax())
    (heat,) = grad_cam.class_activation_map(network.net, batch[0], best, stage_for(network.size))
    mapped = time.perf_counter()
    top = []
    if source_net is not None:
        (p,), _ = training.predict_probabilities(source_net, [batch], device)
        top = [(source_classes[i], float(p[i])) for i in np.argsort(-p, kind="stable")[:TOP]]
    return Answer(probabilities, best, heat, top, predicted - start, mapped - predicted)


@contextlib.contextmanager
def _as_file(content: bytes):
    """A path under which this process, and no other, finds `content`; it lies in memory and on no disk."""
    descriptor = os.memfd_create("photograph", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
