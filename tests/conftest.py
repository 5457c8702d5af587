"""Tiny images and networks for all tests, and the real ones where HOTDOG_REAL names their folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import gluon_impl  # noqa: F401 (on NumPy 2 it has to come before MXNet)
from shared.networks.architecture import Architecture, tensor_shapes

THIN = (8, 8, 16, 24, 32)


def random_tensors(architecture, seed=0):
    """Random float32 tensors of `architecture` under canonical names; running variances positive, v2's first layer fixed."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in tensor_shapes(architecture).items():
        if name.endswith("running_var"):
            tensors[name] = rng.uniform(0.5, 1.5, shape).astype("float32")
        elif len(shape) > 1:
            fan = np.prod(shape[1:])
            tensors[name] = (rng.normal(size=shape) * np.sqrt(2 / fan)).astype("float32")
        else:
            tensors[name] = rng.normal(1 if name.endswith("weight") else 0, 0.1, shape).astype("float32")
    tensors["output.weight"] *= (
        0.1  # logits of about 10, as a trained network's; float32 agrees to 1e-6 of whatever size
    )
    if architecture.version == 2:
        tensors["features.bn0.weight"][:] = 1
        tensors["features.bn0.bias"][:] = 0
    return tensors


def write_images(folder, counts, size=40, seed=0):
    """Write noise images: reddish ones for the first class, bluish for the others; `counts` {(split, class): number}."""
    rng = np.random.default_rng(seed)
    classes = sorted({name for _, name in counts})
    for (split, name), count in counts.items():
        (folder / split / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = rng.integers(0, 120, (size, size + i % 5, 3))
            pixels[..., 0 if name == classes[0] else 2] += 120
            Image.fromarray(pixels.astype("uint8")).save(folder / split / name / f"{i:03d}.png")
    return folder


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
def real():
    """The folder with data/hotdog and weights/ that HOTDOG_REAL names; tests that need it are skipped without."""
    folder = os.environ.get("HOTDOG_REAL")
    if not folder or not (Path(folder) / "data" / "hotdog").is_dir():
        pytest.skip("HOTDOG_REAL names no folder with data/hotdog and weights/")
    return Path(folder)
