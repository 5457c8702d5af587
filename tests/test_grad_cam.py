"""Grad-CAM beside what the ladder holds (rung 5): shapes and dtypes, modes of parts, calls inside of other modes, the overlay."""

import mxnet as mx
import numpy as np
import pytest
import torch
from helpers import THIN, random_source
from mxnet import autograd, npx
from PIL import Image

import gluon_impl.data
import gluon_impl.grad_cam
import gluon_impl.nets
import torch_impl.data
import torch_impl.grad_cam
import torch_impl.nets
from shared.images.heat import UNSEEN, enlarged, overlay, seen_region
from shared.networks.architecture import Architecture

npx.set_np()

IMPLEMENTATIONS = {
    "gluon": (gluon_impl.data, gluon_impl.nets, gluon_impl.grad_cam),
    "torch": (torch_impl.data, torch_impl.nets, torch_impl.grad_cam),
}
ARCHITECTURES = {
    "v1": Architecture(1, (1, 1, 1, 1), THIN, 5),
    "v2": Architecture(2, (1, 1, 1, 1), THIN, 5),
    "v1b": Architecture(1, (1, 1, 1, 1), THIN, 5, "bottleneck_v1b"),
}


def made(framework, kind):
    data, nets, grad_cam = IMPLEMENTATIONS[framework]
    images = np.random.default_rng(0).normal(size=(2, 3, 64, 96)).astype("float32")
    X, _ = data.as_batch(images, np.zeros(2, dtype="int64"))
    return nets.pretrained_net(random_source(ARCHITECTURES[kind])), X, grad_cam.class_activation_map


@pytest.mark.parametrize("framework", IMPLEMENTATIONS)
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_map_for_every_image_and_stage(framework, kind):
    net, X, class_activation_map = made(framework, kind)
    for stage, places in {1: (16, 24), 2: (8, 12), 3: (4, 6), 4: (2, 3)}.items():
        heats = [class_activation_map(net, X, c, stage) for c in range(5)]
        for heat in heats:
            assert (heat.shape, heat.dtype, type(heat)) == ((2, *places), np.float32, np.ndarray)
            assert (heat >= 0).all()
        assert sum((heat > 0).any() for heat in heats) > 1
    spoken = max(range(5), key=lambda c: heats[c].max())
    heat = class_activation_map(net, X, spoken)  # of the last stage
    np.testing.assert_array_equal(heat, heats[spoken])
    one_by_one = [class_activation_map(net, X[i : i + 1], spoken)[0] for i in range(2)]
    np.testing.assert_allclose(heat, one_by_one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_frameworks_agree_in_float32(kind):
    heats = []
    for framework in IMPLEMENTATIONS:
        net, X, class_activation_map = made(framework, kind)
        heats.append(class_activation_map(net, X, 1, 2))
    np.testing.assert_allclose(*heats, rtol=1e-3, atol=1e-4 * heats[0].max())


def test_it_computes_as_evaluation_does_whatever_mode_it_is_called_in():
    net, X, class_activation_map = made("torch", "v2")
    wanted = class_activation_map(net.eval(), X, 0)
    net.train()
    net.features.layer2.eval()  # a part in another mode than the rest
    before = {name: module.training for name, module in net.named_modules()}
    with torch.no_grad():
        np.testing.assert_array_equal(class_activation_map(net, X, 0), wanted)
    assert {name: module.training for name, module in net.named_modules()} == before
    assert len(set(before.values())) == 2
    net, X, class_activation_map = made("gluon", "v2")
    wanted = class_activation_map(net, X, 0)
    with autograd.record():
        np.testing.assert_array_equal(class_activation_map(net, X, 0), wanted)
        assert autograd.is_training() and autograd.is_recording()
    net.hybridize(static_alloc=True)
    np.testing.assert_allclose(class_activation_map(net, X, 0), wanted, rtol=1e-5)
    mx.nd.waitall()


def test_an_unknown_class_leaves_the_modes_too():
    net, X, class_activation_map = made("torch", "v1")
    net.train()
    with pytest.raises(IndexError):
        class_activation_map(net, X, 5)
    assert all(module.training for module in net.modules())


# --- the overlay ---


def test_a_map_is_enlarged_between_the_middles_of_its_places():
    large = enlarged(np.array([[0.0, 1.0], [0.0, 1.0]]), 8, 4)
    assert large.shape == (4, 8)
    # the middles of the two places lie at 2 and 6 of 8; pixel k's middle at k + 0.5
    np.testing.assert_allclose(large[0], np.clip((np.arange(8) + 0.5 - 2) / 4, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(enlarged(np.full((3, 3), 0.5), 7, 7), np.full((7, 7), 0.5, dtype="float32"))


@pytest.mark.parametrize("size", [32, 64, 96, 224])
def test_the_region_is_what_the_networks_are_given(size):
    """Red says how far right a pixel is, green how far down; read off what `image_batch` makes of such an image."""
    from parity.pictures import position_coded

    width, height = 640, 480
    left, top, right, bottom = seen_region(width, height, size)
    pixels = torch_impl.data.test_augs(size)(position_coded(width, height)).numpy()
    mean, deviation = (np.array(v).reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    red, green, _ = pixels * deviation + mean
    pixel = 0.5 * (right - left) / size  # half a pixel of the view
    for value, edge, whole in (
        (red[0, 0], left, width),
        (red[0, -1], right, width),
        (green[0, 0], top, height),
        (green[-1, 0], bottom, height),
    ):
        assert abs(abs(value * whole - edge) - pixel) < 3


def test_the_overlay_marks_the_highest_place_and_darkens_what_is_not_seen():
    heat = np.zeros((4, 4))
    heat[0, 3] = 2.0
    grey = Image.new("RGB", (400, 200), (100, 100, 100))
    pixels = np.asarray(overlay(grey, heat, 64)).astype(int)
    assert pixels.shape == (200, 400, 3)
    left, top, right, bottom = seen_region(400, 200, 64)
    assert (pixels[:top] == round(UNSEEN * 100)).all() and (pixels[:, :left] == round(UNSEEN * 100)).all()
    assert (pixels[bottom - 5, left + 5] == 100).all()
    bluest = np.unravel_index(pixels[..., 2].argmax(), pixels.shape[:2])
    assert bluest[0] < 60 and bluest[1] > 300 and pixels[bluest][2] > 200 > pixels[bluest][0]
    assert (np.asarray(overlay(grey, np.zeros((2, 2)), 64))[top:bottom, left:right] == 100).all()


@pytest.mark.parametrize(
    ("size", "shown"),
    [((4000, 1000), (640, 160)), ((64, 64), (320, 320)), ((1, 5), (64, 320)), ((500, 640), (500, 640))],
)
def test_the_overlay_is_neither_large_nor_tiny(size, shown):
    assert overlay(Image.new("RGB", size), np.ones((2, 2)), 64).size == shown
