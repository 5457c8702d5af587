"""Every row of bad_inputs.py: one line on standard error, the right exit code, and nothing left behind.

The commands run in this process, so that a row costs milliseconds; what would run in a process of its own is done in this one too.
"""

import os
import resource
import shlex
import signal
import sys

import bad_files
import pytest
from bad_inputs import ON, ROWS

import gluon_impl.nets  # noqa: F401 (MXNet has to be loaded before PyTorch)
import torch_impl.nets  # noqa: F401
from shared.command.__main__ import main
from shared.parity.plans import PLANS

LONGEST = 60  # seconds; what takes longer waits for something
MOST = 8 << 30  # bytes of memory; what takes more reads something without end


class Hung(BaseException):
    """No Exception, so that nothing catches it on the way."""


class InThisProcess:
    """Stands for multiprocessing's Process: the work is done when it is started."""

    def __init__(self, target, args=(), **_):
        self.target, self.args, self.exitcode, self.pid, self.sentinel = target, args, None, os.getpid(), None

    def start(self):
        try:
            self.target(*self.args)
            self.exitcode = 0
        except SystemExit as end:
            self.exitcode = end.code or 0

    def join(self, timeout=None):
        pass

    def is_alive(self):
        return False

    terminate = kill = close = join


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that the commands are tried in, which is the working directory meanwhile."""
    here, cache = os.getcwd(), os.environ.get("HOTDOG_CACHE")
    folder = tmp_path_factory.mktemp("bad")
    os.chdir(folder)
    os.environ["HOTDOG_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    bad_files.make(folder)
    yield folder
    os.chdir(here)
    os.environ.pop("HOTDOG_CACHE")
    if cache is not None:
        os.environ["HOTDOG_CACHE"] = cache


def contents(folder):
    """Path, kind and size of everything below `folder`; not the plans that `parity` notes before it looks at any run."""
    return {
        os.path.join(where, name): (os.lstat(os.path.join(where, name)).st_mode, _size(os.path.join(where, name)))
        for where, folders, files in os.walk(folder)
        for name in folders + files
        if name != PLANS
    }


def _size(path):
    return 0 if os.path.isdir(path) else os.lstat(path).st_size


def call(command, monkeypatch):
    """The exit code of `hotdog command`; Hung where it takes longer than LONGEST."""

    def hung(*_):
        raise Hung(f"still busy after {LONGEST} s")

    monkeypatch.setattr("multiprocessing.context.SpawnContext.Process", InThisProcess)
    monkeypatch.setattr(sys, "argv", ["hotdog", *shlex.split(command)])
    before = {s: signal.getsignal(s) for s in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM)}
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST, limits[1]))
    signal.signal(signal.SIGALRM, hung)
    signal.alarm(LONGEST)
    try:
        main()
    except SystemExit as end:
        return end.code or 0
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_DATA, limits)
        for s, handler in before.items():
            signal.signal(s, handler)


# (-k parity is the ladder: the command of that name is abbreviated)
@pytest.mark.parametrize(
    "row",
    ROWS,
    ids=[f"{i}: {row.command.replace(ON, '…').replace('parity', 'p.')[:80]!r}" for i, row in enumerate(ROWS, 1)],
)
@pytest.mark.tried("bad inputs")
def test_one_line_the_right_code_and_nothing_left_behind(row, folder, monkeypatch, capfd):
    before = contents(folder)
    capfd.readouterr()
    code = call(row.command, monkeypatch)
    out, errors = capfd.readouterr()
    lines = errors.splitlines()
    assert (code, len(lines)) == (row.code, 1), f"{code}: {errors}"
    assert lines[0].startswith("hotdog: ") and lines[0].isprintable() and "Traceback" not in errors
    rest = lines[0]
    for words in row.words.split(" … "):
        assert words in rest, lines[0]
        rest = rest.split(words, 1)[1]
    if row.code == 2:
        assert contents(folder) == before
    assert len(lines[0]) < 1000
    assert all(line.isprintable() for line in out.splitlines())
    assert not os.path.exists("executed"), "a pickle was executed"


def test_the_good_ones_are_good(folder, monkeypatch, capfd):
    assert call("predict pictures/test/hotdog/000.png --run runs/good-torch", monkeypatch) == 0
    assert call("results --out runs", monkeypatch) == 0
    out, errors = capfd.readouterr()
    assert "finetune" in out and "0.500 → 0.500" in out and not errors


def test_the_table_is_what_it_should_be():
    assert len(ROWS) >= 120
    commands = [row.command for row in ROWS]
    assert len(set(commands)) == len(commands)
    assert all(row.code in (0, 1, 2) and row.words for row in ROWS)
