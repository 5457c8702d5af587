"""Rung 1, random views: training images are drawn alike, and one drawn region becomes the same picture in both.

Compared: the distribution of 500 views per framework (area, shape, place, mirroring); the ranges that they are drawn from; the
picture of a given region.
Tolerance: the two-sample Kolmogorov-Smirnov statistic's critical value at p = 0.001, with fixed seeds; ranges to the last bit; a
picture within 1 of 255 levels, as in r01_pixels.py.
Fails: other ranges, no mirroring, another interpolation, smoothing.
"""

import math
import sys
from unittest import mock

import numpy as np
from mxnet import gluon
from PIL import Image
from scipy import stats
from torchvision.transforms import v2

from shared.parity.tensors import compare, largest, within
from shared.runs.frameworks import FRAMEWORKS

from ..pictures import position_coded, region_of
from ..scene import DATA, TRAINING
from .r01_pixels import augmented, levels

RUNG = 1


def check_augmentation(draws=500):
    """The random views of both are drawn alike: area, shape, place and mirroring (Kolmogorov-Smirnov over `draws` of each).

    The tolerance is the two-sample statistic's critical value at p = 0.001 (1.95 sqrt(2 / draws)); the seeds are fixed.
    """
    image = position_coded()
    seen = {}
    for framework in FRAMEWORKS:
        TRAINING[framework].seed_everything(0)
        augs = DATA[framework].train_augs(32)
        regions = [region_of(levels(augmented(framework, image, augs))) for _ in range(draws)]
        left, top, width, height, mirrored = np.array(regions, dtype=float).T
        seen[framework] = {
            "area": width * height,
            "shape": np.log(width * image.width / (height * image.height)),
            "across": left / np.maximum(1 - width, 0.02),
            "down": top / np.maximum(1 - height, 0.02),
            "mirrored": mirrored,
        }
    for framework, found in seen.items():
        within(RUNG, f"{framework}: share mirrored", float(found["mirrored"].mean()), 0.4, 0.6)
        within(RUNG, f"{framework}: smallest area", float(found["area"].min()), 0.07, 0.12)
        within(RUNG, f"{framework}: largest area", float(found["area"].max()), 0.85, 1.02)

    def unlike(a, b):
        return float(stats.ks_2samp(a, b).statistic)

    unlike.__name__ = "Kolmogorov-Smirnov"
    return [compare(RUNG, "random views", seen["gluon"], seen["torch"], 1.95 * math.sqrt(2 / draws), unlike)]


def check_views(size):
    """A training view of a given region, mirrored or not: within 1 of 255 levels, as the test transform; smaller and larger ones.

    And what the region is drawn from: range of areas, range of shapes, share mirrored (0.5 in Gluon, which has no name for it).
    """
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (97, 133, 3), dtype=np.uint8))  # noise: no two ways to resize agree
    gluons = sys.modules[gluon.data.vision.transforms.RandomResizedCrop.__module__].image
    views = {framework: {} for framework in FRAMEWORKS}
    for left, top, width, height in ((0, 0, 133, 97), (13, 7, 88, 70), (101, 60, 20, 24)):

        def gluons_region(pixels, size, *_ranges_and_interpolation, region=(left, top, width, height)):
            return gluons.fixed_crop(pixels, *region, size, _ranges_and_interpolation[2]), region

        def torchs_region(self, inputs, region=(left, top, width, height)):
            return dict(zip(("left", "top", "width", "height"), region, strict=True))

        with (
            mock.patch.object(gluons, "random_size_crop", gluons_region),
            mock.patch.object(v2.RandomResizedCrop, "make_params", torchs_region),
        ):
            for framework in views:
                view = levels(augmented(framework, image, DATA[framework].train_augs(size)))
                views[framework][f"{width} x {height} pixels at ({left}, {top})"] = view

    def up_to_mirroring(a, b):
        return min(largest(a, b), largest(a, b[:, :, ::-1]))

    up_to_mirroring.__name__ = "largest, mirrored or not"
    what = f"training views of {size} x {size}, levels of 255"
    measured = [compare(RUNG, what, views["gluon"], views["torch"], 1.001, up_to_mirroring)]
    drawn = {}
    for framework, crop, mirror in (
        ("gluon", gluon.data.vision.transforms.RandomResizedCrop, None),
        ("torch", v2.RandomResizedCrop, v2.RandomHorizontalFlip),
    ):
        augs = DATA[framework].train_augs(size)
        augs = list(augs._children.values() if framework == "gluon" else augs.transforms)
        crop = next(one for one in augs if isinstance(one, crop))
        area, shape = crop._args[1:3] if framework == "gluon" else (crop.scale, crop.ratio)
        share = next(one.p for one in augs if isinstance(one, mirror)) if mirror else 0.5
        drawn[framework] = {"areas": np.array(area), "shapes": np.array(shape), "share mirrored": np.array([share])}
    return measured + [compare(RUNG, "ranges of the random views", drawn["gluon"], drawn["torch"], 0, largest)]
