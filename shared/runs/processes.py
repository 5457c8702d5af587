"""Work done in processes of their own, one per framework.

MXNet keeps threads of its own, so the two frameworks train in separate processes. One after the other each gets the whole
machine while it is timed; together they share its cores.
"""

import multiprocessing
import os
import signal
import sys

from shared.errors import guarded
from shared.threads import settings

# glibc gives large blocks back to the system at once, and every training step then asks for its gigabytes anew. Keeping them
# made a PyTorch step of 64 x 224 px on two cores 1.25 times as fast (processor time, measured with and without).
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}

PATIENCE = 8  # seconds that a process has to save what it has once it is told to stop


def run_in_processes(work, parts: dict[str, tuple], together: bool = False) -> int:
    """Do `work(*arguments)` for every framework of `parts` {framework: arguments} in a process of its own. Returns the exit code.

    together: all at once, the processor's cores shared out among them; else one after the other, none after one that
    refused its input (exit code 2). An interruption reaches every process, and goes on as KeyboardInterrupt once they have ended.
    """
    groups = [list(parts)] if together else [[framework] for framework in parts]
    codes = []
    for group in groups:
        codes += _run_group(work, {framework: parts[framework] for framework in group})
        if 2 in codes:
            return 2
    return 1 if any(codes) else 0


def _run_group(work, parts) -> list[int]:
    # spawn: a process forked while MXNet is loaded can hang
    spawn = multiprocessing.get_context("spawn")
    processes = {f: spawn.Process(target=_child, args=(work, *arguments)) for f, arguments in parts.items()}
    # Only this process hears the keyboard, and tells the others; so they hear it once, and have time to save what they have.
    heard = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}
    new = {name: value for name, value in KEEP_MEMORY.items() if name not in os.environ} | settings(len(parts))
    os.environ.update(new)  # what a process inherits is what is set when it starts
    try:
        for process in processes.values():
            process.start()
        for s in heard:
            signal.signal(s, _interrupt)
        for process in processes.values():
            process.join()
    except KeyboardInterrupt:
        _stop(processes.values())
        raise
    finally:
        for name in new:
            del os.environ[name]
        for s, handler in heard.items():
            signal.signal(s, handler)
    for framework, process in processes.items():
        if process.exitcode < 0:
            print(f"hotdog: {framework} was ended by signal {-process.exitcode} (out of memory?)", file=sys.stderr)
    return [process.exitcode for process in processes.values()]


def _stop(processes):
    """End all processes: politely, and after PATIENCE seconds by force (one may be waiting for a file that never comes)."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _interrupt(number, frame):
    signal.signal(number, signal.SIG_IGN)  # once is enough
    raise KeyboardInterrupt


def _child(work, *arguments):
    signal.signal(signal.SIGTERM, _interrupt)
    code = guarded(lambda: work(*arguments), interrupted="")
    # torch watches for the end of processes that load images; of those that are ended now, for this one ends, it would complain.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.exit(code)
