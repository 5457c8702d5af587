"""Which device a framework is given: the one that is asked for, or the GPU where one is found."""

import importlib

import pytest

from shared.device import Device
from shared.errors import UserError


@pytest.mark.parametrize("framework", ["gluon", "torch"])
def test_auto_takes_the_gpu_that_is_found_and_gpu_wants_one(framework, monkeypatch):
    training = importlib.import_module(f"{framework}_impl.training")
    card, none = Device("gpu", "a card", "found"), Device("cpu", None, "there is none")
    monkeypatch.setattr(training, "find_gpu", lambda: card)
    gpu = "cuda" if framework == "torch" else "gpu(0)"
    for wanted in ("auto", "gpu"):
        device, about = training.choose_device(wanted)
        assert str(device) == gpu and about == card
    device, about = training.choose_device("cpu")
    assert str(device) in ("cpu", "cpu(0)") and (about.kind, about.name, about.reason) == ("cpu", None, "asked for")
    monkeypatch.setattr(training, "find_gpu", lambda: none)
    device, about = training.choose_device()
    assert str(device) in ("cpu", "cpu(0)") and about == none
    with pytest.raises(UserError, match="cannot use a GPU: there is none"):
        training.choose_device("gpu")
