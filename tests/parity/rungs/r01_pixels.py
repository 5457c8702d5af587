"""Rung 1, pixels: both frameworks make the same numbers of the same image files.

Compared: which files, in which order, with which labels; decoded pixels; the test transform; epochs of batches; single images.
Tolerance: none from equal pixels on (crop, scaling, normalisation: every bit). Where an image is resized, 1 of 255 levels: both
round the same interpolation, each in its own way. CMYK files: 1 level more, for the decoders turn them to RGB differently.
Fails: another class order, BGR, turned or antialiased images, another place of the crop, a dropped batch.
Random views of training images are in r01_random_views.py.
"""

import numpy as np
from mxnet import np as mxnet_np
from PIL import Image

from shared.images.views import MEAN, STD, resized_side
from shared.parity.tensors import Mismatch, changed, compare, largest
from shared.runs.frameworks import FRAMEWORKS

from ..scene import DATA, array

RUNG = 1


def decoded(framework, split):
    """[(pixels (H, W, 3) uint8, label)] of `split`, as the framework's own image folder reads it, without any transform."""
    found = DATA[framework].image_folder(split, lambda image: image)
    return [(array(image), int(label)) for image, label in (found[i] for i in range(len(split)))]


def check_decoding(dataset):
    """Same files in the same order, same labels, same pixels; one level of 255 for CMYK, which the two round to RGB differently."""
    worst = []
    for split in (dataset.train, dataset.test):
        both = {framework: decoded(framework, split) for framework in FRAMEWORKS}
        labels = {f: {n: np.array(both[f][i][1]) for i, n in enumerate(split.names)} for f in both}
        compare(
            RUNG, "labels", {n: np.array(l) for n, l in zip(split.names, split.labels, strict=True)}, labels["gluon"], 0
        )
        compare(RUNG, "labels", labels["gluon"], labels["torch"], 0)
        for kind, tolerance in (("", 0), ("cmyk", 1)):
            names = [i for i, n in enumerate(split.names) if ("cmyk" in n) == bool(kind)]
            pixels = {f: {split.names[i]: both[f][i][0] for i in names} for f in both}
            if names:
                what = f"decoded {kind} pixels".replace("  ", " ")
                worst.append(compare(RUNG, what, pixels["gluon"], pixels["torch"], tolerance, largest))
    return worst


def check_normalisation(dataset, size):
    """From the same pixels, already at the resized side: centre, scaling and normalisation are the same to the last bit."""
    side = resized_side(size)
    views = {framework: {} for framework in FRAMEWORKS}
    for name in dataset.test.names:
        image = Image.open(dataset.test.folder / name).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        for framework in views:
            views[framework][name] = augmented(framework, image, DATA[framework].test_augs(size))
    return [compare(RUNG, "crop and normalisation", views["gluon"], views["torch"], 0, changed)]


def check_resize(dataset, size):
    """The test transform on images of any size: within 1 of 255 levels (both round the same interpolation, otherwise)."""
    both = {f: DATA[f].image_folder(dataset.test, DATA[f].test_augs(size)) for f in FRAMEWORKS}
    measured = []
    # CMYK is one level off before it is resized; 0.001 for the float32 of the normalised values
    for kind, allowed in (("", 1.001), ("cmyk ", 2.001)):
        chosen = [i for i, name in enumerate(dataset.test.names) if ("cmyk" in name) == bool(kind)]
        views = {f: {dataset.test.names[i]: levels(array(both[f][i][0])) for i in chosen} for f in both}
        if chosen:
            what = f"resized {kind}images, levels of 255"
            measured.append(compare(RUNG, what, views["gluon"], views["torch"], allowed, largest))
    return measured


def check_image_batch(dataset, size):
    """`image_batch`, by which `hotdog predict` reads, gives the bits that `test_iter` gives."""
    files = [dataset.test.folder / name for name in dataset.test.names]
    measured = []
    for framework in FRAMEWORKS:
        X = np.concatenate([array(X) for X, _ in DATA[framework].test_iter(dataset.test, size, 4)])
        single = array(DATA[framework].image_batch(files, size)[0])
        what = f"{framework}: image_batch and test_iter"
        named = (dict(zip(dataset.test.names, views, strict=True)) for views in (X, single))
        measured.append(compare(RUNG, what, *named, 0, changed))
    return measured


def check_epochs(solid, size):
    """`solid`: images of one colour each. A training epoch gives each image once, the short last batch too, in a new order
    each time; a test epoch gives them in order; and either way an image comes out with the same bits from both.
    """
    views = {framework: {} for framework in FRAMEWORKS}
    sizes = [8] * (len(solid.train) // 8) + [len(solid.train) % 8]
    for framework in FRAMEWORKS:
        train_iter = DATA[framework].train_iter(solid.train, size, 8)
        test_iter = DATA[framework].test_iter(solid.test, size, 8)
        orders = []
        for kind, batches in (("training", train_iter), ("training again", train_iter), ("test", test_iter)):
            split = solid.test if kind == "test" else solid.train
            batches = [(array(X), array(y)) for X, y in batches]
            X = np.concatenate([X for X, _ in batches])
            y = np.concatenate([y for _, y in batches]).astype(int)
            if [len(labels) for _, labels in batches] != sizes:
                raise Mismatch(
                    RUNG, f"{framework}: {kind} batches have {[len(b[1]) for b in batches]} images, not {sizes}"
                )
            order = np.argsort(
                X[:, 0].mean(axis=(1, 2))
            )  # the n-th image is the n-th reddest; see pictures.solid_colours
            orders.append(order)
            by_colour = sorted(range(len(split)), key=lambda i: split.names[i].split("/")[1])
            if list(y[order]) != [split.labels[i] for i in by_colour]:
                raise Mismatch(RUNG, f"{framework}: {kind} images do not come with their own labels")
            if kind == "test" and list(y) != list(split.labels):
                raise Mismatch(RUNG, f"{framework}: test images come in another order than the files")
            views[framework] |= {f"{kind} {i}": X[position] for i, position in enumerate(order)}
        if list(orders[0]) == list(orders[1]):
            raise Mismatch(RUNG, f"{framework}: two training epochs have the same order")
    return [compare(RUNG, "images of one colour, augmented", views["gluon"], views["torch"], 0, changed)]


def augmented(framework, image, augs):
    """A PIL image through a framework's transforms: (3, size, size) float32."""
    return array(augs(mxnet_np.array(np.asarray(image), dtype="uint8") if framework == "gluon" else image))


def levels(view):
    """Normalised (3, H, W) -> levels 0 to 255, float64."""
    return (view.astype(np.float64) * STD + MEAN) * 255
