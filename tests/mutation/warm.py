"""A process that has the libraries in memory and forks one child per mutant, which runs the tests: a second instead of ten.

Nothing of the project is imported before the fork, and neither is MXNet, which a fork does not leave whole. Reads a job a line
from standard input, {"arguments": for pytest, "seconds": of CPU, "module": path}, and answers each with a line.
"""

import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

LIBRARIES = """numpy scipy.stats scipy.optimize statsmodels.stats.weightstats statsmodels.stats.contingency_tables sklearn.metrics
pytest hypothesis hypothesis.extra.numpy pydantic safetensors.numpy PIL.Image torch torchvision typer rich.console requests filelock
psutil threadpoolctl""".split()
WALL = 20  # so much longer than its time of CPU may a child take on a busy machine


class Recorder:
    """pytest's plugin: the first test that failed."""

    def __init__(self):
        self.first = None

    def pytest_runtest_logreport(self, report):
        if report.failed and self.first is None:
            self.first = report.nodeid

    def pytest_collectreport(self, report):
        if report.failed and self.first is None:
            self.first = f"{report.nodeid} (not collected)"


def main():
    answers = os.dup(1)
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # what is here by now is no garbage, and children that looked through it would copy all of it
    for line in sys.stdin:
        os.write(answers, (json.dumps(run(json.loads(line))) + "\n").encode())


def run(job) -> dict:
    """The answer to a job. outcome: survived, killed, timeout, or `broken` (no tests; the module was not theirs)."""
    came, went = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(came)
        _test(job, went)
    os.close(went)
    status = None
    while status is None:
        done, how, usage = os.wait4(child, os.WNOHANG)
        if done:
            status = how
        elif time.monotonic() - start > job["seconds"] * WALL:
            os.killpg(child, signal.SIGKILL)
        else:
            time.sleep(0.02)
    try:
        os.killpg(child, signal.SIGKILL)  # what its tests left running
    except ProcessLookupError:
        pass
    with os.fdopen(came) as pipe:
        told = pipe.read()
    cpu = round(usage.ru_utime + usage.ru_stime, 1)
    answer = {"cpu": cpu, "seconds": round(time.monotonic() - start, 1)}
    if os.WIFSIGNALED(status):
        late = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        return answer | {"outcome": "timeout" if late else "killed", "by": f"signal {os.WTERMSIG(status)}"}
    return answer | (json.loads(told) if told else {"outcome": "killed", "by": f"exit {os.WEXITSTATUS(status)}"})


def _test(job, went):
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (job["seconds"], job["seconds"] + 5))
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    import pytest

    here, recorder = Path.cwd(), Recorder()
    sys.path[:0] = [str(here), str(here / "tests")]
    try:
        code = int(pytest.main(job["arguments"], plugins=[recorder]))
    except BaseException as error:
        code, recorder.first = 1, f"import: {type(error).__name__}"
    name = job["module"].removesuffix(".py").replace("/", ".")
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if code == 0 and loaded != str(here / job["module"]) or code == 5:
        answer = {"outcome": "broken", "by": f"exit {code}, {name} from {loaded}"}
    else:
        answer = {
            "outcome": "killed" if code else "survived",
            "by": recorder.first or (f"exit {code}" if code else None),
        }
    os.write(went, json.dumps(answer).encode())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
