"""The chapter's images in Gluon: augmentations, image folders, loaders.

For example:

    dataset = shared.images.folders.load_dataset("mini")
    for X, y in train_iter(dataset.train, size=64, batch_size=128): ...
"""

from mxnet import gluon, image, np, npx
from mxnet.gluon.data.vision import transforms

from shared.images.views import resized_side

npx.set_np()

# The mean and standard deviation of each colour over ImageNet's training images: the source network was trained on
# inputs standardised by them.
normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def train_augs(size):
    """A random region, scaled to `size` x `size`, mirrored half of the time: HWC uint8 -> (3, size, size) float32."""
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(size),
            transforms.RandomFlipLeftRight(),
            transforms.ToTensor(),
            normalize,
        ]
    )


def test_augs(size):
    """The whole image squashed to a square, its centre cut out: HWC uint8 -> (3, size, size) float32."""
    return transforms.Compose(
        [
            transforms.Resize(resized_side(size)),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            normalize,
        ]
    )


def image_folder(split, transform):
    """The images of `split` (a shared.images.splits.Split) in its order, each with its class index."""
    images = gluon.data.vision.ImageFolderDataset(str(split.folder))
    images.items = split.items
    return images.transform_first(transform)


def train_iter(split, size, batch_size, workers=0):
    """Augmented batches of `split` in a new random order per epoch: X (N, 3, size, size) float32, y (N,) int32.

    workers: threads that load ahead. With more than 0 the augmentation is no longer repeatable: they share one generator.
    """
    return gluon.data.DataLoader(
        image_folder(split, train_augs(size)),
        batch_size,
        shuffle=True,
        num_workers=workers,
        thread_pool=True,
    )


def test_iter(split, size, batch_size, workers=0):
    """Batches of `split` in its own order, without randomness: X (N, 3, size, size) float32, y (N,) int32."""
    return gluon.data.DataLoader(
        image_folder(split, test_augs(size)),
        batch_size,
        num_workers=workers,
        thread_pool=True,
    )


def image_batch(files, size):
    """Image files as one batch of unknown classes, as in `test_iter`: X (N, 3, size, size) float32, y (N,) all -1."""
    X = np.stack([test_augs(size)(image.imread(str(file))) for file in files])
    return X, np.full(len(files), -1, dtype="int32")
