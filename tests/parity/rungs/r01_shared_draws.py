"""Rung 1, shared draws: two runs with the same seed are given the same images in the same order, and the same views of them.

Compared: the order of two epochs with what the shared stream says, and with each other; the region and the mirroring that are read
off a view with what was drawn; the pixels of both frameworks; one image's view in batches of other sizes, with workers that load
ahead, and in an epoch that is begun without those before it.
Tolerance: none for order, labels and mirroring, and within a framework none for pixels either. A region is read off its pixels to
about 1 in 100 of the image. Between frameworks 1 of 255 levels, for each resizes with its own function (r01_pixels.py; CMYK 2).
Fails: an order or a view from another stream, of another image, of another epoch; mirroring the other way.
"""

import numpy as np
from PIL import Image

from shared.images import draws
from shared.images.draws import OWN, SHARED
from shared.parity.tensors import Mismatch, changed, compare, largest
from shared.runs.frameworks import FRAMEWORKS

from ..pictures import region_of
from ..scene import DATA, array
from .r01_pixels import levels

RUNG = 1
SEED = 3


def epochs_of(framework, split, size, batch_size, count=2, seed=SEED, source=SHARED, workers=0, first=1):
    """{epoch: (labels, views (N, 3, size, size) float32)} of `count` epochs from `first` on, in the order they are given."""
    train_iter = DATA[framework].train_iter(split, size, batch_size, seed, source, workers)
    train_iter.epoch = first - 1
    found = {}
    for epoch in range(first, first + count):
        batches = [(array(X), array(y)) for X, y in train_iter]
        X, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        found[epoch] = [int(label) for label in y], X
    return found


def in_split_order(split, epoch, views, seed=SEED):
    """{name: view} of an epoch's views, which come in the shared order."""
    order = draws.order(seed, epoch, len(split))
    return {split.names[position]: views[i] for i, position in sorted(enumerate(order), key=lambda pair: pair[1])}


def check_order(solid, size):
    """`solid`: images of one colour each, so that an image is known by its view. Both give them in the order of the stream."""
    split, measured = solid.train, []
    # the n-th image is the n-th reddest; see pictures.solid_colours
    by_colour = sorted(range(len(split)), key=lambda i: split.names[i].split("/")[1])
    for framework in FRAMEWORKS:
        orders = {}
        for epoch, (labels, views) in epochs_of(framework, split, size, 8).items():
            reds = np.argsort(np.argsort(views[:, 0].mean(axis=(1, 2))))
            orders[epoch] = np.array([by_colour[red] for red in reds])
            drawn = {f"place {i}": np.array(p) for i, p in enumerate(draws.order(SEED, epoch, len(split)))}
            given = {f"place {i}": np.array(p) for i, p in enumerate(orders[epoch])}
            measured.append(compare(RUNG, f"{framework}: order of epoch {epoch}", drawn, given, 0, largest))
            if labels != [split.labels[p] for p in orders[epoch]]:
                raise Mismatch(RUNG, f"{framework}: shared draws: images do not come with their own labels")
        if list(orders[1]) == list(orders[2]):
            raise Mismatch(RUNG, f"{framework}: shared draws: two epochs have the same order")
    return measured


def check_regions(coded, size):
    """`coded`: images whose pixels say where they are. The region and the mirroring in a view are those of the stream, in both.

    Every image of every epoch has its own; another seed gives others.
    """
    split, measured, drawn = coded.train, [], {}
    for epoch in (1, 2):
        for position, name in enumerate(split.names):
            width, height = size_of(split.items[position][0])
            one = draws.view(SEED, epoch, position, width, height)
            region = (one.left / width, one.top / height, one.width / width, one.height / height)
            drawn[f"epoch {epoch}: {name}"] = np.array([*region, one.mirrored])
    if len({tuple(region) for region in drawn.values()}) < len(drawn):
        raise Mismatch(RUNG, "shared draws: two views of one size are the same region")
    for framework in FRAMEWORKS:
        seen = {}
        for epoch, (_, views) in epochs_of(framework, split, size, 4).items():
            for name, view in in_split_order(split, epoch, views).items():
                seen[f"epoch {epoch}: {name}"] = np.array(region_of(levels(view)), dtype=float)
        mirrored = [{n: found[4:] for n, found in side.items()} for side in (drawn, seen)]
        measured.append(compare(RUNG, f"{framework}: mirrored as drawn", *mirrored, 0, largest))
        regions = [{n: found[:4] for n, found in side.items()} for side in (drawn, seen)]
        measured.append(compare(RUNG, f"{framework}: regions as drawn, shares of the image", *regions, 0.02, largest))
    return measured


def size_of(file):
    with Image.open(file) as image:
        return image.size


def check_pixels(dataset, size):
    """The views of both frameworks, image by image: how far each one's own resizing puts them apart, in levels of 255."""
    views, split = {}, dataset.train
    for framework in FRAMEWORKS:
        (_, X) = epochs_of(framework, split, size, 4, count=1)[1]
        views[framework] = {n: levels(view) for n, view in in_split_order(split, 1, X).items()}
    measured = []
    for kind, allowed in (("", 1.001), ("cmyk ", 2.001)):
        chosen = [{n: v for n, v in views[f].items() if ("cmyk" in n) == bool(kind)} for f in FRAMEWORKS]
        if chosen[0]:
            measured.append(compare(RUNG, f"views of shared draws, {kind}levels of 255", *chosen, allowed, largest))
    return measured


def check_independence(dataset, size, workers=()):
    """An image has the same view in batches of any size, however many workers load it, and whether or not epochs came before."""
    split, measured = dataset.train, []
    for framework in FRAMEWORKS:
        both = epochs_of(framework, split, size, 4)
        named = {epoch: in_split_order(split, epoch, views) for epoch, (_, views) in both.items()}
        others = {"batches of 7": epochs_of(framework, split, size, 7, first=2, count=1)}
        others |= {f"{n} workers": epochs_of(framework, split, size, 4, first=2, count=1, workers=n) for n in workers}
        for what, found in others.items():
            again = in_split_order(split, 2, found[2][1])
            measured.append(compare(RUNG, f"{framework}: shared draws, {what}", named[2], again, 0, changed))
        if not any(changed(named[1][name], named[2][name]) for name in split.names):
            raise Mismatch(RUNG, f"{framework}: shared draws: two epochs have the same views")
    return measured


def check_own_draws(dataset, size):
    """Each framework's own generators start anew from (seed, epoch): an epoch can be repeated alone; another one differs."""
    split, measured = dataset.train, []
    for framework in FRAMEWORKS:
        both = epochs_of(framework, split, size, 4, source=OWN)
        alone = epochs_of(framework, split, size, 4, source=OWN, first=2, count=1)
        what = f"{framework}: own draws, epoch 2 with and without epoch 1 before it"
        measured.append(compare(RUNG, what, {"views": both[2][1]}, {"views": alone[2][1]}, 0, changed))
        other = epochs_of(framework, split, size, 4, source=OWN, seed=SEED + 1, count=1)
        for name, found in (("epochs", both[1]), ("seeds", other[1])):
            if not changed(both[2][1], found[1]):
                raise Mismatch(RUNG, f"{framework}: own draws: two {name} have the same views")
    return measured
