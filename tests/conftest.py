"""Options and fixtures for all tests: tiny images, a thin network, an empty cache, the real things where HOTDOG_REAL names them."""

import os
from pathlib import Path

# One thread for each of the processes that share the tests; before anything loads a framework, or asks for all cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# pytest-xdist tells its processes how wide the terminal is; the command would fit its tables to that.
os.environ.pop("COLUMNS", None)

import counts
import pytest
from benchmarks.namespaces import REFUSED, refused
from helpers import THIN, random_tensors, write_images
from parity import ledger
from safetensors.numpy import save_file

import gluon_impl  # noqa: F401 (on NumPy 2 it has to come before MXNet)
from shared.networks.architecture import Architecture


def pytest_addoption(parser):
    parser.addoption("--device", choices=("cpu", "gpu"), default="cpu", help="where the parity tests run")
    parser.addoption(
        "--parity-record", metavar="FILE", help="also write what the parity tests measured to this JSON file"
    )


def pytest_collection_modifyitems(items):
    for item in items:
        item.user_properties += [("tried", list(mark.args)) for mark in item.iter_markers("tried")]


def pytest_terminal_summary(terminalreporter, config):
    if not hasattr(config, "workerinput"):  # one of several test processes has seen a part only
        ledger.summarise(terminalreporter, config)
        counts.summarise(terminalreporter)


@pytest.fixture
def images(tmp_path):
    """A folder of 12 + 8 images in the classes hotdog and not-hotdog."""
    counts = {(s, c): n for s, n in (("train", 6), ("test", 4)) for c in ("hotdog", "not-hotdog")}
    return write_images(tmp_path / "pictures", counts)


@pytest.fixture
def thin_file(tmp_path):
    """A thin resnet18_v2 source network with five labelled classes, as a .safetensors file."""
    tensors = random_tensors(Architecture(2, channels=THIN, classes=5))
    path = tmp_path / "thin.safetensors"
    save_file(tensors, path, {"classes": '["apple", "hotdog", "mug", "photocopier", "pizza"]'})
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("HOTDOG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def own_namespaces():
    """For tests with a network or mounts of their own, which need a system that gives them to everybody."""
    if refused():
        pytest.skip(REFUSED)


@pytest.fixture(scope="session")
def real():
    """The folder with data/hotdog and weights/ that HOTDOG_REAL names; tests that need it are skipped without."""
    folder = os.environ.get("HOTDOG_REAL")
    if not folder or not (Path(folder) / "data" / "hotdog").is_dir():
        pytest.skip("HOTDOG_REAL names no folder with data/hotdog and weights/")
    return Path(folder)
