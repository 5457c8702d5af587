"""What a Dask worker does with a job: it has a process of its own carry it out, and sends back what that printed and left.

A worker is told which frameworks it has by

    dask worker ADDRESS --preload shared.runs.worker

which offers Dask the resources `gluon` and `torch` (one each where the framework is installed), and `job`, of which every job needs
one: a worker carries out one at a time, with as many threads as the worker has. Dask runs tasks in threads, but MXNet's NumPy
semantics belong to the thread that set them; so a job is carried out in the main thread of another process, which is kept for the
next job of the same framework.
"""

import contextlib
import json
import math
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from importlib.metadata import packages_distributions
from pathlib import Path

import psutil

from shared.errors import reason_of
from shared.files import write_text
from shared.images.folders import cache_folder
from shared.runs.portable import keep_images, keep_source
from shared.runs.processes import KEEP_MEMORY, PATIENCE
from shared.runs.record import read_runs
from shared.version import VERSION

JOB = "job"  # the resource that all jobs need
MODULES = {"gluon": "mxnet", "torch": "torch"}
TOKEN = ".cluster-token"  # in --out: whoever reads the client's token there shares its storage
KEEP = {"images": keep_images, "source": keep_source}
ASK_AGAIN, LOOK_AGAIN = 5.0, 0.2  # seconds


class Lost(Exception):
    """The process that carried out a job ended without an answer. Dask tries the job again."""


def offered() -> dict[str, int]:
    """The resources of a worker in this environment: the frameworks that are installed, and one job at a time."""
    installed = packages_distributions()
    return {name: 1 for name, module in MODULES.items() if module in installed} | {JOB: 1}


async def dask_setup(worker):
    """Called by `dask worker --preload shared.runs.worker` when the worker starts."""
    # Preloads run before the worker registers, which is when the scheduler is told. What --resources says, stays.
    for resources in (worker.state.total_resources, worker.state.available_resources):
        resources.update({name: amount for name, amount in offered().items() if name not in resources})


def carry_out(task: dict) -> dict:
    """The Dask task: carry out one job. Returns {"code": exit code, "files": {folder: {name: bytes}}}.

    There are no files where this machine sees the same --out. task: as `shared.runs.cluster` makes it. Raises Lost where the job's
    process was killed.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def tell(**event):
        if "line" in event:
            event["line"] = event["line"].replace(str(mine), task["out"])  # where the files will lie
        worker.log_event(task["topic"], {"worker": worker.address} | event)

    out, mine = Path(task["out"]), cache_folder() / "cluster" / "runs" / key
    if task["version"] != VERSION:
        tell(line=f"hotdog: {worker.address} has version {VERSION}, not {task['version']}: update it", error=True)
        return {"code": 2, "files": {}}
    shared = _reads(out / TOKEN) == task["token"]
    order = {**task, "out": str(out if shared else mine)}
    (out if shared else mine).mkdir(parents=True, exist_ok=True)
    attempt = Path(order["out"]) / f".{key}.json"
    _end_earlier(attempt)
    child = _child_for(task["job"]["framework"], worker.state.nthreads)
    write_text(attempt, json.dumps(child.identity))
    try:
        while True:
            answer = child.ask(order, lambda event: tell(**event), lambda: _is_wanted(worker, key))
            if "done" in answer:
                break
            for kind in answer["lacks"]:
                _fetch(kind, task[kind], tell, lambda: _is_wanted(worker, key))
    except Lost:
        _forget(child)
        raise
    attempt.unlink(missing_ok=True)
    files = {}
    if not shared:
        files = {folder.name: _contents(folder) for folder in sorted(mine.iterdir()) if folder.is_dir()}
        shutil.rmtree(mine, ignore_errors=True)
    return {"code": answer["done"], "files": files}


def is_home(result: dict) -> bool:
    """Whether what `carry_out` returned says that the run lies where the client asked for it."""
    return not result["files"]


def _is_wanted(worker, key):
    """Whether a job is still to be done: not where it was cancelled, or its worker is closing."""
    task = worker.state.tasks.get(key)
    return worker.status.name == "running" and task is not None and task.state == "executing"


def _contents(folder):
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir()) if f.is_file() and not f.name.endswith(".lock")}


def _reads(path):
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _end_earlier(attempt):
    """Give free what an earlier attempt at the same job was doing, whose worker Dask has lost.

    A job's process ends itself when its worker does. On another host it cannot be watched; it is given the time that it needs.
    """
    try:
        process = json.loads(_reads(attempt) or "")
    except ValueError:
        return
    deadline = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < deadline and _exists(process):
        time.sleep(0.2)
    for run in read_runs(attempt.parent, "*"):
        if run.status == "running" and run.process == process:
            run.status = "interrupted"
            run.save()


def _exists(process):
    import platform

    if process["host"] != platform.node():
        return True  # as far as can be known here
    with contextlib.suppress(psutil.Error):
        one = psutil.Process(process["pid"])
        return abs(one.create_time() - process["started"]) < 1 and one.status() != psutil.STATUS_ZOMBIE
    return False


def _fetch(kind, wanted, tell, is_wanted):
    """Get what has the fingerprint `wanted` from the client, by way of the cluster, into this machine's cache."""
    from distributed import get_client

    client, name, asked = get_client(), f"hotdog-{kind}-{wanted}", -math.inf
    while True:
        with contextlib.suppress(KeyError):
            future = client.get_dataset(name)
            try:
                content = future.result(timeout=600)
            except Exception:  # the worker that held it is gone: ask for it once more
                pass
            else:
                KEEP[kind](content, wanted)
                return
        if not is_wanted():
            raise Lost(f"nobody waits for the job that needed {name}")
        if time.monotonic() - asked > ASK_AGAIN:
            tell(lacks=kind)
            asked = time.monotonic()
        time.sleep(LOOK_AGAIN)


class Child:
    """A process that carries out jobs one after the other (`shared.command.serve`). It ends itself when this process does."""

    def __init__(self, threads: int):
        # Dask's nanny sets OMP_NUM_THREADS to 1 for every worker, whatever --nthreads says.
        environment = KEEP_MEMORY | os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.threads = threads
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shared.command.serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # the keyboard interrupts the client, which tells the workers
        )
        self.events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.identity = self._next(lambda: True)["process"]

    def _read(self):
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                self.events.put(json.loads(line))
        self.events.put(None)

    def _next(self, is_wanted):
        while True:
            if not is_wanted():  # asked at every event too: a run that speaks often is stopped as well
                self.stop()
                raise Lost("nobody waits for the job any more")
            try:
                event = self.events.get(timeout=1)
            except queue.Empty:
                continue
            if event is None:
                code = self.process.wait()
                raise Lost(
                    f"its process was ended by signal {-code} (out of memory?)"
                    if code < 0
                    else f"its process ended, code {code}"
                )
            return event

    def ask(self, order: dict, on_event, is_wanted) -> dict:
        """Give `order`, hand on what is said meanwhile, return the answer {"done": code} or {"lacks": [kind]}."""
        try:
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Lost(reason_of(error)) from None
        while True:
            event = self._next(is_wanted)
            if "done" in event or "lacks" in event:
                return event
            on_event(event)

    def stop(self):
        """End the process; it has PATIENCE seconds to save what it has."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE + 1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_children = {}


def _child_for(framework, threads):
    child = _children.get(framework)
    if child and (child.process.poll() is not None or child.threads != threads):
        _forget(child)
        child = None
    if child is None:
        child = _children[framework] = Child(threads)
    return child


def _forget(child):
    child.stop()
    for framework in [f for f, other in _children.items() if other is child]:
        del _children[framework]
