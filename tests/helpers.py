"""What many tests need: tiny images, thin networks of random tensors, and the command as a user calls it.

    from helpers import THIN, hotdog, random_tensors, write_images

Fixtures that are made of these (a folder of images, a source file) stand in conftest.py.
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from shared.networks.architecture import Architecture, tensor_shapes
from shared.networks.reading import imagenet_classes
from shared.networks.source import Source, fingerprint
from shared.runs.record import Run

ROOT = Path(__file__).parent.parent

# Widths of a thin ResNet-18: the stem, then four stages. No two neighbours of the last four are alike, so that a mix-up shows.
THIN = (8, 8, 16, 24, 32)


def hotdog(*arguments, cwd=None, env=None):
    """Run `hotdog` in a process of its own, without a terminal: what it prints, its errors and its exit code.

    arguments: any values. cwd: the folder it is called in. env: {name: value} for its environment, beside what is there.
    """
    return subprocess.run(
        [sys.executable, "-m", "shared.command", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **{name: str(value) for name, value in (env or {}).items()}},
    )


def random_tensors(architecture: Architecture, seed=0) -> dict:
    """{canonical name: float32 array} with every tensor of `architecture` random, running statistics and scales included.

    Weights have variance 2 / fan-in, so that activations neither vanish nor explode; the output layer a hundredth, so that
    logits are about as large as a trained network's. v2's first normalisation stays 1 and 0: Gluon ignores what it is given there.
    """
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in tensor_shapes(architecture).items():
        if len(shape) > 1:
            tensor = rng.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape)
        elif name.endswith(("running_var", "weight")):
            tensor = rng.uniform(0.5, 1.5, shape)
        else:
            tensor = rng.normal(0, 0.1, shape)
        tensors[name] = tensor.astype("float32")
    tensors["output.weight"] *= np.float32(0.1)
    if architecture.version == 2:
        tensors["features.bn0.weight"][:] = 1
        tensors["features.bn0.bias"][:] = 0
    return tensors


def random_source(architecture: Architecture, seed=0) -> Source:
    """A source network of `random_tensors`. A thousand output rows get ImageNet's labels, others none."""
    tensors = random_tensors(architecture, seed)
    classes = imagenet_classes() if architecture.classes == 1000 else None
    return Source("random", architecture, tensors, classes, fingerprint(tensors))


def write_images(folder: Path, counts: dict, size=40, seed=0) -> Path:
    """Write images of noise: reddish ones for the first class, bluish for the others. Returns `folder`.

    counts: {(split, class): number of images}.
    """
    rng = np.random.default_rng(seed)
    classes = sorted({name for _, name in counts})
    for (split, name), count in counts.items():
        (folder / split / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = rng.integers(0, 120, (size, size + i % 5, 3))
            pixels[..., 0 if name == classes[0] else 2] += 120
            Image.fromarray(pixels.astype("uint8")).save(folder / split / name / f"{i:03d}.png")
    return folder


def run_of(name, framework, accuracies, seed=0, row=None, loss=0.5):
    """A record with the given test accuracies."""
    return Run(
        folder=Path("x"),
        experiment={"name": name, "num_epochs": len(accuracies) - 1, "learning_rate": 0.01, "head_lr_mult": 10},
        framework=framework,
        seed=seed,
        dataset={"name": "d", "train": 9, "test": 4, "tested_on": "test", "fingerprint": "f"},
        source={"row": row, "row_label": "hotdog", "fingerprint": "s"},
        device={},
        versions={},
        epochs=[
            {
                "epoch": i,
                "train_loss": i and loss,
                "test_accuracy": a,
                "seconds": i and 2.0,
                "images_per_second": i and 4.5,
            }
            for i, a in enumerate(accuracies)
        ],
    )
