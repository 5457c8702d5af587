"""The rungs as plain functions: each returns what it measured, or raises shared.parity.tensors.Mismatch naming what differs.

The green tests climb them with the implementations as they are; test_parity_catches_faults.py climbs them with a fault
planted, and asserts which rung breaks. What a rung examines is the implementations' own public functions, above all their
training loops.
"""

import math
import sys
from dataclasses import dataclass, replace
from unittest import mock

import mxnet as mx
import numpy as np
import pytest
import torch
from mxnet import autograd, gluon, npx
from PIL import Image
from scipy import stats
from torchvision.transforms import v2

import gluon_impl.data
import gluon_impl.devices
import gluon_impl.nets
import gluon_impl.training
import torch_impl.data
import torch_impl.nets
import torch_impl.training
from shared.experiments import CHAPTER, Experiment
from shared.images import feed
from shared.images.feed import Batches
from shared.images.splits import Dataset
from shared.images.views import MEAN, STD, resized_side
from shared.networks.architecture import tensor_shapes
from shared.networks.reading import imagenet_classes
from shared.networks.source import Source, fingerprint
from shared.parity import lockstep
from shared.parity.lockstep import OnePerEpoch, exact_in_float32, framework_batch, trained_only
from shared.parity.tensors import Mismatch, changed, compare, largest, relative, within
from shared.runs import frameworks
from shared.runs.frameworks import FRAMEWORKS

from .pictures import position_coded, region_of

npx.set_np()

DATA = {"gluon": gluon_impl.data, "torch": torch_impl.data}
NETS = {"gluon": gluon_impl.nets, "torch": torch_impl.nets}
TRAINING = {"gluon": gluon_impl.training, "torch": torch_impl.training}


@dataclass(frozen=True)
class Where:
    """The device of each framework; `name` says both where they are not the same kind."""

    gluon: object = mx.cpu()
    torch: object = torch.device("cpu")
    name: str = "cpu"

    def of(self, framework):
        return getattr(self, framework)


def where(wanted) -> Where:
    """The devices for `cpu` or `gpu`. Gluon stays on the CPU where its wheel cannot use the GPU, and the name says so."""
    if wanted == "cpu":
        return Where()
    if not torch.cuda.is_available():
        raise pytest.UsageError("--device gpu: PyTorch finds no GPU here")
    usable, _ = gluon_impl.devices.gluon_reason(mx)
    if usable:
        return Where(mx.gpu(), torch.device("cuda"), "gpu")
    return Where(mx.cpu(), torch.device("cuda"), "torch on gpu, gluon on cpu")


@dataclass(frozen=True)
class Scene:
    """What a ladder is climbed with: a source network, images, the side of the crops, the batch, and the devices."""

    name: str
    source: Source
    dataset: Dataset
    size: int = 32
    batch_size: int = 8
    where: Where = Where()

    def experiment(self, name) -> Experiment:
        return replace(CHAPTER[name], size=self.size, batch_size=self.batch_size)


def random_source(architecture, seed=0) -> Source:
    """A source network whose tensors are all random, running statistics and batch normalisation's scale included.

    Convolutions have variance 2 / fan-in, so that activations neither vanish nor explode. 1,000 rows get ImageNet's labels.
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
        tensors[name] = tensor.astype(np.float32)
    if architecture.version == 2:  # scale=False, center=False: Gluon ignores these and takes 1 and 0
        tensors["features.bn0.weight"], tensors["features.bn0.bias"] = np.ones(3, "float32"), np.zeros(3, "float32")
    classes = imagenet_classes() if architecture.classes == 1000 else None
    return Source("random", architecture, tensors, classes, fingerprint(tensors))


# --- both sides of one thing ---


def twins(scene, experiment, dtype="float64"):
    """{framework: network} of an experiment on the scene's devices, all with the same tensors."""
    devices = {framework: scene.where.of(framework) for framework in FRAMEWORKS}
    return lockstep.twins(experiment, scene.source, scene.dataset, devices, dtype)


def steps_of(scene, count, seed=0):
    """`count` augmented batches; every third one is half as long."""
    found = feed.batches(scene.dataset.train, scene.size, scene.batch_size, seed, count)
    half = scene.batch_size // 2
    return [(X[:half], y[:half]) if i % 3 == 2 else (X, y) for i, (X, y) in enumerate(found)]


def train(framework, net, experiment, batches, scene, dtype="float64", epochs=None, keep=lambda step: True):
    """Run the implementation's own loop, one batch per epoch (or `epochs` over all).

    -> an Epoch and the tensors for every step, step 0 first; None instead of the tensors where `keep(step)` says so.
    """

    def see(step):
        return NETS[framework].get_tensors(net) if keep(step) else None

    return lockstep.train(framework, net, experiment, batches, scene.where.of(framework), dtype, epochs, see)


def forward(framework, net, X, scene, training):
    """{block: output} in network order, from the first layer to the logits (`output`)."""
    found = {}
    X = X.as_in_ctx(scene.where.gluon) if framework == "gluon" else X.to(scene.where.torch)
    handles = []
    blocks = _gluon_blocks(net) if framework == "gluon" else _torch_blocks(net)
    for name, block in blocks.items():

        def keep(_block, _inputs, output, name=name):
            found[name] = array(output if framework == "gluon" else output.cpu()).reshape(len(output), -1).copy()

        handles.append(block.register_forward_hook(keep))
    if framework == "gluon":
        with autograd.train_mode() if training else autograd.predict_mode():
            net(X)
        mx.nd.waitall()
    else:
        net.train(training)
        with torch.no_grad():
            net(X)
    for handle in handles:
        handle.detach() if framework == "gluon" else handle.remove()
    return found


