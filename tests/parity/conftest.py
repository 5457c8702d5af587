"""What the ladder is climbed with, and where."""

import gc

import pytest
import torch
from helpers import THIN, random_source

from shared.experiments import CHAPTER, STRATEGIES
from shared.images.folders import load_dataset
from shared.images.mini.drawings import write_target
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source

from . import ledger, pictures
from .ladder import SAME, Climb
from .scene import Scene, where

# Shallow: what is new in them is the block.
BOTTLENECKS = {
    "bottleneck v2": (2, "bottleneck"),
    "bottleneck v1": (1, "bottleneck"),
    "bottleneck v1b": (1, "bottleneck_v1b"),
}


def pytest_configure(config):
    # TF32 keeps 10 of float32's 23 bits of fraction: no comparison in float32 would mean anything.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def pytest_collection_finish():
    # Gluon's DataLoader collects garbage whenever one is made; what is imported by now (a quarter of a second's worth) is none.
    gc.freeze()


def devices_of(config):
    return where(config.getoption("--device"))


def pytest_generate_tests(metafunc):
    """`scene`: every one. `scene` and `name`: with every experiment of the chapter, a bottleneck with the two that train it all.

    `scene` and `strategy`: the two that stand for all versions, with every other way to transfer.
    """
    if "scene" not in metafunc.fixturenames:
        return
    scenes = ["random v2", "random v1", *BOTTLENECKS, "mini", "real"]
    device = devices_of(metafunc.config).name
    if "strategy" in metafunc.fixturenames:
        pairs = [(s, n) for s in ("random v2", "random v1") for n in STRATEGIES if n not in SAME]
        ids = [f"{scene}, {device}-{name}" for scene, name in pairs]
        metafunc.parametrize(("scene", "strategy"), pairs, indirect=["scene"], ids=ids, scope="session")
    elif "name" in metafunc.fixturenames:
        pairs = [(s, n) for s in scenes for n in CHAPTER if s not in BOTTLENECKS or n in ("finetune", "scratch")]
        ids = [f"{scene}, {device}-{name}" for scene, name in pairs]
        # Many steps of a whole ResNet-18 take twenty seconds: by default in one experiment only.
        long = metafunc.function.__name__ == "test_rung_8_trajectory"
        pairs = [
            pytest.param(s, n, marks=[pytest.mark.slow] if long and s == "real" and n != "finetune" else [])
            for s, n in pairs
        ]
        metafunc.parametrize(("scene", "name"), pairs, indirect=["scene"], ids=ids, scope="session")
    else:
        metafunc.parametrize("scene", scenes, indirect=True, ids=[f"{s}, {device}" for s in scenes], scope="session")


@pytest.fixture(scope="session")
def drawings(tmp_path_factory):
    """Drawn images, 80 and 24, of the classes hotdog and not-hotdog."""
    folder = tmp_path_factory.mktemp("parity") / "drawings"
    write_target(folder, counts=(40, 12))
    return load_dataset(str(folder))


@pytest.fixture(scope="session")
def kinds(tmp_path_factory):
    return load_dataset(str(pictures.kinds_of_files(tmp_path_factory.mktemp("kinds"))))


@pytest.fixture(scope="session")
def solid(tmp_path_factory):
    return load_dataset(str(pictures.solid_colours(tmp_path_factory.mktemp("solid"))))


@pytest.fixture(scope="session")
def coded(tmp_path_factory):
    return load_dataset(str(pictures.position_coded_files(tmp_path_factory.mktemp("coded"))))


@pytest.fixture(scope="session")
def photographs(real):
    """96 + 96 of the real photographs."""
    return load_dataset(str(real / "data" / "hotdog"), limit=96)


@pytest.fixture(scope="session")
def scene(request):
    """A source network with images, on the devices asked for; `real` only where HOTDOG_REAL names its folder."""
    here = devices_of(request.config)
    if request.param == "real":
        folder = request.getfixturevalue("real")
        source = load_source(str(next((folder / "weights").glob("*.pth"))))
        photographs = request.getfixturevalue("photographs")
        return Scene("real", source, photographs, size=64, batch_size=8, where=here)
    drawings = request.getfixturevalue("drawings")
    if request.param == "mini":
        source = load_source("mini")
    elif request.param in BOTTLENECKS:
        version, block = BOTTLENECKS[request.param]
        source = random_source(Architecture(version, (1, 1, 1, 1), THIN, block=block))
    else:
        source = random_source(Architecture(int(request.param[-1]), channels=THIN))
    return Scene(request.param, source, drawings, size=32, batch_size=16, where=here)


@pytest.fixture(scope="session")
def shallow(drawings, kinds, solid, coded):
    """The ladder with a shallow network on the CPU: quick, for planted faults climb it again and again."""
    source = random_source(Architecture(2, layers=(1, 1, 1, 1), channels=THIN))
    return Climb(Scene("shallow", source, drawings, size=32, batch_size=16), kinds, solid, coded)


@pytest.fixture
def keep(request):
    """keep(measured): what a check measured goes into the lines at the end."""
    here = devices_of(request.config)
    devices = {"gluon": str(here.gluon), "torch": str(here.torch), "said as": here.name}
    gpu = torch.cuda.get_device_name(0) if here.torch.type == "cuda" else None
    return lambda measured: ledger.keep(request.node, measured, devices, gpu)
