"""Source networks: architectures recognised from tensors, every file format read, bad files refused in one line."""

import numpy as np
import pytest
from helpers import THIN, random_tensors
from safetensors.numpy import save_file

from shared.errors import UserError
from shared.networks.architecture import Architecture, recognise, tensor_shapes
from shared.networks.reading import load_source
from shared.networks.rows import reused_output
from shared.networks.source import BOOK_ROW, fingerprint

ARCHITECTURES = [
    Architecture(version, layers, channels, classes)
    for version in (1, 2)
    for layers, channels, classes in (
        ((2, 2, 2, 2), THIN, 5),
        ((1, 2, 1, 1), (8, 12, 16, 20, 24), 3),
        ((2, 2, 2, 2), (8, 16, 24, 32, 40), 2),
    )
]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_both_frameworks_hold_the_canonical_tensors_in_order(architecture):
    from gluon_impl import nets as gluon_nets
    from torch_impl import nets as torch_nets

    for nets in (gluon_nets, torch_nets):
        tensors = nets.get_tensors(nets.scratch_net(architecture, architecture.classes))
        assert {name: t.shape for name, t in tensors.items()} == tensor_shapes(architecture)
        assert list(tensors) == list(tensor_shapes(architecture))
        assert recognise(tensors) == architecture


def test_resnet18_has_the_published_number_of_parameters():
    shapes = tensor_shapes(Architecture(1))
    trained = [s for name, s in shapes.items() if "running" not in name]
    assert len(shapes) == 102
    assert sum(int(np.prod(s)) for s in trained) == 11_689_512


def test_architectures_that_gluon_cannot_build_are_refused():
    with pytest.raises(ValueError, match="same width"):
        Architecture(1, channels=(8, 16, 16, 32, 64))
    with pytest.raises(ValueError, match="four stages"):
        Architecture(1, channels=(8, 16))


@pytest.mark.parametrize("version", (1, 2))
@pytest.mark.parametrize("framework", ("gluon", "torch"))
def test_a_file_saved_by_the_framework_itself_is_read_back_exactly(version, framework, tmp_path):
    architecture = Architecture(version, channels=THIN, classes=5)
    tensors = random_tensors(architecture)
    if framework == "gluon":
        from gluon_impl import nets

        file = tmp_path / "net.params"
        net = nets.scratch_net(architecture, 5)
        nets.set_tensors(net, tensors)
        net.save_parameters(str(file))
    else:
        import torch

        from torch_impl import nets

        file = tmp_path / "net.pth"
        net = nets.build_net(architecture)
        nets.set_tensors(net, tensors)
        torch.save(net.state_dict(), file)
    source = load_source(str(file))
    assert source.architecture == architecture
    assert source.classes is None
    assert source.tensors.keys() == tensors.keys()
    assert all(np.array_equal(source.tensors[name], tensors[name]) for name in tensors)
    assert source.fingerprint == fingerprint(tensors)


def test_torchvision_names_are_understood(tmp_path):
    import torch
    from torchvision.models import resnet18

    torch.manual_seed(0)
    net = resnet18()
    torch.save(net.state_dict(), tmp_path / "resnet18.pth")
    source = load_source(str(tmp_path / "resnet18.pth"))
    assert source.architecture == Architecture(1)
    assert np.array_equal(source.tensors["output.weight"], net.fc.weight.detach().numpy())
    assert source.row() == 934
    assert source.label(934) == "hotdog"
    assert source.label(BOOK_ROW) == "photocopier"


def test_rows_are_found_by_label_and_by_number(thin_file):
    source = load_source(str(thin_file))
    assert source.row() == 1
    assert source.row("photocopier") == 3
    assert source.row("4") == 4
    with pytest.raises(UserError, match="rows 0 to 4"):
        source.row(713)
    with pytest.raises(UserError, match="labelled 'taco'"):
        source.row("taco")


def test_reused_output_puts_row_and_mean_of_the_others(thin_file):
    source = load_source(str(thin_file))
    fresh = {"output.weight": np.ones((2, THIN[-1]), "float32"), "output.bias": np.ones(2, "float32")}
    new = reused_output(source, row=3, slot=1, new=fresh)
    weight, bias = source.tensors["output.weight"], source.tensors["output.bias"]
    assert np.array_equal(new["output.weight"][1], weight[3])
    assert new["output.bias"][1] == bias[3]
    np.testing.assert_allclose(new["output.weight"][0], weight[[0, 1, 2, 4]].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(new["output.bias"][0], bias[[0, 1, 2, 4]].mean(), rtol=1e-6)
    assert new["output.weight"].dtype == new["output.bias"].dtype == np.float32


def _damaged(tmp_path, ending):
    file = tmp_path / f"damaged{ending}"
    file.write_bytes(b"not tensors at all")
    return str(file)


@pytest.mark.parametrize("ending", (".pth", ".params", ".safetensors"))
def test_damaged_files_are_refused_in_one_line(ending, tmp_path):
    with pytest.raises(UserError, match="cannot read") as caught:
        load_source(_damaged(tmp_path, ending))
    assert "\n" not in str(caught.value)


def test_code_in_a_pickle_is_not_executed(tmp_path):
    import pickle

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (tmp_path / "trap.pth").write_bytes(pickle.dumps({"fc.weight": Trap()}))
    with pytest.raises(UserError):
        load_source(str(tmp_path / "trap.pth"))
    assert not (tmp_path / "sprung").exists()


def test_wrong_tensors_are_named(tmp_path):
    tensors = random_tensors(Architecture(1, channels=THIN, classes=5))
    cases = {
        "missing": ({n: t for n, t in tensors.items() if n != "features.layer2.1.bn2.bias"}, "layer2.1.bn2.bias"),
        "shape": (tensors | {"features.bn1.bias": np.zeros(3, "float32")}, "features.bn1.bias has shape"),
        "dtype": (tensors | {"output.bias": np.zeros(5, "int32")}, "output.bias is int32"),
        "extra": (tensors | {"features.layer9.0.conv": np.zeros(3, "float32")}, "features.layer9.0.conv is not"),
    }
    for name, (wrong, message) in cases.items():
        file = tmp_path / f"{name}.safetensors"
        save_file(wrong, file)
        with pytest.raises(UserError, match=message):
            load_source(str(file))


def test_a_first_layer_that_gluon_would_ignore_is_refused(tmp_path):
    tensors = random_tensors(Architecture(2, channels=THIN, classes=5))
    tensors["features.bn0.weight"][1] = 2
    save_file(tensors, tmp_path / "scaled.safetensors")
    with pytest.raises(UserError, match="features.bn0.weight"):
        load_source(str(tmp_path / "scaled.safetensors"))


def test_unknown_names_and_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="unknown source"):
        load_source("resnet99")
    with pytest.raises(UserError, match="no such file"):
        load_source(str(tmp_path / "nowhere.pth"))


@pytest.mark.parametrize("framework", ("gluon", "torch"))
def test_set_tensors_names_the_offender_and_changes_nothing(framework):
    from shared.runs.frameworks import implementation

    nets = implementation(framework, "nets")
    architecture = Architecture(2, channels=THIN, classes=5)
    net = nets.scratch_net(architecture, 5)
    before = nets.get_tensors(net)
    wrong = random_tensors(architecture)
    wrong["output.weight"] = wrong["output.weight"].T.copy()
    with pytest.raises(UserError, match="output.weight has shape"):
        nets.set_tensors(net, wrong)
    after = nets.get_tensors(net)
    assert all(np.array_equal(before[name], after[name]) for name in before)