def _torch_blocks(net):
    blocks = {}
    for name, child in net.features.named_children():
        if name != "flatten":
            blocks |= {f"{name}.{i}": b for i, b in enumerate(child)} if name.startswith("layer") else {name: child}
    return blocks | {"output": net.output}


def _gluon_blocks(net):
    # Gluon numbers the children of `features`; the n-th of them is the n-th of the torch twin.
    version = 1 if isinstance(net, gluon.model_zoo.vision.ResNetV1) else 2
    stem = {1: ["conv1", "bn1", "relu", "maxpool"], 2: ["bn0", "conv1", "bn1", "relu1", "maxpool"]}[version]
    tail = {1: ["avgpool"], 2: ["bn2", "relu2", "avgpool"]}[version]
    children = list(net.features._children.values())
    stages = children[len(stem) : len(children) - len(tail) - (version == 2)]
    blocks = dict(zip(stem, children, strict=False))
    for i, stage in enumerate(stages, 1):
        blocks |= {f"layer{i}.{j}": b for j, b in enumerate(stage._children.values())}
    blocks |= dict(zip(tail, children[len(stem) + len(stages) :], strict=False))
    return blocks | {"output": net.output}


def gradients(framework, net, batch, scene, dtype="float64"):
    """{name: gradient of the batch's mean cross-entropy} of all tensors that are trained, in train mode."""
    X, y = framework_batch(framework, batch, dtype)
    if framework == "gluon":
        X, y = X.as_in_ctx(scene.where.gluon), y.as_in_ctx(scene.where.gluon)
        with autograd.record():
            loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y).mean()
        loss.backward()
        return _gluon_gradients(net)
    net.train()
    net.zero_grad()
    torch.nn.functional.cross_entropy(net(X.to(scene.where.torch)), y.to(scene.where.torch)).backward()
    return _torch_gradients(net)


def _gluon_gradients(net):
    params = NETS["gluon"]._named_params(net)
    return {n: p.grad().asnumpy() for n, p in params.items() if p.grad_req != "null"}


def _torch_gradients(net):
    return {n: p.grad.cpu().numpy() for n, p in net.named_parameters() if p.requires_grad}


# --- rung 1: pixels ---


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
            1, "labels", {n: np.array(l) for n, l in zip(split.names, split.labels, strict=True)}, labels["gluon"], 0
        )
        compare(1, "labels", labels["gluon"], labels["torch"], 0)
        for kind, tolerance in (("", 0), ("cmyk", 1)):
            names = [i for i, n in enumerate(split.names) if ("cmyk" in n) == bool(kind)]
            pixels = {f: {split.names[i]: both[f][i][0] for i in names} for f in both}
            if names:
                what = f"decoded {kind} pixels".replace("  ", " ")
                worst.append(compare(1, what, pixels["gluon"], pixels["torch"], tolerance, largest))
    return worst


def check_normalisation(dataset, size):
    """From the same pixels, already at the resized side: centre, scaling and normalisation are the same to the last bit."""
    side = resized_side(size)
    views = {framework: {} for framework in FRAMEWORKS}
    for name in dataset.test.names:
        image = Image.open(dataset.test.folder / name).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        for framework in views:
            views[framework][name] = augmented(framework, image, DATA[framework].test_augs(size))
    return [compare(1, "crop and normalisation", views["gluon"], views["torch"], 0, changed)]


def augmented(framework, image, augs):
    """A PIL image through a framework's transforms: (3, size, size) float32."""
    return array(augs(mx.np.array(np.asarray(image), dtype="uint8") if framework == "gluon" else image))


def array(tensor):
    """A tensor of either framework, or a PIL image, as a NumPy array (np.asarray takes MXNet's apart number by number)."""
    return tensor.asnumpy() if isinstance(tensor, mx.nd.NDArray) else np.asarray(tensor)


def levels(view):
    """Normalised (3, H, W) -> levels 0 to 255, float64."""
    return (view.astype(np.float64) * STD + MEAN) * 255


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
            measured.append(compare(1, what, views["gluon"], views["torch"], allowed, largest))
    return measured


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
        within(1, f"{framework}: share mirrored", float(found["mirrored"].mean()), 0.4, 0.6)
        within(1, f"{framework}: smallest area", float(found["area"].min()), 0.07, 0.12)
        within(1, f"{framework}: largest area", float(found["area"].max()), 0.85, 1.02)

    def unlike(a, b):
        return float(stats.ks_2samp(a, b).statistic)

    unlike.__name__ = "Kolmogorov-Smirnov"
    return [compare(1, "random views", seen["gluon"], seen["torch"], 1.95 * math.sqrt(2 / draws), unlike)]


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
    measured = [compare(1, what, views["gluon"], views["torch"], 1.001, up_to_mirroring)]
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
    return measured + [compare(1, "ranges of the random views", drawn["gluon"], drawn["torch"], 0, largest)]


def check_image_batch(dataset, size):
    """`image_batch`, by which `hotdog predict` reads, gives the bits that `test_iter` gives."""
    files = [dataset.test.folder / name for name in dataset.test.names]
    measured = []
    for framework in FRAMEWORKS:
        X = np.concatenate([array(X) for X, _ in DATA[framework].test_iter(dataset.test, size, 4)])
        single = array(DATA[framework].image_batch(files, size)[0])
        what = f"{framework}: image_batch and test_iter"
        named = (dict(zip(dataset.test.names, views, strict=True)) for views in (X, single))
        measured.append(compare(1, what, *named, 0, changed))
    return measured


