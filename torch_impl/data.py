"""The chapter's images in PyTorch: augmentations, image folders, loaders.

For example:

    dataset = shared.images.folders.load_dataset("mini")
    for X, y in train_iter(dataset.train, size=64, batch_size=128): ...
"""

from functools import partial

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import default_loader
from torchvision.transforms import ConvertImageDtype, v2
from torchvision.transforms.v2.functional import crop, horizontal_flip, pil_to_tensor, resized_crop

from shared.images.augment import augment
from shared.images.cache import CACHE
from shared.images.draws import OWN, SHARED, EpochOrder, Epochs, epoch_seed, generator, mix, shares_of, square, view
from shared.images.views import resized_side
from torch_impl.training import seed_everything

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


def read_image(file):
    """The image in `file` as a PIL image, RGB; kept in memory where `shared.images.cache` has room (PIL takes 4 bytes a pixel)."""
    return CACHE.image(file, default_loader, lambda image: 4 * image.width * image.height)


class ListedImages(ImageFolder):
    """torchvision's image folder without its search: which files are read is said by a list, the same for both frameworks."""

    def __init__(self, root, transform=None, target_transform=None, loader=read_image):
        super().__init__(root, transform, target_transform, loader)

    def find_classes(self, directory):
        return [], {}

    def make_dataset(self, directory, *_, **__):
        return []


def image_folder(split, transform):
    """The images of `split` (a shared.images.splits.Split) in its order, each with its class index."""
    images = ListedImages(split.folder, transform)
    images.samples = split.items
    return images


def train_iter(split, size, batch_size, seed=0, draws=OWN, workers=0, mixing="none", augmentation="plain"):
    """Augmented batches of `split`, an epoch each time: X (N, 3, size, size) float32, y (N,) int64.

    draws: `own` shuffles and augments with PyTorch's generator, which starts anew from (seed, epoch); `shared` takes order and
    views from shared.images.draws. workers: processes that load ahead. With own draws each has a generator of its own, so
    their number changes what is drawn.
    """
    sampler = EpochOrder(seed, len(split))
    loader = DataLoader(
        DrawnViews(split, size, seed, mixing, augmentation)
        if draws == SHARED
        else image_folder(split, train_augs(size)),
        batch_size,
        shuffle=draws == OWN,
        sampler=sampler if draws == SHARED else None,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        # Workers that stay keep their generators too, and own draws could not start anew.
        persistent_workers=workers > 0 and draws == SHARED,
    )

    def begin(epoch):
        seed_everything(epoch_seed(seed, epoch))
        sampler.epoch = epoch

    return Epochs(loader, begin)


class DrawnViews(Dataset):
    """The images of `split` as the shared streams draw them: [epoch, position] -> ((3, size, size) float32, class index)."""

    def __init__(self, split, size, seed, mixing="none", augmentation="plain"):
        self.items, self.size, self.seed = split.items, size, seed
        self.mixing, self.augmentation, self.classes = mixing, augmentation, max(split.labels) + 1
        self.finish = v2.Compose([ConvertImageDtype(torch.float32), normalize])

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
        pixels = pil_to_tensor(read_image(file))
        drawn = view(self.seed, epoch, position, pixels.shape[2], pixels.shape[1])
        region = (drawn.top, drawn.left, drawn.height, drawn.width)
        # bilinear, as RandomResizedCrop does
        pixels = resized_crop(pixels, *region, [self.size, self.size], antialias=False)
        pixels = horizontal_flip(pixels) if drawn.mirrored else pixels
        if self.augmentation == "strong":
            rng = generator(self.seed, "augment", epoch, position)
            pixels = torch.from_numpy(augment(pixels.permute(1, 2, 0).numpy(), rng)).permute(2, 0, 1)
        return self.finish(pixels), label


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


def as_batch(X, y):
    """NumPy's X (N, 3, size, size) and y (N,) as `test_iter` gives them: X in its own dtype, y int64, on the CPU."""
    return torch.from_numpy(X), torch.from_numpy(y.astype("int64"))
