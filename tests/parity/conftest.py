"""What the ladder is climbed with, and where."""

from dataclasses import astuple

import pytest
import torch

from shared.images.folders import load_dataset
from shared.images.mini.drawings import write_target
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source

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
    return load_dataset(str(folder))


@pytest.fixture(scope="session")
def kinds(tmp_path_factory):
    return load_dataset(str(pictures.kinds_of_files(tmp_path_factory.mktemp("kinds"))))


@pytest.fixture(scope="session")
def solid(tmp_path_factory):
    return load_dataset(str(pictures.solid_colours(tmp_path_factory.mktemp("solid"))))


@pytest.fixture(scope="session")
def photographs(real):
    """96 + 96 of the real photographs."""
    return load_dataset(str(real / "data" / "hotdog"), limit=96)


@pytest.fixture(scope="session")
def scene(request):
    """A source network with images, on the devices asked for; `real` only where HOTDOG_REAL names its folder."""
    here = where(request.config)
    if request.param == "real":
        folder = request.getfixturevalue("real")
        source = load_source(str(next((folder / "weights").glob("*.pth"))))
        photographs = request.getfixturevalue("photographs")
        return ladder.Scene("real", source, photographs, size=64, batch_size=8, where=here)
    drawings = request.getfixturevalue("drawings")
    if request.param == "mini":
        source = load_source("mini")
    else:
        source = ladder.random_source(Architecture(int(request.param[-1]), channels=THIN))
    return ladder.Scene(request.param, source, drawings, size=32, batch_size=16, where=here)


@pytest.fixture
def keep(request):
    """Keeps what a check measured, and where, with the test's report: the lines at the end are made in another process."""
    callspec = getattr(request.node, "callspec", None)
    here = where(request.config)
    devices = {"gluon": str(here.gluon), "torch": str(here.torch), "said as": here.name}
    gpu = torch.cuda.get_device_name(0) if here.torch.type == "cuda" else None

    def keep(measured):
        label = callspec.id if callspec else ""
        request.node.user_properties.extend(("parity", [label, *astuple(m)]) for m in measured)
        request.node.user_properties.append(("parity devices", [devices, gpu]))

    return keep