def check_epochs(solid, size):
    """`solid`: images of one colour each. A training epoch gives each image once, the short last batch too, in a new order
    each time; a test epoch gives them in order; and either way an image comes out with the same bits from both.
    """
    views = {framework: {} for framework in FRAMEWORKS}
    sizes = [8] * (len(solid.train) // 8) + [len(solid.train) % 8]
    for framework in FRAMEWORKS:
        TRAINING[framework].seed_everything(0)
        data = DATA[framework]
        orders = []
        for kind, batches in (
            ("training", data.train_iter(solid.train, size, 8)),
            ("training again", data.train_iter(solid.train, size, 8)),
            ("test", data.test_iter(solid.test, size, 8)),
        ):
            split = solid.test if kind == "test" else solid.train
            batches = [(array(X), array(y)) for X, y in batches]
            X = np.concatenate([X for X, _ in batches])
            y = np.concatenate([y for _, y in batches]).astype(int)
            if [len(labels) for _, labels in batches] != sizes:
                raise Mismatch(
                    1, f"{framework}: {kind} batches have {[len(b[1]) for b in batches]} images, not {sizes}"
                )
            order = np.argsort(
                X[:, 0].mean(axis=(1, 2))
            )  # the n-th image is the n-th reddest; see pictures.solid_colours
            orders.append(order)
            by_colour = sorted(range(len(split)), key=lambda i: split.names[i].split("/")[1])
            if list(y[order]) != [split.labels[i] for i in by_colour]:
                raise Mismatch(1, f"{framework}: {kind} images do not come with their own labels")
            if kind == "test" and list(y) != list(split.labels):
                raise Mismatch(1, f"{framework}: test images come in another order than the files")
            views[framework] |= {f"{kind} {i}": X[position] for i, position in enumerate(order)}
        if list(orders[0]) == list(orders[1]):
            raise Mismatch(1, f"{framework}: two training epochs have the same order")
    return [compare(1, "images of one colour, augmented", views["gluon"], views["torch"], 0, changed)]


# --- rung 2: tensors ---


def check_carrying(source):
    """Source tensors put into Gluon, read, put into torch, read, put into Gluon again: every bit of every tensor stays."""
    tensors, worst = source.tensors, []
    order = tensor_shapes(source.architecture)
    for framework in ("gluon", "torch", "gluon"):
        net = NETS[framework].scratch_net(source.architecture, source.architecture.classes)
        NETS[framework].set_tensors(net, tensors)
        tensors = NETS[framework].get_tensors(net)
        worst.append(
            compare(2, f"carried into {framework}", {n: source.tensors[n] for n in order}, tensors, 0, changed)
        )
    return worst[-1:]


def check_new_tensors(source, classes=2):
    """What is not carried starts alike: Xavier weights, the rest constant; the features of the fine-tuned network are the source's.

    Xavier: uniform up to sqrt(6 / (fan-in + fan-out)), Glorot and Bengio (2010). Weights are compared by the Kolmogorov-Smirnov
    statistic, in multiples of its critical value at p = 0.0001 (2.23 sqrt(2 / n)), so at most 1; seeds are fixed.
    """
    started = {}
    for framework in FRAMEWORKS:
        TRAINING[framework].seed_everything(0)
        scratch = NETS[framework].get_tensors(NETS[framework].scratch_net(source.architecture, classes))
        tuned = NETS[framework].get_tensors(NETS[framework].finetune_net(source, classes))
        features = {n: t for n, t in tuned.items() if n.startswith("features.")}
        compare(
            2, f"{framework}: features of the source", {n: source.tensors[n] for n in features}, features, 0, changed
        )
        heads = {f"new {n}": t for n, t in tuned.items() if n.startswith("output.")}
        started[framework] = {n: t for n, t in (scratch | heads).items() if t.size > 1}
    for framework, tensors in started.items():
        for name, tensor in tensors.items():
            if tensor.ndim > 1:
                bound = math.sqrt(6 / (sum(tensor.shape[:2]) * math.prod(tensor.shape[2:])))
                reach = float(np.abs(tensor).max()) / bound
                within(
                    2,
                    f"{framework}: largest new {name} over Xavier's bound",
                    reach,
                    0.9 if tensor.size > 99 else 0,
                    1 + 1e-6,
                )
            else:
                constant = 1.0 if name.endswith(("running_var", ".weight")) else 0.0
                compare(2, f"{framework}: new", {name: np.full_like(tensor, constant)}, {name: tensor}, 0, changed)

    def unlike(a, b):
        if a.ndim == 1:
            return largest(a, b)
        return float(stats.ks_2samp(a.ravel(), b.ravel()).statistic) / (2.23 * math.sqrt(2 / a.size))

    unlike.__name__ = "Kolmogorov-Smirnov over critical"
    return [compare(2, "new tensors", started["gluon"], started["torch"], 1, unlike)]


def check_independence(scene):
    """Training one network changes neither the source's tensors nor another network made from them before."""
    experiment = scene.experiment("finetune")
    measured, batches = [], steps_of(scene, 2)
    for framework in FRAMEWORKS:
        kept = {n: scene.source.tensors[n].copy() for n in tensor_shapes(scene.source.architecture)}
        other = NETS[framework].pretrained_net(scene.source)
        net = frameworks.target_net(framework, experiment, scene.source, scene.dataset)
        try:
            train(framework, net, experiment, batches, scene, "float32")
            given = {n: scene.source.tensors[n] for n in kept}
            compare(2, f"{framework}: the source's tensors after training", kept, given, 0, changed)
            what = f"{framework}: another network after training"
            measured.append(compare(2, what, kept, NETS[framework].get_tensors(other), 0, changed))
        finally:
            scene.source.tensors.update(kept)
    return measured


# --- rung 3: activations and logits ---

# Tolerances are by device: (cpu, gpu). Beside each the worst that was measured on the CPU. None was measured on a GPU yet: ten
# times as much is allowed there, for cuDNN adds up in another order.
TOLERANCE = {
    ("blocks", "float64"): (1e-12, 1e-11),  # cpu 1e-14
    ("blocks", "float32"): (1e-5, 1e-4),  # cpu 3e-6
    ("probabilities", "float32"): (1e-5, 1e-4),  # cpu 1e-6
    ("loss", "float64"): (1e-12, 1e-11),  # cpu 4e-15
    ("gradients", "float64"): (1e-9, 1e-9),  # cpu 4e-13; the bound is the one asked for
}


def tolerance(scene, check, dtype):
    """The tolerance of a check on the scene's device."""
    return TOLERANCE[check, dtype][scene.where.torch.type == "cuda"]


def check_blocks(scene, dtype, training):
    """Every block's output, relative; on failure the first block that differs is named."""
    nets = twins(scene, scene.experiment("finetune"), dtype)
    out = {}
    for framework, net in nets.items():
        X, _ = framework_batch(framework, steps_of(scene, 1)[0], dtype)
        out[framework] = forward(framework, net, X, scene, training)
    what = f"{'train' if training else 'eval'} mode, {dtype}"
    return [compare(3, what, out["gluon"], out["torch"], tolerance(scene, "blocks", dtype))]


def check_features(scene):
    """What `predict_features` gives is what the output layer makes its logits of, and the same in both; in both modes."""
    measured, batches = [], steps_of(scene, 3)  # the last one is short
    for mode in ("eval", "train"):
        found = {}
        for framework, net in twins(scene, scene.experiment("finetune")).items():
            given = [framework_batch(framework, batch) for batch in batches]
            where = scene.where.of(framework)
            features, labels = TRAINING[framework].predict_features(net, given, where, training=mode == "train")
            output = {n: t for n, t in NETS[framework].get_tensors(net).items() if n.startswith("output.")}
            logits = features @ output["output.weight"].T + output["output.bias"]
            seen = np.concatenate([forward(framework, net, X, scene, mode == "train")["output"] for X, _ in given])
            what = f"{framework}: logits from features in {mode} mode"
            compare(3, what, {"logits": seen}, {"logits": logits}, 1e-10)
            found[framework] = {"features": features, "labels": labels}
        measured.append(compare(3, f"features in {mode} mode", found["gluon"], found["torch"], 1e-10))
    return measured


def check_predictions(scene):
    """Probabilities and labels of the implementations' own `predict_probabilities`, given the same test batches."""
    nets = twins(scene, scene.experiment("finetune"), "float32")
    batches = Batches(scene.dataset.test, scene.size, scene.batch_size, seed=0, augment=False, dtype="float32")
    out = {}
    for framework, net in nets.items():
        given = [framework_batch(framework, batch, "float32") for batch in batches]
        probabilities, labels = TRAINING[framework].predict_probabilities(net, given, scene.where.of(framework))
        out[framework] = {"probabilities": probabilities, "labels": labels}
    return [compare(3, "predictions", out["gluon"], out["torch"], tolerance(scene, "probabilities", "float32"))]


# --- rung 4: loss; rung 5: gradients ---


def check_loss(scene):
    """The loss and accuracy that the loops report over full batches and a short last one, and NumPy's from Gluon's logits."""
    experiment = replace(scene.experiment("finetune"), learning_rate=0.0)
    half = scene.batch_size // 2 - 1
    batches = feed.batches(scene.dataset.train, scene.size, scene.batch_size, 0, 3)
    batches[-1] = tuple(part[:half] for part in batches[-1])
    nets, found = twins(scene, experiment), {}
    for framework, net in nets.items():
        seen, _ = train(framework, net, experiment, batches, scene, epochs=1)
        found[framework] = {"loss": np.array([seen[1].train_loss]), "accuracy": np.array([seen[1].train_accuracy])}
    worst = [compare(4, "reported", found["gluon"], found["torch"], tolerance(scene, "loss", "float64"))]
    losses, right = [], []
    net = twins(scene, experiment)["gluon"]
    for X, y in batches:
        logits = forward("gluon", net, framework_batch("gluon", (X, y))[0], scene, training=True)["output"]
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        losses += list(-log_p[np.arange(len(y)), y])
        right += list(logits.argmax(axis=1) == y)
    by_hand = {"loss": np.array([np.mean(losses)]), "accuracy": np.array([np.mean(right)])}
    return worst + [compare(4, "against NumPy", by_hand, found["gluon"], tolerance(scene, "loss", "float64"))]


def check_reported_accuracies(scene, steps=6, must_fall=True):
    """The test accuracy that a loop reports of every epoch is that of the weights it then has, over full and short batches.

    By NumPy from the logits, and at a rate at which it falls now and then; where nothing is planted, it has to.
    """
    experiment = replace(scene.experiment("finetune"), learning_rate=0.03)
    batches, measured = steps_of(scene, steps), []
    for framework, net in twins(scene, experiment).items():
        own = twins(scene, experiment)[framework]
        given = [framework_batch(framework, batch) for batch in batches]
        reported, counted = {}, {}

        def look(epoch, framework=framework, net=net, own=own, reported=reported, counted=counted):
            NETS[framework].set_tensors(own, NETS[framework].get_tensors(net))
            right = [
                forward(framework, own, X, scene, training=False)["output"].argmax(axis=1) == y
                for (X, _), (_, y) in zip(framework_batches(framework, batches), batches, strict=True)
            ]
            reported[f"epoch {epoch.epoch}"] = np.array([epoch.test_accuracy])
            counted[f"epoch {epoch.epoch}"] = np.array([np.concatenate(right).mean()])

        TRAINING[framework].train_fine_tuning(
            net,
            OnePerEpoch(given),
            given,
            experiment.learning_rate,
            experiment.head_lr_mult,
            experiment.weight_decay,
            steps,
            scene.where.of(framework),
            look,
        )
        values = [float(value[0]) for value in counted.values()]
        if must_fall and values == sorted(values):
            raise ValueError(f"{scene.name}: accuracies {values} never fall; this shows little")
        measured.append(compare(4, f"{framework}: reported test accuracy", counted, reported, 1e-12))
    return measured


def framework_batches(framework, batches):
    return [framework_batch(framework, batch) for batch in batches]


def check_gradients(scene, name="finetune"):
    """Which tensors get a gradient, and each gradient, in float64."""
    nets, batch = twins(scene, scene.experiment(name)), steps_of(scene, 1)[0]
    found = {framework: gradients(framework, net, batch, scene) for framework, net in nets.items()}
    return [compare(5, name, found["gluon"], found["torch"], tolerance(scene, "gradients", "float64"))]


# --- rungs 6 to 8: what the optimiser does ---

# MXNet's SGD keeps rate, decay and 1 / batch in float32, whatever the network's dtype: each is off by up to 2^-24 = 6e-8 of
# itself, and two of them multiplied by twice that. Measured: rates 2.2e-8, decays 4.8e-8; torch's are exact to 1e-11.
FLOAT32 = 2**-23


def check_effective_rates(scene, name):
    """Learning rate and weight decay of every tensor, solved from what one step did to it: w' = w - lr (g + wd w).

    Twice: for a full batch, and for a short one after it. g comes from rung 5. All tensors are random here, biases too, for
    the decay of a zero cannot be seen. Expected is what the experiment says: nothing for what is not trained.
    """
    experiment = scene.experiment(name)
    architecture = replace(scene.source.architecture, classes=len(scene.dataset.classes))
    tensors = {n: t.astype(np.float64) for n, t in random_source(architecture, seed=1).tensors.items()}
    batches = steps_of(scene, 3)[1:]
    nets, measured = twins(scene, experiment), []
    others = twins(scene, replace(experiment, frozen=False))
    rates, decays, expected_rates, expected_decays = {}, {}, {}, {}
    for framework, net in nets.items():
        NETS[framework].set_tensors(net, tensors)
        _, after = train(framework, net, experiment, batches, scene)
        rates[framework], decays[framework] = {}, {}
        for step, batch in enumerate(batches):
            NETS[framework].set_tensors(others[framework], after[step])
            grads = gradients(framework, others[framework], batch, scene)
            for tensor, before in trained_only(after[step]).items():
                key = f"{('full', 'short')[step]} batch: {tensor}"
                moved = before - after[step + 1][tensor]
                rates[framework][key], decays[framework][key] = _solve(moved, grads.get(tensor), before)
                head = tensor.startswith("output.")
                still = tensor not in grads or (experiment.frozen and not head)
                lr = 0.0 if still else experiment.learning_rate * (experiment.head_lr_mult if head else 1)
                expected_rates[key] = np.array([lr])
                expected_decays[key] = np.array([0.0 if still else experiment.weight_decay])
    for framework in nets:
        measured.append(
            compare(6, f"{name}: {framework}'s rate", rates[framework], expected_rates, FLOAT32, _relative_rate)
        )
        measured.append(
            compare(6, f"{name}: {framework}'s decay", decays[framework], expected_decays, FLOAT32, _relative_rate)
        )
    return measured


def _solve(moved, gradient, weight):
    if gradient is None or not moved.any():
        return np.array([float(np.abs(moved).max())]), np.array([0.0])
    columns = np.stack([gradient.ravel(), weight.ravel()], axis=1)
    (lr, lr_wd), *_ = np.linalg.lstsq(columns, moved.ravel(), rcond=None)
    return np.array([lr]), np.array([lr_wd / lr])


def _relative_rate(found, expected):
    return relative(found, expected) if expected.any() else largest(found, expected)


def check_one_step(scene, name):
    """Weights after one step at the experiment's own rates, and the step itself at rates that float32 holds exactly."""
    measured = []
    own, exact = scene.experiment(name), exact_in_float32(scene.experiment(name))
    batch = steps_of(scene, 1)
    after = {f: train(f, net, own, batch, scene)[1][1] for f, net in twins(scene, own).items()}
    weights = {f: trained_only(after[f]) for f in after}
    measured.append(compare(7, f"{name}: weights", weights["gluon"], weights["torch"], FLOAT32))
    steps = {}
    for framework, net in twins(scene, exact).items():
        _, (before, after) = train(framework, net, exact, batch, scene)
        steps[framework] = {n: t - before[n] for n, t in trained_only(after).items()}
    # cpu 4e-13: the gradients' own difference, and the rounding of weights that are far larger than their step
    measured.append(compare(7, f"{name}: the step", steps["gluon"], steps["torch"], 1e-9))
    return measured


STEPS = 20


def check_trajectory(scene, name, steps=STEPS):
    """Loss after each of `steps` steps in lockstep and all weights after some, over full and half batches, rates exact in float32.

    Rounding differences of 1e-16 grow while the loss is rough: measured after 24 steps 2e-15 to 2e-7, once (resnet v1 from scratch,
    rate 0.1, full batches only) 2e-6. With the chapter's own 0.01 in place of a rate that float32 holds it would be 1 after 16.
    """
    experiment = exact_in_float32(scene.experiment(name))
    batches = steps_of(scene, steps)
    losses, weights = {}, {}
    for framework, net in twins(scene, experiment).items():
        # not all of them: a real network's 24 would be gigabytes
        seen, tensors = train(framework, net, experiment, batches, scene, keep=lambda i: i in (1, 2, 4, 8, 16, steps))
        losses[framework] = {f"step {i}": np.array([epoch.train_loss]) for i, epoch in enumerate(seen) if i}
        weights[framework] = {
            f"step {i}: {n}": t for i, ts in enumerate(tensors) if ts for n, t in trained_only(ts).items()
        }
    return [
        compare(8, f"{name}: loss", losses["gluon"], losses["torch"], TRAJECTORY),
        compare(8, f"{name}: weights", weights["gluon"], weights["torch"], TRAJECTORY),
    ]


TRAJECTORY = 1e-5


# --- rung 9: what batch normalisation remembers ---


def statistics(tensors, kind):
    return {name: t for name, t in tensors.items() if name.endswith(kind)}


def batch_norm_sizes(scene, net, X):
    """{running_var name: elements per channel} that each BatchNorm of the torch twin averages over."""
    sizes, handles = {}, []
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):

            def note(_module, inputs, name=name):
                sizes[f"{name}.running_var"] = inputs[0].numel() // inputs[0].shape[1]

            handles.append(module.register_forward_pre_hook(note))
    with torch.no_grad():
        net.eval()(X.to(scene.where.torch))
    for handle in handles:
        handle.remove()
    return sizes


