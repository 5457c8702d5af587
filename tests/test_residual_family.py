"""The residual networks of both zoos: told apart by names and shapes, and the same function in either framework."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import THIN, random_source, random_tensors

from shared.errors import UserError
from shared.networks.architecture import BLOCKS, Architecture, family, recognise, tensor_shapes
from shared.networks.names import canonical_from_torchvision
from shared.runs.frameworks import FRAMEWORKS, implementation

# One block in most stages, a second in one: a first and a later block of either kind.
SHALLOW = [
    Architecture(version, (1, 2, 1, 1), channels, 5, block)
    for version in (1, 2)
    for block in BLOCKS
    for channels in (
        THIN,
        (16, 8, 12, 20, 24),
    )  # stem and first stage alike or not: without and with a projection there
    if (version, block) != (2, "bottleneck_v1b")
]
# Gluon's documentation counts running statistics too: resnet50_v1 has 25,629,032 with them.
TRAINED = {
    "resnet18_v1": 11_689_512,
    "resnet34_v1": 21_797_672,
    "resnet50_v1b": 25_557_032,
    "resnet101_v1b": 44_549_160,
    "resnet152_v1b": 60_192_808,
    "resnet50_v1": 25_629_032 - 2 * 26_560,
}


def test_the_family_has_the_networks_of_both_zoos():
    assert list(family()) == [
        *("resnet18_v1", "resnet18_v2", "resnet34_v1", "resnet34_v2", "resnet50_v1", "resnet50_v2", "resnet101_v1"),
        *("resnet101_v2", "resnet152_v1", "resnet152_v2", "resnet50_v1b", "resnet101_v1b", "resnet152_v1b"),
    ]
    for name, count in TRAINED.items():
        shapes = tensor_shapes(family()[name])
        assert sum(int(np.prod(shape)) for tensor, shape in shapes.items() if "running" not in tensor) == count, name


@pytest.mark.parametrize("depth", (18, 34, 50, 101, 152))
def test_torchvisions_own_tensors_are_recognised(depth):
    import torch
    import torchvision

    with torch.device("meta"):  # names and shapes, no memory
        state = getattr(torchvision.models, f"resnet{depth}")(num_classes=7).state_dict()
    tensors = {
        canonical_from_torchvision(name): np.broadcast_to(np.float32(0), tuple(tensor.shape))
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }
    wanted = family()[f"resnet{depth}_v1" if depth < 50 else f"resnet{depth}_v1b"]
    assert recognise(tensors) == replace(wanted, classes=7)
    assert list(tensors) == list(tensor_shapes(replace(wanted, classes=7)))


@pytest.mark.parametrize("architecture", SHALLOW, ids=lambda a: a.name)
def test_both_frameworks_hold_the_tensors_and_compute_the_same(architecture):
    source, outputs = random_source(architecture), {}
    X = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype("float32")
    for framework in FRAMEWORKS:
        nets = implementation(framework, "nets")
        net = nets.pretrained_net(source)
        tensors = nets.get_tensors(net)
        assert list(tensors) == list(tensor_shapes(architecture))
        assert all(np.array_equal(tensors[name], source.tensors[name]) for name in tensors)
        outputs[framework] = run(framework, net, X)
    assert recognise(source.tensors) == architecture
    same(outputs["gluon"], outputs["torch"])


def same(a, b):
    """Logits in float64, over sixteen blocks with random weights at most; measured 4e-14 of the largest."""
    assert np.abs(a - b).max() <= 1e-12 * np.abs(b).max()


def run(framework, net, X):
    """Logits of `net` in float64 and evaluation."""
    if framework == "gluon":
        from mxnet import np as array_module

        net.cast("float64")
        return net(array_module.array(X, dtype="float64")).asnumpy()
    import torch

    with torch.no_grad():
        return net.double().eval()(torch.from_numpy(X.astype("float64"))).numpy()


def test_the_twin_of_gluons_bottleneck_is_not_torchvisions():
    """Same tensors but for the biases: where these are zero, only the stride's place tells the two functions apart."""
    torch_nets = implementation("torch", "nets")
    gluons = random_source(Architecture(1, (1, 1, 1, 1), THIN, 5, "bottleneck"))
    for name, tensor in gluons.tensors.items():
        if ".conv" in name and name.endswith("bias"):
            tensor[:] = 0
    theirs = replace(
        gluons,
        architecture=replace(gluons.architecture, block="bottleneck_v1b"),
        tensors={n: t for n, t in gluons.tensors.items() if not (".conv" in n and n.endswith("bias"))},
    )
    X = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype("float32")
    one, other = (run("torch", torch_nets.pretrained_net(source), X) for source in (gluons, theirs))
    assert np.abs(one - other).max() > 0.1 * np.abs(one).max()


