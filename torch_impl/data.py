"""The chapter's images in PyTorch: augmentations, image folders, loaders.

For example:

    dataset = shared.images.folders.load_dataset("mini")
    for X, y in train_iter(dataset.train, size=64, batch_size=128): ...
"""

from functools import partial

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import default_loader
from torchvision.transforms import ConvertImageDtype, v2
from torchvision.transforms.v2.functional import crop

from shared.images.folders import is_image
from shared.images.views import resized_side

# The mean and standard deviation of each colour over ImageNet's training images: the source network was trained on
# inputs standardised by them.
normalize = v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def train_augs(size):
    """A random region, scaled to `size` x `size`, mirrored half of the time: PIL image -> (3, size, size) float32."""
    # Gluon resizes with OpenCV, which skips pixels when it shrinks an image; so antialias is off here.
    return v2.Compose(
        [
            v2.PILToTensor(),
            v2.RandomResizedCrop(size, antialias=False),
            v2.RandomHorizontalFlip(),
            ConvertImageDtype(torch.float32),  # divides by 255, as Gluon does; v2.ToDtype multiplies by 1/255
            normalize,
        ]
    )


def test_augs(size):
    """The whole image squashed to a square, its centre cut out: PIL image -> (3, size, size) float32."""
    side = resized_side(size)
    # v2.CenterCrop rounds where Gluon's cuts off, and is one pixel lower and to the right at some sizes (48, 80, 160, 192 …).
    return v2.Compose(
        [
            v2.PILToTensor(),
            v2.Resize([side, side], antialias=False),  # one number would keep the aspect ratio
            v2.Lambda(partial(crop, top=(side - size) // 2, left=(side - size) // 2, height=size, width=size)),
            ConvertImageDtype(torch.float32),
            normalize,
        ]
    )


def image_folder(split, transform):
    """The images of `split` (a shared.images.splits.Split) in its order, each with its class index."""
    # allow_empty: a hidden folder is no class
    images = ImageFolder(split.folder, transform, is_valid_file=is_image, allow_empty=True)
    images.samples = split.items
    return images


def train_iter(split, size, batch_size, workers=0):
    """Augmented batches of `split` in a new random order per epoch: X (N, 3, size, size) float32, y (N,) int64.

    workers: processes that load ahead; each has a generator of its own, derived from torch's.
    """
    return DataLoader(
        image_folder(split, train_augs(size)),
        batch_size,
        shuffle=True,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=workers > 0,
    )


def test_iter(split, size, batch_size, workers=0):
    """Batches of `split` in its own order, without randomness: X (N, 3, size, size) float32, y (N,) int64."""
    return DataLoader(
        image_folder(split, test_augs(size)),
        batch_size,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=workers > 0,
    )


def image_batch(files, size):
    """Image files as one batch of unknown classes, as in `test_iter`: X (N, 3, size, size) float32, y (N,) all -1."""
    X = torch.stack([test_augs(size)(default_loader(file)) for file in files])
    return X, torch.full((len(files),), -1)