def check_batch_norm(scene, dtype="float64"):
    """How running statistics part, each way as a law with its size.

    After one training step: torch has moved them by the unbiased variance, MXNet on the CPU by the biased one, so that torch's
    batch variance is n / (n - 1) times MXNet's; the means agree. MXNet's first BatchNorm of v2 gets no backward pass and stays,
    torch's moves to the mean and variance of the images.
    """
    experiment = scene.experiment("finetune")
    nets, batch = twins(scene, experiment, dtype), steps_of(scene, 1)
    before = {f: NETS[f].get_tensors(net) for f, net in nets.items()}
    sizes = batch_norm_sizes(scene, nets["torch"], framework_batch("torch", batch[0], dtype)[0])
    after = {f: train(f, net, experiment, batch, scene, dtype)[1][1] for f, net in nets.items()}
    # Both keep nine tenths of the old value: what the batch contributed is ten times the rest. MXNet keeps 0.9 in float32.
    kept = {"gluon": float(np.float32(0.9)), "torch": 0.9}
    new = {
        f: {n: (t - kept[f] * before[f][n]) / (1 - kept[f]) for n, t in after[f].items() if "running_" in n}
        for f in nets
    }
    first = {n for n in new["gluon"] if n.startswith("features.bn0.")}
    measured, exact = [], {"float64": 1e-10, "float32": 1e-4}[dtype]
    means = {f: {n: t for n, t in statistics(new[f], "mean").items() if n not in first} for f in new}
    measured.append(compare(9, f"batch mean, {dtype}", means["gluon"], means["torch"], exact))
    variances = {f: {n: t for n, t in statistics(new[f], "var").items() if n not in first} for f in new}
    biased = {n: t * (sizes[n] - 1) / sizes[n] for n, t in variances["torch"].items()}
    measured.append(
        compare(9, f"batch variance, torch's times (n - 1) / n, {dtype}", variances["gluon"], biased, exact)
    )
    fewest = min(sizes, key=sizes.get)
    gap = relative(variances["torch"][fewest], variances["gluon"][fewest])
    law = 1 / (sizes[fewest] - 1)
    measured.append(within(9, f"torch's batch variance above MXNet's, {fewest}", gap, 0.999 * law, 1.001 * law))
    if first:
        still = [{n: ts["gluon"][n] for n in first} for ts in (before, after)]
        compare(9, "MXNet's first BatchNorm of v2 stays", *still, 0, changed)
        X = batch[0][0].astype(dtype)
        moved = {
            "features.bn0.running_mean": X.mean(axis=(0, 2, 3)),
            "features.bn0.running_var": X.var(axis=(0, 2, 3), ddof=1),
        }
        torchs = {n: new["torch"][n] for n in moved}
        measured.append(compare(9, f"torch's first BatchNorm of v2 moves to the images, {dtype}", moved, torchs, exact))
        gap = max(relative(after["torch"][n], after["gluon"][n]) for n in first)
        measured.append(within(9, "torch's first BatchNorm of v2 against MXNet's, which stays", gap, 0.05, 0.6))
    return measured


