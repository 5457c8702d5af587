"""`hotdog run` and `results` as a user calls them: what they print, where they write, how they stop."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from helpers import ROOT, THIN, hotdog, random_tensors, write_images
from safetensors.numpy import save_file

from shared.networks.architecture import Architecture
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import read_runs

SHORT = ["--size", "32", "--batch-size", "5", "--epochs", "1", "--device", "cpu"]


def find(folder, framework, name):
    """The one run of experiment `name` on `framework` below `folder`/runs."""
    (run,) = [r for r in read_runs(folder / "runs") if (r.framework, r.experiment["name"]) == (framework, name)]
    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder of images, a source network and the runs `finetune` and `frozen` in both frameworks, made by the command."""
    folder = tmp_path_factory.mktemp("run")
    counts = {(s, c): n for s, n in (("train", 6), ("test", 4)) for c in ("hotdog", "not-hotdog")}
    write_images(folder / "pictures", counts)
    save_file(random_tensors(Architecture(1, channels=THIN, classes=5)), folder / "thin.safetensors")
    done = hotdog("run", "finetune", "frozen", "--data", "pictures", "--source", "thin.safetensors", *SHORT, cwd=folder)
    return folder, done


def test_run_trains_in_both_frameworks_and_says_so_in_plain_lines(finished):
    folder, done = finished
    assert done.returncode == 0, done.stderr
    for framework in FRAMEWORKS:
        for name in ("finetune", "frozen"):
            assert f"{name:10s} {framework:5s} seed 0  epoch 0/1  test " in done.stdout
            run = find(folder, framework, name)
            assert f"{run.epochs[1]['images_per_second']:.1f} images/s" in done.stdout
            files = {file.name for file in run.folder.iterdir()}
            assert {"curves.png", "run.json", "test_probabilities.csv", "weights.safetensors"} <= files
    assert "\x1b" not in done.stdout


def test_results_show_the_frameworks_side_by_side(finished):
    folder, _ = finished
    done = hotdog("results", "--out", folder / "runs", "--plot", folder / "all.png")
    assert done.returncode == 0, done.stderr
    for name in ("finetune", "frozen"):
        (line,) = [text for text in done.stdout.splitlines() if f"│ {name}" in text]
        for framework in FRAMEWORKS:
            run = find(folder, framework, name)
            assert f"{run.epochs[0]['test_accuracy']:.3f} → {run.test_accuracy:.3f}" in line
    assert (folder / "all.png").read_bytes().startswith(b"\x89PNG")
    markdown = hotdog("results", "--out", folder / "runs", "--markdown").stdout
    assert markdown.splitlines()[1].startswith("| --- |")


@pytest.mark.tried("kill points")
@pytest.mark.parametrize(
    ("stop", "group", "workers"),
    [(signal.SIGINT, False, 0), (signal.SIGTERM, False, 0), (signal.SIGINT, True, 1), (signal.SIGTERM, True, 1)],
)
def test_stopping_the_command_stops_its_processes_and_keeps_what_they_have(
    stop, group, workers, images, thin_file, tmp_path
):
    command = ["run", "finetune", "--framework", "torch", "--data", images, "--source", thin_file, "--size", "32"]
    command += ["--epochs", "10000", "--workers", workers, "--out", "runs"]
    process = subprocess.Popen(
        [sys.executable, "-m", "shared.command", *map(str, command)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    # In the middle of training; processes that load images take seconds to begin, so with them at once.
    assert any(("epoch 0/" if workers else "epoch 2/") in line for line in process.stdout)
    if group:  # as a console does, and a service manager
        os.killpg(process.pid, stop)
    else:  # to the command alone: its processes have to hear of it from there
        process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "hotdog: interrupted; what was recorded so far is kept\n")
    (run,) = read_runs(tmp_path / "runs")
    assert run.status == "interrupted" and len(run.epochs) > (0 if workers else 2)
    with pytest.raises(
        ProcessLookupError
    ):  # nobody of the family is left, once what counts its shared memory has seen the end
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.1)


POOR = {
    "the reader goes away": ("| head -n 1", {}),
    "everything is closed": ("<&- >&- 2>&-", {}),
    "the disk behind the log is full": ("> /dev/full 2>&1", {}),
    "ASCII, one column wide": ("| cat", {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "TERM": "dumb", "COLUMNS": "1"}),
}


@pytest.mark.parametrize(
    "what", [pytest.param(w, marks=[pytest.mark.slow] * (i in (1, 2))) for i, w in enumerate(POOR)]
)
def test_no_console_stops_a_run(what, images, thin_file, tmp_path):
    after, environment = POOR[what]
    arguments = ["run", "finetune", "--framework", "torch", "--data", images, "--source", thin_file, *SHORT]
    command = f'"{sys.executable}" -m shared.command {" ".join(map(str, arguments))} --out runs'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {after}"], capture_output=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    (run,) = read_runs(tmp_path / "runs")
    assert run.status == "finished" and (run.folder / "curves.png").is_file()
    assert b"Traceback" not in done.stdout


def test_a_terminal_of_one_column_without_a_name_shows_a_run(images, thin_file, tmp_path):
    arguments = ["run", "finetune", "--framework", "torch", "--data", images, "--source", thin_file, *SHORT]
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "TERM"} | {"PYTHONPATH": str(ROOT), "COLUMNS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "shared.command", *map(str, arguments), "--out", "runs"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment, close_fds=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the last of them has closed it
            break
    os.close(ours)
    assert process.wait() == 0, shown.decode()
    assert read_runs(tmp_path / "runs")[0].status == "finished"
