"""Work done in processes of their own, one per framework."""

import multiprocessing
import os
import signal
import sys

from shared.errors import guarded


def run_in_processes(work, frameworks: list[str], arguments: tuple, together: bool = False) -> int:
    """Do `work` for each framework in a process of its own, one after the other. Returns the exit code.

    One framework per process: MXNet keeps threads of its own, and one after the other each gets the whole machine while it is
    timed. together: all at once, the processor's cores shared out among them; thin networks gain little from more than one.
    """
    # glibc gives large blocks back to the system at once, and every training step then asks for its gigabytes anew. Keeping them
    # made a PyTorch step of 64 x 224 px on two cores 1.25 times as fast (processor time, measured with and without).
    settings = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
    if together:
        settings["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // len(frameworks)))
    # spawn: a process forked while MXNet is loaded can hang
    spawn = multiprocessing.get_context("spawn")
    codes = []
    groups = [frameworks] if together else [[framework] for framework in frameworks]
    for group in groups:
        processes = [spawn.Process(target=_child, args=(work, f, *arguments, not together)) for f in group]
        # Only this process hears the keyboard, and tells the others; so they hear it once, and have time to save what they have.
        heard = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}
        new = {setting: value for setting, value in settings.items() if setting not in os.environ}
        os.environ.update(new)  # what a process inherits is what is set when it starts
        try:
            for process in processes:
                process.start()
            for s in heard:
                signal.signal(s, _interrupt)
            for process in processes:
                process.join()
        except KeyboardInterrupt:
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()
            raise
        finally:
            for setting in new:
                del os.environ[setting]
            for s, handler in heard.items():
                signal.signal(s, handler)
        codes += [process.exitcode for process in processes]
        for framework, process in zip(group, processes, strict=True):
            if process.exitcode < 0:
                print(f"hotdog: {framework} was ended by signal {-process.exitcode} (out of memory?)", file=sys.stderr)
        if 2 in codes:
            sys.exit(2)
    return 1 if any(codes) else 0


def _interrupt(number, frame):
    signal.signal(number, signal.SIG_IGN)  # once is enough
    raise KeyboardInterrupt


def _child(work, *arguments):
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(guarded(lambda: work(*arguments), interrupted=""))
