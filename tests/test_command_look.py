"""`hotdog doctor`: versions, system libraries, and each framework asked in a process of its own."""

import os

import pytest
from helpers import hotdog

from shared.runs import machine


def test_doctor_names_versions_libraries_devices_and_threads():
    done = hotdog("doctor", env={"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    cells = {row[1].strip(): row[2].strip() for row in (x.split("│") for x in done.stdout.splitlines()) if len(row) > 3}
    assert cells["mxnet"] == "1.9.1" and cells["libgomp.so.1"] == cells["libquadmath.so.0"] == "there"
    assert cells["gluon threads"] == cells["torch threads"] == "1"
    assert {cells["gluon device"], cells["torch device"]} <= {"cpu", "gpu"}


def test_a_missing_system_library_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(machine, "SYSTEM_LIBRARIES", {"libnosuch.so.7": "libnosuch7", "libc.so.6": "libc6"})
    (missing, advice), there = machine.system_libraries()
    assert missing == "libnosuch.so.7" and "apt-get install libnosuch7" in advice
    assert there == ("libc.so.6", "")


@pytest.mark.parametrize(
    ("work", "words"),
    [(os.abort, "ended"), (lambda: 1 / 0, "ZeroDivisionError: division by zero")],
    ids=("crash", "error"),
)
def test_a_framework_that_does_not_work_is_said(work, words, monkeypatch):
    if work is os.abort:
        monkeypatch.setattr(machine, "_facts", _abort)
        assert words in machine.asked_alone("torch")["error"]
    else:
        monkeypatch.setattr(machine, "implementation", lambda *_: work())
        assert machine._facts("torch") == {"error": words}


def _abort(framework):
    os._exit(9)
