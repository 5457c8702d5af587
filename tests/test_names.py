"""Tensor names to and from the canonical ones, against the names that the libraries' own networks have."""

import pytest

import gluon_impl  # noqa: F401 (before MXNet)
from shared.networks.architecture import Architecture, tensor_shapes
from shared.networks.names import (
    canonical_from_gluon,
    canonical_from_torchvision,
    gluon_from_canonical,
    torchvision_from_canonical,
)


@pytest.mark.parametrize("depth", (18, 34, 50))
@pytest.mark.parametrize("version", (1, 2))
def test_gluon_names_go_there_and_back(depth, version):
    from mxnet.gluon.model_zoo import vision

    theirs = list(vision.get_resnet(version, depth)._collect_params_with_prefix())
    ours = [canonical_from_gluon(name, version) for name in theirs]
    assert len(set(ours)) == len(theirs)
    assert [gluon_from_canonical(name, version) for name in ours] == theirs
    if depth == 18:
        assert ours == list(tensor_shapes(Architecture(version)))


@pytest.mark.parametrize("depth", (18, 34, 50))
def test_torchvision_names_go_there_and_back(depth):
    import torchvision

    net = getattr(torchvision.models, f"resnet{depth}")()
    theirs = [name for name in net.state_dict() if not name.endswith("num_batches_tracked")]
    ours = [canonical_from_torchvision(name) for name in theirs]
    assert [torchvision_from_canonical(name) for name in ours] == theirs
    if depth == 18:
        assert set(ours) == set(tensor_shapes(Architecture(1)))


def test_gluoncv_calls_the_layers_as_torchvision_does():
    names = {
        "features.conv1.weight": "conv1.weight",
        "features.layer3.1.bn3.running_var": "layer3.1.bn3.running_var",
        "features.layer2.0.downsample.1.weight": "layer2.0.downsample.1.gamma",
        "output.bias": "fc.bias",
    }
    assert {name: gluon_from_canonical(name, "1b") for name in names} == names
    assert {canonical_from_gluon(theirs, "1b"): theirs for theirs in names.values()} == names
