"""The process in which a Dask worker (shared.runs.worker) has its jobs carried out: orders come in, lines go out, as JSON.

Where orders end, so does the process, and what it was at is interrupted: a worker that is killed leaves nobody behind.
"""

import _thread
import json
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import guarded
from shared.experiments import Experiment
from shared.runs.job import Job
from shared.runs.liveness import this_process
from shared.runs.portable import find_images, find_source
from shared.runs.processes import PATIENCE


@dataclass(frozen=True)
class FoundJob(Job):
    """A job whose images and source network were found here, wherever its description says that they are."""

    found: tuple = field(default=None, compare=False, repr=False)

    def load(self, progress=None):
        """What was found."""
        return self.found


def main():
    """Carry out orders until there are no more."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to the worker's log
    sys.stdout, sys.stderr = _Lines(events), _Lines(events, error=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # may be ignored where the worker was started
    orders, busy = queue.Queue(), threading.Event()
    threading.Thread(target=_listen, args=(orders, busy), daemon=True).start()
    _send(events, {"process": this_process()})
    found = {}
    while (order := orders.get()) is not None:
        busy.set()
        answer = _lacking(order, found)
        if not answer:
            answer = {"done": guarded(lambda order=order: _carry_out(order, found), interrupted="")}
        busy.clear()
        _send(events, answer)


def _listen(orders, busy):
    for line in sys.stdin.buffer:
        orders.put(json.loads(line))
    orders.put(None)
    if busy.is_set():
        _thread.interrupt_main()
        time.sleep(PATIENCE)
        os._exit(1)


def _lacking(order, found):
    """Keep what the order needs in `found` {fingerprint: images or source network}; {"lacks": kinds} for what is not here."""
    job, missing = _job(order), []
    if order["images"] not in found:
        images = find_images(job, order["images"])
        found.update({order["images"]: images} if images else {})
        missing += [] if images else ["images"]
    if order["source"] not in found:
        source = find_source(job, order["source"], order["source name"])
        found.update({order["source"]: source} if source else {})
        missing += [] if source else ["source"]
    return {"lacks": missing} if missing else None


def _job(order, **more):
    fields = order["job"] | {"experiment": Experiment(**order["job"]["experiment"]), "out": Path(order["out"])}
    return FoundJob(**fields | {"resume": True} | more)


def _carry_out(order, found):
    job = _job(order, found=(found[order["images"]], found[order["source"]]))
    WORK[order["work"]](job)


def _run(job):
    from shared.command.launch import carry_out

    carry_out([job], bars=False)


def _run_and_report(job):
    from shared.command.launch import carry_out

    carry_out([job], bars=False, report=True)


def _exercise(job):
    from shared.command.console import say
    from shared.exercises.bench import train_runs

    train_runs([job], say)


# What can be ordered; nothing else is called by a name that comes from outside.
WORK = {"run": _run, "report": _run_and_report, "exercise": _exercise}


class _Lines:
    """A text stream whose lines are sent as events."""

    encoding = "utf-8"

    def __init__(self, events, error=False):
        self.events, self.error, self.rest = events, error, ""

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            _send(self.events, {"line": line} | ({"error": True} if self.error else {}))
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False


def _send(events, event):
    events.write(json.dumps(event) + "\n")
    events.flush()


if __name__ == "__main__":
    main()
