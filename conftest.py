"""The tests' options, and the lines that `pytest -k parity` prints at its end.

They stand here because pytest reads options before it looks into tests/, and prints in another process than it tests in.
"""

import json
import os
import platform
from importlib.metadata import version

from shared.parity.tensors import RUNGS, Measured
from shared.runs.machine import cpu_name


def pytest_addoption(parser):
    # One thread for each of the two processes that share the tests; before anything loads a framework.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser.addoption("--device", choices=("cpu", "gpu"), default="cpu", help="where the parity tests run")
    parser.addoption(
        "--parity-record", metavar="FILE", help="also write what the parity tests measured to this JSON file"
    )


def pytest_terminal_summary(terminalreporter, config):
    if hasattr(config, "workerinput"):
        return  # one of several test processes, which has seen a part
    reports = [r for group in terminalreporter.stats.values() for r in group if getattr(r, "when", None) == "call"]
    kept = [entry for r in sorted(reports, key=lambda r: r.nodeid) for entry in r.user_properties]
    ledger = [(label, Measured(*fields)) for name, value in kept if name == "parity" for label, *fields in [value]]
    if not ledger:
        return
    devices, gpu = next(value for name, value in kept if name == "parity devices")
    terminalreporter.section(f"parity of gluon and torch on {devices['said as']}")
    rows = []
    for rung in sorted({m.rung for _, m in ledger}):
        held = [(label, m) for label, m in ledger if m.rung == rung and m.at_least is None]
        known = [(label, m) for label, m in ledger if m.rung == rung and m.at_least is not None]
        if held:
            label, worst = max(held, key=lambda entry: (entry[1].strain, entry[1].difference))
            rows.append((label, worst))
            terminalreporter.line(f"{worst}" + (f" [{label}]" if label else "") + f"; {len(held)} checks")
        for what in dict.fromkeys(m.what for _, m in known):
            label, worst = max(((la, m) for la, m in known if m.what == what), key=lambda entry: entry[1].difference)
            rows.append((label, worst))
            terminalreporter.line(f"{worst}" + (f" [{label}]" if label else ""))
    if config.getoption("--parity-record"):
        record = {
            "command": "pytest " + " ".join(config.invocation_params.args),
            "devices": devices,
            "gpu": gpu,
            "cpu": cpu_name(),
            "versions": {"python": platform.python_version(), **{p: version(p) for p in ("mxnet", "torch", "numpy")}},
            "rungs": [_row(label, m) for label, m in rows],
        }
        with open(config.getoption("--parity-record"), "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
            file.write("\n")


def _row(label, measured):
    return {
        "rung": measured.rung,
        "name": RUNGS[measured.rung],
        "what": measured.what,
        "case": label,
        "worst": _number(measured.difference),
        "tolerance": _number(measured.tolerance),
        "at least": measured.at_least,
    }


def _number(value):
    return float(f"{value:.3g}") if value < 1e300 else "unbounded"