def check_when_statistics_move(scene):
    """A forward pass in train mode moves torch's running statistics and none of MXNet's; MXNet's move in the backward pass.

    And features without gradients: MXNet's statistics stay through a whole training step, torch's move all the same. Where they
    move, they move to exactly what a training step makes of them.
    """
    experiment, batch = scene.experiment("finetune"), steps_of(scene, 1)[0]

    def now(framework, nets):
        return {n: t for n, t in NETS[framework].get_tensors(nets[framework]).items() if "running_" in n}

    stepped = twins(scene, experiment)
    for framework, net in stepped.items():
        train(framework, net, experiment, [batch], scene)
    stepped = {f: now(f, stepped) for f in stepped}
    measured, nets = [], twins(scene, experiment)
    before = {f: now(f, nets) for f in nets}
    X, y = (part.as_in_ctx(scene.where.gluon) for part in framework_batch("gluon", batch))
    with autograd.record():
        loss = gluon.loss.SoftmaxCrossEntropyLoss()(nets["gluon"](X), y)
    compare(9, "MXNet's statistics after a forward pass", before["gluon"], now("gluon", nets), 0, changed)
    loss.backward()
    what = "MXNet's statistics after a backward pass"
    measured.append(compare(9, what, stepped["gluon"], now("gluon", nets), 1e-10))
    nets["torch"].train()
    with torch.no_grad():
        nets["torch"](framework_batch("torch", batch)[0].to(scene.where.torch))
    measured.append(compare(9, "torch's after a forward pass", stepped["torch"], now("torch", nets), 1e-10))

    nets = twins(scene, experiment)
    for param in nets["gluon"].features.collect_params().values():
        param.grad_req = "null"
    nets["torch"].features.requires_grad_(False)
    for framework, net in nets.items():
        train(framework, net, experiment, [batch], scene)
    compare(9, "MXNet's statistics of features without gradients", before["gluon"], now("gluon", nets), 0, changed)
    what = "torch's statistics of features without gradients"
    measured.append(compare(9, what, stepped["torch"], now("torch", nets), 1e-10))
    moves = {n: relative(t, before["torch"][n]) for n, t in now("torch", nets).items()}
    gap = max(moves.values())
    measured.append(within(9, "features without gradients: torch's statistics move, MXNet's do not", gap, 0.05, 10.0))
    return measured


