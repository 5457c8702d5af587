"""What `hotdog networks` says of the two zoos is measured: here again for the quick ones, and the record for all."""

import re

import pytest
from helpers import hotdog

from shared.networks.architecture import family
from shared.parity import families


@pytest.mark.parametrize("pair", [("squeezenet1.1", "squeezenet1_1", 224), ("resnet18_v1", "resnet18", 64)], ids=str)
def test_a_pair_that_is_the_same_function(pair):
    row = families.compare(*pair)
    assert row["difference"] < 1e-5
    assert row["mode"] == ("classic" if "squeeze" in pair[0] else "NumPy")
    assert families.verdict(row).startswith("the same function")


def test_pairs_that_are_not():
    row = families.compare("mobilenetv2_1.0", "mobilenet_v2", 64)
    assert (row["difference"], row["tensors"]) == (None, [266, 262])
    assert families.verdict(row).startswith("another network: Gluon's has 266 tensors")
    # as many tensors, of other shapes
    row = families.compare("squeezenet1.0", "squeezenet1_1", 224)
    assert row["difference"] is None and "has shape" in families.verdict(row)


def test_the_same_tensors_in_another_function_are_told(monkeypatch):
    import torch
    import torchvision

    def without_its_first_relu(original=torchvision.models.resnet18, **arguments):
        net = original(**arguments)
        net.relu = torch.nn.Identity()
        return net

    monkeypatch.setattr(torchvision.models, "resnet18", without_its_first_relu)
    row = families.compare("resnet18_v1", "resnet18", 64)
    assert row["tensors"] == [102, 102]
    assert families.verdict(row).startswith("the same tensors, another function")


def test_every_network_of_both_zoos_is_spoken_of():
    import torchvision
    from mxnet.gluon.model_zoo.vision import get_model

    with pytest.raises(ValueError) as refusal:
        get_model("none")
    gluons = refusal.value.args[0].split("\n\t")[1:]
    theirs = torchvision.models.list_models(module=torchvision.models)
    assert len(gluons) > 30 and len(theirs) > 70
    pairs = [name for pair in (*families.RESIDUAL, *families.PAIRS) for name in pair[:2]]
    spoken_of = " ".join([*pairs, *families.OTHERS]).lower()
    assert [name for name in [*gluons, *theirs] if re.match("[a-z]+", name)[0] not in spoken_of] == []


@pytest.mark.slow
def test_the_record_is_what_is_measured_now():
    now = families.measure()
    assert [families.verdict(row).partition("(")[0] for row in now] == [
        families.verdict(row).partition("(")[0] for row in families.recorded()["pairs"]
    ]


def test_the_command_lists_the_family_and_the_others():
    done = hotdog("networks")
    assert done.returncode == 0, done.stderr
    for name in family():
        assert name in done.stdout
    for row in families.recorded()["pairs"]:
        assert families.verdict(row) in done.stdout
    assert {pair[:2] for pair in (*families.RESIDUAL, *families.PAIRS)} == {
        (row["gluon"], row["torchvision"]) for row in families.recorded()["pairs"]
    }
