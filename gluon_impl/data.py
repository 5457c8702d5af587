"""The chapter's images in Gluon: augmentations, image folders, loaders.

For example:

    dataset = shared.images.folders.load_dataset("mini")
    for X, y in train_iter(dataset.train, size=64, batch_size=128): ...
"""

from mxnet import gluon, image, np, npx
from mxnet.gluon.data.vision import transforms

from gluon_impl.training import seed_everything
from shared.images.augment import augment
from shared.images.cache import CACHE
from shared.images.draws import OWN, SHARED, EpochOrder, Epochs, epoch_seed, generator, mix, shares_of, square, view
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


def read_image(file):
    """The image in `file`, HWC uint8, RGB; kept in memory where `shared.images.cache` has room."""
    return CACHE.image(file, image.imread, lambda pixels: pixels.size)


class ListedImages(gluon.data.vision.ImageFolderDataset):
    """Gluon's image folder without its search: which files are read is said by a list, the same for both frameworks."""

    def _list_images(self, root):
        self.items = []

    def __getitem__(self, position):
        file, label = self.items[position]
        item = read_image(file), label
        return item if self._transform is None else self._transform(*item)


def image_folder(split, transform):
    """The images of `split` (a shared.images.splits.Split) in its order, each with its class index."""
    images = ListedImages(str(split.folder))
    images.items = split.items
    return images.transform_first(transform)


def train_iter(split, size, batch_size, seed=0, draws=OWN, workers=0, mixing="none", augmentation="plain"):
    """Augmented batches of `split`, an epoch each time: X (N, 3, size, size) float32, y (N,) int32.

    draws: `own` shuffles and augments with the generators of MXNet, NumPy and Python, which start anew from (seed, epoch);
    `shared` takes order and views from shared.images.draws. workers: threads that load ahead. With more than 0 own draws are
    not repeatable: the threads share one generator.
    """
    sampler = EpochOrder(seed, len(split))
    images = (
        DrawnViews(split, size, seed, mixing, augmentation)
        if draws == SHARED
        else image_folder(split, train_augs(size))
    )
    if workers:
        _ = images[next(iter(sampler)) if draws == SHARED else 0]  # see test_iter
    loader = gluon.data.DataLoader(
        images,
        batch_size,
        shuffle=draws == OWN,
        sampler=sampler if draws == SHARED else None,
        last_batch="keep",
        num_workers=workers,
        thread_pool=True,
    )

    def begin(epoch):
        seed_everything(epoch_seed(seed, epoch))
        sampler.epoch = epoch

    return Epochs(loader, begin)


class DrawnViews(gluon.data.Dataset):
    """The images of `split` as the shared streams draw them: [epoch, position] -> ((3, size, size) float32, class index)."""

    def __init__(self, split, size, seed, mixing="none", augmentation="plain"):
        self.items, self.size, self.seed = split.items, size, seed
        self.mixing, self.augmentation, self.classes = mixing, augmentation, max(split.labels) + 1
        self.finish = transforms.Compose([transforms.ToTensor(), normalize])

    def __len__(self):
        return len(self.items)

    def __getitem__(self, key):
        epoch, position = key
        X, label = self._view(epoch, position)
        if self.mixing == "none":
            return X, label
        drawn = mix(self.seed, epoch, position, len(self), self.mixing)
        other, its_label = self._view(epoch, drawn.partner)
        share = drawn.share
        if self.mixing == "mixup":
            X = share * X + (1 - share) * other
        else:
            left, top, side = square(drawn, self.size)
            X[:, top : top + side, left : left + side] = other[:, top : top + side, left : left + side]
            share = 1 - (side / self.size) ** 2
        return X, shares_of(self.classes, label, its_label, share)

    def _view(self, epoch, position):
        file, label = self.items[position]
        pixels = read_image(file)
        drawn = view(self.seed, epoch, position, pixels.shape[1], pixels.shape[0])
        region = (drawn.left, drawn.top, drawn.width, drawn.height)
        # bilinear, as RandomResizedCrop does
        pixels = image.fixed_crop(pixels, *region, (self.size, self.size), interp=1)
        pixels = np.flip(pixels, axis=1) if drawn.mirrored else pixels
        if self.augmentation == "strong":
            rng = generator(self.seed, "augment", epoch, position)
            pixels = np.array(augment(pixels.asnumpy(), rng), dtype="uint8")
        return self.finish(pixels), label


def test_iter(split, size, batch_size, workers=0):
    """Batches of `split` in its own order, without randomness: X (N, 3, size, size) float32, y (N,) int32."""
    images = image_folder(split, test_augs(size))
    if workers:
        _ = images[0]  # a transform builds its graph at its first call, and two threads at once would break that
    return gluon.data.DataLoader(
        images,
        batch_size,
        num_workers=workers,
        thread_pool=True,
    )


def image_batch(files, size):
    """Image files as one batch of unknown classes, as in `test_iter`: X (N, 3, size, size) float32, y (N,) all -1."""
    X = np.stack([test_augs(size)(image.imread(str(file))) for file in files])
    return X, np.full(len(files), -1, dtype="int32")


def as_batch(X, y):
    """NumPy's X (N, 3, size, size) and y (N,) as `test_iter` gives them: X in its own dtype, y int32, on the CPU."""
    return np.array(X, dtype=X.dtype), np.array(y, dtype="int32")
