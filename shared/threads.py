"""How many processor cores the frameworks may use, and how many threads they really have.

Both frameworks read OMP_NUM_THREADS while they are loaded. Left alone, MXNet 1.9.1 takes half of the logical processors, and
neither knows of a container's limit; so it is set here first, unless the user has set it.
"""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """The cores this process may use: its affinity, or the processor limit of its control group where that is less."""
    cores = len(os.sched_getaffinity(0))
    limit = _control_group_limit()
    return max(1, cores if limit is None else min(cores, math.ceil(limit)))


def _control_group_limit() -> float | None:
    try:  # version 2: "200000 100000" or "max 100000"
        quota, period = (CGROUP / "cpu.max").read_text(encoding="utf-8").split()[:2]
    except (OSError, ValueError):
        try:
            quota, period = (
                (CGROUP / "cpu" / f"cpu.cfs_{what}_us").read_text(encoding="utf-8") for what in ("quota", "period")
            )
        except OSError:
            return None
    try:
        limit = float(quota) / float(period)
    except (ValueError, ZeroDivisionError):
        return None
    return limit if limit > 0 else None


def settings(share: int = 1) -> dict[str, str]:
    """What to set in the environment of a process that shares the cores with `share` - 1 others; what the user has set stays."""
    wanted = {"OMP_NUM_THREADS": str(max(1, usable_cores() // share))}
    return {name: value for name, value in wanted.items() if name not in os.environ}


def prepare():
    """Let a framework that is about to be loaded use all cores. Without effect where OMP_NUM_THREADS is set."""
    os.environ.update(settings())
