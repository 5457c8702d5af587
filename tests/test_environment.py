"""The command where things are not as usual: odd paths, consoles, homes and disks. Each row is a process of its own."""

import contextlib
import os
import pty
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import bad_files
import pytest
from helpers import ROOT, THIN, random_tensors, write_images
from safetensors.numpy import save_file

from shared.networks.architecture import Architecture

RUN = "run finetune --data pictures --source thin.safetensors --size 32 --batch-size 5 --epochs 1 --device cpu"
ROOTS_RIGHTS = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]


@pytest.fixture
def folder(tmp_path):
    """A working directory with images, a network and two finished runs."""
    (tmp_path / "work").mkdir()
    write_images(tmp_path / "work" / "pictures", bad_files.COUNTS)
    save_file(random_tensors(Architecture(2, channels=THIN, classes=5)), tmp_path / "work" / "thin.safetensors")
    with contextlib.chdir(tmp_path / "work") if sys.version_info >= (3, 11) else _inside(tmp_path / "work"):
        bad_files.good_runs(tmp_path / "work")
    return tmp_path / "work"


@contextlib.contextmanager
def _inside(folder):
    here = os.getcwd()
    os.chdir(folder)
    yield
    os.chdir(here)


def call(command, cwd, project=ROOT, before=(), without=(), **environment):
    """`hotdog command` from `project`. before: what runs it. without, environment: variables that are taken away or set."""
    env = {**os.environ, "PYTHONPATH": str(project), **environment}
    for name in without:
        env.pop(name, None)
    arguments = [*before, sys.executable, "-m", "hotdog_twice", *shlex.split(command)]
    return subprocess.run(arguments, cwd=cwd, env=env, capture_output=True, text=True, errors="replace")


def as_ordinary_user():
    """What runs a command without root's right to read and write everything; skips where that cannot be had."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv")
    return ["setpriv", *ROOTS_RIGHTS]


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 60 KB; skipped where it cannot be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def one_line(errors):
    (line,) = errors.splitlines()
    assert line.startswith("hotdog: ")
    return line


@pytest.mark.slow
def test_a_project_path_with_spaces_and_umlauts(folder, tmp_path):
    project = tmp_path / "Büro & Küche" / "hot dog's [1]"
    for name in ("shared", "gluon_impl", "torch_impl"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("results", "__pycache__"))
    shutil.copy(ROOT / "hotdog_twice.py", project)
    work = project / "my runs"
    shutil.copytree(folder, work)
    done = call(RUN, work, project)
    assert done.returncode == 0, done.stderr
    assert len(list(work.glob("runs/pictures-*/weights.safetensors"))) == 2
    done = call("results", work, project)
    assert done.returncode == 0 and "finetune" in done.stdout


@pytest.mark.parametrize(
    "locale",
    [
        {"LANG": "C", "LC_ALL": "C"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
)
def test_a_console_that_knows_only_ascii(locale, folder):
    for command in ("results", "--help", "run --help"):
        done = call(command, folder, **locale)
        assert (done.returncode, done.stderr) == (0, "")
    (folder / "Wörter").mkdir()
    line = one_line(call("results --out Wörter", folder, **locale).stderr)
    assert "no finished runs" in line


@pytest.mark.parametrize("term", [None, "dumb", "nosuch-terminal"])
def test_a_terminal_without_a_name_or_abilities(term, folder):
    env = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"TERM": term} if term else {})
    if term is None:
        env.pop("TERM", None)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hotdog_twice", "results"], cwd=folder, env=env, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while block := os.read(ours, 4096):
            shown += block
    os.close(ours)
    assert process.wait() == 0 and b"finetune" in shown and b"Traceback" not in shown


@pytest.mark.parametrize("command", ["results", "run --help", "doctor"])
def test_output_into_a_pipe_that_closes(command, folder):
    line = f"{shlex.quote(sys.executable)} -m hotdog_twice {command} | head -1; exit ${{PIPESTATUS[0]}}"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True)
    assert done.stderr == "" and done.returncode in (0, 141)


def test_an_output_that_is_full(folder):
    with open("/dev/full", "w") as full:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "hotdog_twice", "results"],
            cwd=folder,
            env=env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 1


@pytest.mark.slow
def test_a_disk_that_fills_up(folder, tiny_disk):
    done = call(f"{RUN} --framework torch --out {tiny_disk}", folder)
    line = one_line(done.stderr)
    assert done.returncode in (1, 2) and "No space left" in line and str(tiny_disk) in line
    assert not list(tiny_disk.glob("**/weights.safetensors"))
    for record in tiny_disk.glob("*/run.json"):  # what was written is whole
        assert record.read_text().endswith("}\n")
    assert not [p for p in tiny_disk.glob("**/.*") if p.is_file() and p.suffix != ".lock"]


def test_a_disk_without_a_byte(folder, tiny_disk):
    (tiny_disk / "filler").write_bytes(b"x" * 60 * 1024)
    done = call(f"{RUN} --framework torch --out {tiny_disk}/runs", folder)
    assert done.returncode == 2 and "No space left" in one_line(done.stderr)


@pytest.mark.slow
def test_a_home_that_cannot_be_written_to(folder):
    done = call(f"{RUN} --framework torch", folder, without=("HOTDOG_CACHE", "XDG_CACHE_HOME"), HOME="/proc")
    assert (done.returncode, done.stderr) == (0, "")
    done = call("data show mini", folder, without=("HOTDOG_CACHE", "XDG_CACHE_HOME"), HOME="/proc")
    assert done.returncode == 2 and "/proc" in one_line(done.stderr)


@pytest.mark.parametrize("command", ["data show mini", "run finetune --framework torch", "run finetune --data hotdog"])
def test_a_cache_folder_without_rights(command, folder, tmp_path):
    before = as_ordinary_user()
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o500)
    done = call(command, folder, before=before, HOTDOG_CACHE=str(cache))
    assert done.returncode == 2 and str(cache) in one_line(done.stderr)


def test_out_folders_and_files_without_rights(folder):
    before = as_ordinary_user()
    (folder / "closed").mkdir(mode=0o500)
    done = call(f"{RUN} --framework torch --out closed", folder, before=before)
    assert done.returncode == 2 and "closed" in one_line(done.stderr)
    assert not list((folder / "closed").iterdir())
    for file in ("pictures/train/hotdog/000.png", "thin.safetensors", "runs/good-torch/run.json"):
        (folder / file).chmod(0)
        command = "predict pictures/test/hotdog/000.png --run runs/good-torch" if "run.json" in file else RUN
        done = call(command, folder, before=before)
        assert done.returncode == 2 and Path(file).name in one_line(done.stderr), file
        (folder / file).chmod(0o600)


def test_nobody_at_the_keyboard_and_no_console_at_all(folder):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    closed = f"{shlex.quote(sys.executable)} -m hotdog_twice results <&- >&- 2>&-"
    assert subprocess.run(["bash", "-c", closed], cwd=folder, env=env).returncode == 0


def test_a_working_directory_that_is_gone(folder, tmp_path):
    gone = tmp_path / "gone"
    line = f"mkdir {gone}; cd {gone}; rmdir {gone}; {shlex.quote(sys.executable)} -m hotdog_twice results"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True)
    assert done.returncode == 2 and "no finished runs" in one_line(done.stderr)