def check_what_statistics_cost(scene, steps=6):
    """After some steps in lockstep the probabilities of the two differ in eval mode, and only by their running statistics.

    With one network's tensors put into the other they agree again.
    """
    experiment = exact_in_float32(scene.experiment("finetune"))
    nets, batches = twins(scene, experiment), steps_of(scene, steps)
    for framework, net in nets.items():
        train(framework, net, experiment, batches, scene)

    def probabilities():
        found = {}
        for framework, net in nets.items():
            given = [framework_batch(framework, batches[0])]
            p, _ = TRAINING[framework].predict_probabilities(net, given, scene.where.of(framework))
            found[framework] = {"probabilities": p}
        return found

    apart = probabilities()
    gap = largest(apart["gluon"]["probabilities"], apart["torch"]["probabilities"])
    measured = [within(9, f"probabilities after {steps} steps, each with its own statistics", gap, 5e-3, 0.8)]
    NETS["torch"].set_tensors(nets["torch"], NETS["gluon"].get_tensors(nets["gluon"]))
    same = probabilities()
    return measured + [compare(9, "probabilities, with the same statistics", same["gluon"], same["torch"], 1e-10)]


def check_eval_mode_gradients(scene):
    """Gradients in eval mode: `record(train_mode=False)` needs `backward(train_mode=False)` as well.

    Without it MXNet's batch normalisation takes batch statistics from memory that nothing was written to: the gradients are wrong
    by anything from a fifth to 1e36 times their size, so there is no upper bound.
    """
    nets, batch = twins(scene, scene.experiment("finetune")), steps_of(scene, 1)[0]
    X, y = framework_batch("torch", batch)
    nets["torch"].eval()
    torch.nn.functional.cross_entropy(nets["torch"](X.to(scene.where.torch)), y.to(scene.where.torch)).backward()
    right = _torch_gradients(nets["torch"])
    found = {}
    for train_mode in (False, True):
        net = twins(scene, scene.experiment("finetune"))["gluon"]
        X, y = (part.as_in_ctx(scene.where.gluon) for part in framework_batch("gluon", batch))
        with autograd.record(train_mode=False):
            loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y).mean()
        loss.backward(train_mode=train_mode)
        found[train_mode] = _gluon_gradients(net)
    measured = [compare(9, "gradients in eval mode", found[False], right, tolerance(scene, "gradients", "float64"))]
    gap = max(relative(found[True][n], right[n]) for n in right)
    what = "MXNet's eval-mode gradients after backward() alone, off by"
    return measured + [within(9, what, gap, 0.05, math.inf)]


