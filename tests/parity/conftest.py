"""What the ladder is climbed with, where, and the lines that `pytest -k parity` prints at its end."""

import json
import platform
from dataclasses import astuple
from importlib.metadata import version

import pytest
import torch

from shared import datasets, devices, parity, sources
from shared.mini.build import write_target
from shared.sources import Architecture

from . import ladder, pictures

# Narrow networks of both architectures, their tensors all random.
THIN = (8, 8, 16, 32, 64)


def pytest_configure(config):
    # TF32 keeps 10 of float32's 23 bits of fraction: no comparison in float32 would mean anything.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def where(config) -> ladder.Where:
    return ladder.where(config.getoption("--device"))


def pytest_generate_tests(metafunc):
    if "scene" in metafunc.fixturenames:
        names = ["random v2", "random v1", "mini", "real"]
        device = where(metafunc.config).name
        metafunc.parametrize("scene", names, indirect=True, ids=[f"{n}, {device}" for n in names], scope="session")


@pytest.fixture(scope="session")
def drawings(tmp_path_factory):
    """Drawn images, 80 and 24, of the classes hotdog and not-hotdog."""
    folder = tmp_path_factory.mktemp("parity") / "drawings"
    write_target(folder, counts=(40, 12))
    return datasets.load_dataset(str(folder))


@pytest.fixture(scope="session")
def kinds(tmp_path_factory):
    return datasets.load_dataset(str(pictures.kinds_of_files(tmp_path_factory.mktemp("kinds"))))


@pytest.fixture(scope="session")
def solid(tmp_path_factory):
    return datasets.load_dataset(str(pictures.solid_colours(tmp_path_factory.mktemp("solid"))))


@pytest.fixture(scope="session")
def photographs(real):
    """96 + 96 of the real photographs."""
    return datasets.load_dataset(str(real / "data" / "hotdog"), limit=96)


@pytest.fixture(scope="session")
def scene(request):
    """A source network with images, on the devices asked for; `real` only where HOTDOG_REAL names its folder."""
    here = where(request.config)
    if request.param == "real":
        folder = request.getfixturevalue("real")
        source = sources.load_source(str(next((folder / "weights").glob("*.pth"))))
        photographs = request.getfixturevalue("photographs")
        return ladder.Scene("real", source, photographs, size=64, batch_size=8, where=here)
    drawings = request.getfixturevalue("drawings")
    if request.param == "mini":
        source = sources.load_source("mini")
    else:
        source = ladder.random_source(Architecture(int(request.param[-1]), channels=THIN))
    return ladder.Scene(request.param, source, drawings, size=32, batch_size=16, where=here)


@pytest.fixture
def keep(request):
    """Keeps what a check measured for the lines at the end, with the test's report, which comes from another process here."""
    callspec = getattr(request.node, "callspec", None)

    def keep(measured):
        label = callspec.id if callspec else ""
        request.node.user_properties.extend(("parity", [label, *astuple(m)]) for m in measured)

    return keep


def pytest_terminal_summary(terminalreporter, config):
    reports = [r for group in terminalreporter.stats.values() for r in group if getattr(r, "when", None) == "call"]
    kept = [
        value for r in sorted(reports, key=lambda r: r.nodeid) for name, value in r.user_properties if name == "parity"
    ]
    ledger = [(label, parity.Measured(*fields)) for label, *fields in kept]
    if not ledger:
        return
    terminalreporter.section(f"parity of gluon and torch on {where(config).name}")
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
    record = config.getoption("--parity-record")
    if record:
        with open(record, "w", encoding="utf-8") as file:
            json.dump(_record(config, rows), file, indent=1)
            file.write("\n")


def _record(config, rows):
    here = where(config)
    return {
        "command": "pytest " + " ".join(config.invocation_params.args),
        "devices": {"gluon": str(here.gluon), "torch": str(here.torch), "said as": here.name},
        "gpu": torch.cuda.get_device_name(0) if here.torch.type == "cuda" else None,
        "cpu": devices.cpu_name(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in ("mxnet", "torch", "numpy")}},
        "rungs": [
            {
                "rung": m.rung,
                "name": parity.RUNGS[m.rung],
                "what": m.what,
                "case": label,
                "worst": _number(m.difference),
                "tolerance": _number(m.tolerance),
                "at least": m.at_least,
            }
            for label, m in rows
        ],
    }


def _number(value):
    return float(f"{value:.3g}") if value < 1e300 else "unbounded"
