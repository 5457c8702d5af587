"""Random numbers as named streams: what both frameworks can be given, so that two runs with the same seed are a pair.

A stream is NumPy's generator seeded by (seed, stream, epoch, image). Every image of every epoch has numbers of its own, so what is
drawn depends on neither framework, device, workers nor batch size, nor on what an exercise's other arms draw; and an epoch can be
drawn without those before it, which is what resuming needs.

A run's `draws` are `shared` (these streams: initial output layer, or the whole network from scratch; order; region, mirroring)
or `own` (each framework's generators and transforms, as in the chapter, seeded anew for every epoch by `epoch_seed`).
"""

import math
import zlib
from dataclasses import dataclass

import numpy as np

from shared.images.views import random_region

SHARED, OWN = "shared", "own"
DRAWS = (SHARED, OWN)


def generator(seed: int, stream: str, *key: int) -> np.random.Generator:
    """The generator of `stream` for `key` (epoch, then the image's position in its split, where the stream has them)."""
    return np.random.default_rng([seed, zlib.crc32(stream.encode()), *key])


def order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of an epoch's `count` images: their positions in the split, (count,) int64."""
    return generator(seed, "order", epoch).permutation(count)


@dataclass(frozen=True)
class View:
    """A region of an image in pixels, and whether it is mirrored left to right."""

    left: int
    top: int
    width: int
    height: int
    mirrored: bool


def view(seed: int, epoch: int, position: int, width: int, height: int) -> View:
    """The training view of the image at `position` of the split, `width` x `height` pixels, in `epoch`."""
    rng = generator(seed, "view", epoch, position)
    return View(*random_region(width, height, rng), bool(rng.random() < 0.5))


@dataclass(frozen=True)
class Mix:
    """What an image is mixed with: another of the split, the share of the first, and where a square of the other lies (0 to 1)."""

    partner: int
    share: float
    across: float
    down: float


# Both parameters of the Beta distribution of shares: H. Zhang et al., "mixup" (2018), and S. Yun et al., "CutMix" (2019).
MIXING = {"mixup": 0.2, "cutmix": 1.0}


def mix(seed: int, epoch: int, position: int, count: int, mixing: str) -> Mix:
    """What the image at `position` of a split of `count` is mixed with in `epoch`; the partner has its own view of that epoch."""
    rng = generator(seed, "mix", epoch, position)
    share = float(rng.beta(MIXING[mixing], MIXING[mixing]))
    return Mix(int(rng.integers(count)), share, float(rng.random()), float(rng.random()))


def square(drawn: Mix, size: int) -> tuple[int, int, int]:
    """Left, top and side of the square of `size` x `size` pixels that the other image gets in CutMix: 1 - share of the area."""
    side = round(size * math.sqrt(1 - drawn.share))
    return int(drawn.across * (size - side + 1)), int(drawn.down * (size - side + 1)), side


def shares_of(classes: int, label: int, its_label: int, share: float) -> np.ndarray:
    """The classes of a mixed image as shares, (classes,) float32: `share` of `label`, the rest of `its_label`."""
    shares = np.zeros(classes, dtype=np.float32)
    shares[label] += share
    shares[its_label] += 1 - share
    return shares


def dropout_mask(seed: int, epoch: int, step: int, shape: tuple[int, ...], share: float) -> np.ndarray:
    """What features of `shape` are multiplied by at a step: 0 for a `share` of them, the others are scaled up to make up for it."""
    kept = generator(seed, "dropout", epoch, step).random(shape) >= share
    return kept / (1 - share)


def initial_tensors(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """A network with nothing learned, {name: float32 array} of `shapes`: Xavier weights, biases zero, normalisation the identity.

    Xavier: uniform within sqrt(6 / (inputs + outputs)), a kernel's area counted in both (Glorot and Bengio, "Understanding the
    difficulty of training deep feedforward neural networks", 2010). Every tensor is a stream of its own name, so the
    output layer is the same whether or not the rest is drawn.
    """
    tensors = {}
    for name, shape in shapes.items():
        if len(shape) > 1:
            area = math.prod(shape[2:])
            bound = math.sqrt(6 / (area * (shape[0] + shape[1])))
            drawn = generator(seed, f"initial {name}").uniform(-bound, bound, shape)
        else:
            drawn = np.full(shape, float(name.endswith((".weight", "running_var"))))
        tensors[name] = drawn.astype(np.float32)
    return tensors


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed (32 bits) of a framework's own generators in `epoch`; they start anew there, so that an epoch can be repeated."""
    return int(generator(seed, "own", epoch).integers(2**32))


class EpochOrder:
    """A loader's sampler: (epoch, position) of every image, in the shared order of the epoch that is set."""

    def __init__(self, seed: int, count: int):
        self.seed, self.count, self.epoch = seed, count, 1

    def __len__(self):
        return self.count

    def __iter__(self):
        return ((self.epoch, int(position)) for position in order(self.seed, self.epoch, self.count))


class Epochs:
    """A run's training batches: going through them once is one epoch, and every epoch begins with `begin(epoch)`.

    epoch: how many have been begun. A resumed run sets it to those that are done.
    """

    def __init__(self, loader, begin):
        self.loader, self.begin, self.epoch = loader, begin, 0

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        self.epoch += 1
        self.begin(self.epoch)
        return iter(self.loader)