# --- rung 10: frozen ---


def check_frozen(scene):
    """Training the frozen experiment changes no bit of the features, running statistics included, and does change the output."""
    experiment = scene.experiment("frozen")
    measured, batches = [], steps_of(scene, 3)
    for framework, net in twins(scene, experiment, "float32").items():
        _, tensors = train(framework, net, experiment, batches, scene, "float32")
        features = [{n: t for n, t in ts.items() if n.startswith("features.")} for ts in (tensors[0], tensors[-1])]
        measured.append(compare(10, f"{framework}'s frozen features", *features, 0, changed))
        for name in ("output.weight", "output.bias"):
            if not changed(tensors[0][name], tensors[-1][name]):
                raise Mismatch(10, f"{framework}: {name} was not trained")
    return measured


def check_locked(scene):
    """With batch normalisation locked training sees what evaluation sees, the features keep every bit, the outputs agree."""
    experiment = exact_in_float32(replace(scene.experiment("frozen"), lock_batch_norm=True))
    measured, outputs, batches = [], {}, steps_of(scene, 3)
    for framework, net in twins(scene, experiment).items():
        given = [framework_batch(framework, batches[0])]
        p, labels = TRAINING[framework].predict_probabilities(net, given, scene.where.of(framework))
        evaluated = -np.log(p[np.arange(len(labels)), labels]).mean()
        epochs, tensors = train(framework, net, experiment, batches, scene)
        seen = [{"loss": np.array([loss])} for loss in (epochs[1].train_loss, evaluated)]
        measured.append(compare(10, f"{framework}, locked: loss in training and in evaluation", *seen, 1e-10))
        features = [{n: t for n, t in ts.items() if n.startswith("features.")} for ts in (tensors[0], tensors[-1])]
        measured.append(compare(10, f"{framework}'s locked features", *features, 0, changed))
        outputs[framework] = {n: t for n, t in tensors[-1].items() if n.startswith("output.")}
    return measured + [compare(10, "locked: output after 3 steps", outputs["gluon"], outputs["torch"], 1e-9)]