@pytest.mark.parametrize("name", ("resnet50_v1", "resnet50_v2"))
def test_gluons_own_network_and_the_torch_twin_agree(name):
    """Gluon's network as the zoo makes it, not as this project does, with its own names."""
    from mxnet import np as array_module
    from mxnet.gluon.model_zoo import vision

    from shared.networks.names import gluon_from_canonical

    source = random_source(replace(family()[name], classes=3))
    net = getattr(vision, name)(classes=3)
    net.initialize()
    X = np.random.default_rng(1).normal(size=(2, 3, 64, 64)).astype("float32")
    net(array_module.array(X))
    params = net._collect_params_with_prefix()
    for ours, tensor in source.tensors.items():
        params.pop(gluon_from_canonical(ours, source.architecture.version)).set_data(array_module.array(tensor))
    assert not params
    same(run("gluon", net, X), run("torch", implementation("torch", "nets").pretrained_net(source), X))


def test_torchvisions_own_network_and_the_gluon_twin_agree():
    import torch
    from torchvision.models import resnet50

    from shared.networks.names import torchvision_from_canonical

    source = random_source(replace(family()["resnet50_v1b"], classes=3))
    net = resnet50(num_classes=3)
    state = {torchvision_from_canonical(name): torch.from_numpy(tensor) for name, tensor in source.tensors.items()}
    net.load_state_dict(state)
    X = np.random.default_rng(1).normal(size=(2, 3, 64, 64)).astype("float32")
    same(run("torch", net, X), run("gluon", implementation("gluon", "nets").pretrained_net(source), X))


def test_the_gluon_twin_of_torchvisions_writes_gluoncvs_names(tmp_path):
    """GluonCV's `ResNetV1b` calls its layers as torchvision does, with Gluon's leaves."""
    import mxnet as mx
    from torchvision.models import resnet50

    nets = implementation("gluon", "nets")
    net = nets.scratch_net(replace(family()["resnet50_v1b"], classes=3), 3)
    net.save_parameters(str(tmp_path / "net.params"))
    leaves = {"running_mean": "running_mean", "running_var": "running_var", "weight": "gamma", "bias": "beta"}
    expected = []
    for name in resnet50().state_dict():
        layer, _, leaf = name.rpartition(".")
        norm = layer.split(".")[-1].startswith("bn") or layer.endswith("downsample.1")
        if leaf != "num_batches_tracked":
            expected.append(f"{layer}.{leaves[leaf] if norm else leaf}")
    assert list(mx.npx.load(str(tmp_path / "net.params"))) == expected


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("architecture", SHALLOW[::2], ids=lambda a: a.name)
@pytest.mark.parametrize("locked", (False, True))
def test_frozen_bottlenecks_keep_every_bit(framework, architecture, locked):
    nets = implementation(framework, "nets")
    net = nets.finetune_net(random_source(architecture), 2)
    nets.freeze_features(net, lock_batch_norm=locked)
    before = nets.get_tensors(net)
    X = np.random.default_rng(0).normal(size=(4, 3, 64, 64)).astype("float32")
    if framework == "gluon":
        from mxnet import autograd
        from mxnet import np as array_module

        with autograd.record():
            loss = net(array_module.array(X)).sum()
        loss.backward()
    else:
        import torch

        net.train()(torch.from_numpy(X)).sum().backward()
    after = nets.get_tensors(net)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_scratch_networks_start_with_zero_biases_everywhere():
    architecture = Architecture(1, (1, 1, 1, 1), THIN, 5, "bottleneck")
    for framework in FRAMEWORKS:
        nets = implementation(framework, "nets")
        tensors = nets.get_tensors(nets.scratch_net(architecture, 5))
        assert all(not tensor.any() for name, tensor in tensors.items() if name.endswith(".bias")), framework


def test_features_alone_are_recognised():
    tensors = random_tensors(Architecture(1, channels=THIN, classes=5))
    features = {name: tensor for name, tensor in tensors.items() if name.startswith("features.")}
    assert recognise(features) == Architecture(1, channels=THIN, classes=0)
    assert list(tensor_shapes(Architecture(1, channels=THIN, classes=0))) == list(features)
    with pytest.raises(UserError, match="no tensor output.weight"):
        recognise(features | {"output.bias": tensors["output.bias"]})


def test_what_is_no_residual_network_of_the_family_is_refused():
    with pytest.raises(ValueError, match="multiples of 4"):
        Architecture(2, channels=(8, 10, 16, 24, 32), block="bottleneck")
    with pytest.raises(ValueError, match="no block"):
        Architecture(2, block="bottleneck_v1b")
    with pytest.raises(ValueError, match="no block"):
        Architecture(1, block="bottleneck_v1d")
    # a wide ResNet: twice as wide inside
    tensors = random_tensors(Architecture(1, (1, 1, 1, 1), THIN, 5, "bottleneck_v1b"))
    tensors["features.layer1.0.conv1.weight"] = np.zeros((4, 8, 1, 1), "float32")
    with pytest.raises(UserError, match="layer1.0.conv1.weight has shape"):
        recognise(tensors)
    # biases in one of the two 1x1 convolutions only
    mixed = random_tensors(Architecture(1, (1, 1, 1, 1), THIN, 5, "bottleneck"))
    del mixed["features.layer3.0.conv3.bias"]
    with pytest.raises(UserError, match="features.layer3.0.conv3.bias is missing"):
        recognise(mixed)
