"""Whether the process that carries out a run is still there.

While a run goes on its process holds a lock on the folder's `running.lock` and touches that file every half minute. On the same
host the process itself is looked for, by number and start time; from other hosts only the touching is seen.
"""

import datetime
import os
import platform
import time
from pathlib import Path

import filelock
import psutil

from shared.errors import UserError

LOCK = "running.lock"
BEAT = 30.0  # seconds
SILENCE = 20 * BEAT  # a run on another host that has been silent for this long is taken for dead


def this_process() -> dict:
    """Host, number and start time (seconds since 1970) of this process, for a run's record."""
    return {"host": platform.node(), "pid": os.getpid(), "started": round(psutil.Process().create_time(), 2)}


def alive(run) -> bool:
    """Whether the process of a run that is recorded as running still exists."""
    process = run.process
    if not process:
        return False  # recorded by a version that did not say
    if process.get("host") == platform.node():
        try:
            return abs(psutil.Process(process["pid"]).create_time() - process["started"]) < 1
        except (psutil.Error, KeyError, ValueError, TypeError):
            return False
    try:
        return time.time() - (run.folder / LOCK).stat().st_mtime < SILENCE
    except OSError:
        return False


def state(run) -> str:
    """The run's status; `interrupted` where the record says running and its process is gone."""
    return "interrupted" if run.status == "running" and not alive(run) else run.status


class Held:
    """The lock of a run's folder, for a `with`; UserError where another process has it."""

    def __init__(self, folder: Path):
        self.path = folder / LOCK
        self.lock = filelock.FileLock(self.path, timeout=0)
        self.beaten = 0.0

    def __enter__(self):
        try:
            self.lock.acquire()
        except filelock.Timeout:
            raise UserError(f"{self.path.parent} is being carried out by another process") from None
        return self

    def __exit__(self, *error):
        self.lock.release()
        self.path.unlink(missing_ok=True)

    def beat(self):
        """Touch the lock, at most every BEAT seconds."""
        if time.monotonic() - self.beaten > BEAT:
            self.beaten = time.monotonic()
            os.utime(self.path)


def now() -> str:
    """This moment, UTC, to the second, as records say it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