# --- rung 11: row reuse ---


def check_row_reuse(scene):
    """The output row labelled hotdog, weight and bias, is in the slot of the class hotdog; the other slots hold the others' mean.

    So the hotdog logit is the source network's.
    """
    source, measured = scene.source, []
    row = source.row("hotdog") if source.classes else 0
    if source.architecture.classes == 1000 and row != 934:
        raise Mismatch(11, f"hotdog is row {row} of the source, not 934")
    experiment = replace(scene.experiment("hotdog-row"), row="hotdog" if source.classes else "0")
    batch = steps_of(scene, 1)[0]
    # the hot dog first and last among the classes
    for classes in (scene.dataset.classes, ("burger", "hotdog")):
        dataset = replace(scene.dataset, classes=classes)
        slot = dataset.hotdog_slot
        for framework in FRAMEWORKS:
            net = frameworks.target_net(framework, experiment, source, dataset)
            tensors, logits = NETS[framework].get_tensors(net), {}
            for leaf in ("weight", "bias"):
                whole = source.tensors[f"output.{leaf}"]
                wanted = np.repeat(
                    np.delete(whole, row, axis=0).mean(axis=0, keepdims=True), len(dataset.classes), axis=0
                )
                wanted[slot] = whole[row]
                rows = {f"row {i} of output.{leaf}": t for i, t in enumerate(wanted)}
                found = {f"row {i} of output.{leaf}": t for i, t in enumerate(tensors[f"output.{leaf}"])}
                reused = f"row {slot} of output.{leaf}"
                same = {reused: np.atleast_1d(rows.pop(reused))}, {reused: np.atleast_1d(found.pop(reused))}
                measured.append(compare(11, f"{framework}: source row {row}", *same, 0, changed))
                measured.append(compare(11, f"{framework}: mean of the other rows", rows, found, 1e-6))
            X, _ = framework_batch(framework, batch, "float32")
            here = replace(scene, where=Where())
            for name, some, index in (("reusing", net, slot), ("source", NETS[framework].pretrained_net(source), row)):
                logits[name] = {"hotdog logit": forward(framework, some, X, here, training=False)["output"][:, index]}
            # float32: another width of the output layer may sum in another order
            measured.append(
                compare(11, f"{framework}: against the source network", logits["source"], logits["reusing"], 1e-5)
            )
    return measured


# --- the whole ladder ---


def climb(scene, kinds, solid, names=("finetune",), draws=200, steps=8):
    """Rungs 1 to 11 in their order, as functions: for finding the first that breaks.

    kinds, solid: datasets of pictures.kinds_of_files and pictures.solid_colours. names: experiments of rungs 6 to 8; draws, steps:
    of the random views and the trajectory: fewer of each than in the green tests, for this is climbed often.
    """
    yield lambda: check_decoding(kinds)
    yield lambda: check_epochs(solid, scene.size)
    for size in (scene.size, 48):  # from 55 pixels to 48: the centre lies between two
        yield lambda size=size: check_normalisation(kinds, size)
    yield lambda: check_resize(kinds, scene.size)
    yield lambda: check_image_batch(kinds, scene.size)
    yield lambda: check_augmentation(draws)
    yield lambda: check_views(scene.size)
    yield lambda: check_carrying(scene.source)
    yield lambda: check_new_tensors(scene.source)
    yield lambda: check_independence(scene)
    yield lambda: check_blocks(scene, "float64", training=False)
    yield lambda: check_blocks(scene, "float64", training=True)
    yield lambda: check_predictions(scene)
    yield lambda: check_features(scene)
    yield lambda: check_loss(scene)
    yield lambda: check_reported_accuracies(scene, must_fall=False)
    yield lambda: check_gradients(scene)
    for check in (check_effective_rates, check_one_step):
        for name in names:
            yield lambda check=check, name=name: check(scene, name)
    for name in names:
        yield lambda name=name: check_trajectory(scene, name, steps)
    yield lambda: check_batch_norm(scene)
    yield lambda: check_when_statistics_move(scene)
    yield lambda: check_frozen(scene)
    yield lambda: check_locked(scene)
    yield lambda: check_row_reuse(scene)
