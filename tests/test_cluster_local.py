"""`--cluster local`: workers in the process itself, runs in processes of their own; nothing is reached from outside."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
from helpers import ROOT
from loopback import PATIENCE, until

from shared.runs.record import read_runs

# A shell that starts the tests in the background has them ignore SIGINT, and what they start inherits that.
LISTENING = """import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from shared.command.__main__ import main
sys.argv = ["hotdog", *sys.argv[1:]]
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def local(images, thin_file, tmp_path):
    """A function that starts a command with --cluster local; what it says is in `log`, its runs are in `runs`."""
    processes = []

    def start(*more):
        command = ["run", "finetune", "--size", 32, "--batch-size", 5, "--data", images, "--source", thin_file, *more]
        command = [sys.executable, "-c", LISTENING, *command, "--cluster", "local", "--out", tmp_path / "runs"]
        with open(tmp_path / "log", "w") as log:
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            processes.append(subprocess.Popen(list(map(str, command)), env=env, stdout=log, stderr=log))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_both_frameworks_in_one_command_that_listens_to_nobody_outside(local, tmp_path):
    process = local("--epochs", 40)
    until(lambda: (tmp_path / "runs").is_dir() and read_runs(tmp_path / "runs"), "a run under way")
    listening = [c for c in psutil.Process(process.pid).net_connections("all") if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} <= {"127.0.0.1"}
    assert process.wait(PATIENCE) == 0, (tmp_path / "log").read_text()
    runs = read_runs(tmp_path / "runs")
    assert sorted((run.framework, run.status) for run in runs) == [("gluon", "finished"), ("torch", "finished")]
    assert process.pid not in {run.process["pid"] for run in runs}


def test_interrupted_it_ends_its_runs_and_leaves_nobody_behind(local, tmp_path):
    process = local("--epochs", 5000, "--framework", "torch")

    def under_way():
        return [
            run for run in (read_runs(tmp_path / "runs") if (tmp_path / "runs").is_dir() else []) if len(run.epochs) > 2
        ]

    (run,) = until(under_way, "a run under way")
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert not psutil.pid_exists(run.process["pid"])
    (stopped,) = read_runs(tmp_path / "runs")
    assert stopped.status == "interrupted" and len(stopped.epochs) >= len(run.epochs)
    assert "Traceback" not in (tmp_path / "log").read_text()
