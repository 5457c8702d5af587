"""A Dask scheduler, workers and clients as real processes on loopback, started as a user starts them."""

import json
import os
import subprocess
import sys
import time

import psutil
from benchmarks.namespaces import without
from helpers import ROOT

PATIENCE = 120  # seconds for what takes few


def until(true, what, patience=PATIENCE):
    """Wait until `true()` is, and return it; AssertionError, with `what` was waited for, where it never is."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")


class Here:
    """A scheduler on loopback, and workers that are started by `worker()`, as a user starts them. All end with the `with`.

    more: of the environment of all processes. options: of the scheduler.
    """

    def __init__(self, folder, more=None, options=()):
        self.options = options
        self.file, self.cache, self.started, self.workers = folder / "scheduler.json", folder / "cache", [], []
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOTDOG_CACHE": str(self.cache), **(more or {})}

    def start(self, *command, **more):
        with open(self.file.with_name(f"log-{len(self.started)}.txt"), "w") as log:
            process = subprocess.Popen(list(map(str, command)), env=self.environment | more, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def log_of(self, process):
        return self.file.with_name(f"log-{self.started.index(process)}.txt").read_text()

    def dask(self, kind, *options, before=list, **more):
        common = ("--no-dashboard", "--scheduler-file", self.file)
        return self.start(*before([sys.executable, "-m", f"distributed.cli.dask_{kind}", *common, *options]), **more)

    def worker(self, hidden=(), **more):
        """hidden: folders that it does not see, as on a machine that shares no storage with this one. more: of its environment."""
        options = ("--no-nanny", "--nthreads", 1, "--preload", "shared.runs.worker")
        before = (lambda command: without(hidden, command)) if hidden else list
        self.workers.append(self.dask("worker", *options, before=before, **more))
        return self.workers[-1]

    def client(self, *arguments):
        return self.start(sys.executable, "-m", "shared.command", *arguments, "--cluster", self.address)

    def __enter__(self):
        self.dask("scheduler", "--host", "127.0.0.1", "--port", 0, *self.options)
        until(lambda: self.file.is_file() and self.file.read_text().endswith("}"), "the scheduler")
        self.address = json.loads(self.file.read_text())["address"]
        return self

    def __exit__(self, *error):
        for process in self.started[::-1]:
            process.kill()
        for process in self.started:
            process.wait()


def parent_of(run):
    """The number of the process that started the one which carries out `run`; None where it is gone."""
    try:
        return psutil.Process(run.process["pid"]).ppid()
    except psutil.NoSuchProcess:
        return None
