"""What the parity tests measured: kept with each test's report, printed at the end of `pytest -k parity`, written to a record.

It is printed in another process than it is measured in: the lines are made in the one that starts the test processes.
"""

import json
import platform
from dataclasses import astuple
from importlib.metadata import version

from shared.parity.tensors import RUNGS, Measured
from shared.runs.machine import cpu_name


def keep(node, measured: list, devices: dict, gpu: str | None):
    """Keep what a test (`node`) measured with its report. devices: of each framework, and what to call both; gpu: its name."""
    callspec = getattr(node, "callspec", None)
    label = callspec.id if callspec else ""
    node.user_properties.extend(("parity", [label, *astuple(m)]) for m in measured)
    node.user_properties.append(("parity devices", [devices, gpu]))


def summarise(terminalreporter, config):
    """Print the worst of every rung and every known difference; with --parity-record, write them to its file too."""
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
