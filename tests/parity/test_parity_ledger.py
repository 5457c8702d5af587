"""What the parity tests measured reaches the lines at the end and the record, whatever process tested."""

import json
import os
import subprocess
import sys

from helpers import ROOT

CONFTEST = """
import pytest
from parity import ledger
from shared.parity.tensors import Measured

def pytest_addoption(parser):
    parser.addoption("--parity-record")

def pytest_terminal_summary(terminalreporter, config):
    if not hasattr(config, "workerinput"):
        ledger.summarise(terminalreporter, config)

@pytest.fixture
def measured(request):
    devices = {"gluon": "cpu(0)", "torch": "cpu", "said as": "cpu"}
    return lambda *fields: ledger.keep(request.node, [Measured(*fields)], devices, None)
"""
ONE = """
import pytest

@pytest.mark.parametrize("case", ["easy", "hard"])
def test_rung_2(measured, case):
    measured(2, "tensors", 0.1 if case == "easy" else 0.3, 1.0)
"""
OTHER = """
def test_rung_9(measured):
    measured(9, "statistics", 0.5, 0.8, 0.2)

def test_nothing():
    pass
"""


def test_the_lines_at_the_end_and_the_record_come_from_whatever_process_tested(tmp_path):
    for name, text in (("conftest", CONFTEST), ("test_one", ONE), ("test_other", OTHER)):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    record = tmp_path / "record.json"
    record.write_text("an older record", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", f"--parity-record={record}"]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("rung ")]
    assert [line.split()[1] for line in lines] == ["2", "9"]
    assert "[hard]" in lines[0] and "2 checks" in lines[0] and "within 0.2 to 0.8" in lines[1]
    written = json.loads(record.read_text(encoding="utf-8"))
    assert [(row["rung"], row["case"], row["worst"]) for row in written["rungs"]] == [(2, "hard", 0.3), (9, "", 0.5)]
    assert written["devices"] == {"gluon": "cpu(0)", "torch": "cpu", "said as": "cpu"}
