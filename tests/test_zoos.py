"""The published networks: read where they can be had; where not, which address failed and what works now. Never another one."""

import numpy as np
import pytest
import requests
import torch
from helpers import random_tensors

from shared.errors import UserError
from shared.networks import zoos
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source

WEIGHTS = zoos._torchvision_weights()


@pytest.fixture
def gone(monkeypatch, tmp_path):
    """No server answers, and torch has downloaded nothing yet."""
    import mxnet

    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(mxnet.gluon.utils.requests, "get", refuse)
    monkeypatch.setattr(requests, "head", lambda *_, **__: (_ for _ in ()).throw(requests.ConnectionError("no route")))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "mxnet"))
    monkeypatch.setattr(mxnet.gluon.model_zoo.model_store.get_model_file, "__defaults__", (str(tmp_path / "models"),))
    monkeypatch.delenv("MXNET_GLUON_REPO", raising=False)


def refusal(spec):
    with pytest.raises(UserError) as caught:
        load_source(spec)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_mxnets_message_names_the_address_and_what_works_now(gone, monkeypatch, tmp_path):
    text = refusal("imagenet")
    assert "https://apache-mxnet.s3" in text and "resnet18_v2-a81db45f.zip" in text and "no route to host" in text
    assert "--source FILE" in text and "MXNET_GLUON_REPO" in text
    assert f"another network (--source torchvision), but {WEIGHTS.url} does not answer either" in text
    answers = requests.Response()
    answers.status_code = 200
    monkeypatch.setattr(requests, "head", lambda *_, **__: answers)
    assert "(--source torchvision), whose server answers" in refusal("imagenet")
    (tmp_path / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth").write_bytes(b"")
    assert "(--source torchvision), which is here already" in refusal("imagenet")


def test_a_mirror_is_the_address_that_failed(gone, monkeypatch):
    monkeypatch.setenv("MXNET_GLUON_REPO", "https://mirror.example/")
    assert "from https://mirror.example/gluon/models/resnet18_v2-a81db45f.zip" in refusal("imagenet")


def test_torchvisions_message_names_the_address_and_what_works_now(gone):
    text = refusal("torchvision")
    assert WEIGHTS.url in text and "no route to host" in text
    assert "--source FILE" in text and "--source mini" in text and "another network (--source imagenet)" in text


def test_what_mxnet_hands_over_is_read(monkeypatch, tmp_path):
    import mxnet
    from mxnet.gluon.model_zoo import model_store

    from shared.networks.names import gluon_from_canonical

    tensors = random_tensors(Architecture(2))
    with mxnet.util.np_array(False), mxnet.util.np_shape(False):  # as in every published file
        named = {gluon_from_canonical(name, 2): mxnet.nd.array(tensor) for name, tensor in tensors.items()}
        mxnet.nd.save(str(tmp_path / "zoo.params"), named)
    monkeypatch.setattr(
        model_store, "get_model_file", lambda name: str(tmp_path / f"{'zoo' if name == 'resnet18_v2' else name}.params")
    )
    source = load_source("imagenet")
    assert source.architecture == Architecture(2)
    assert source.name == "imagenet" and source.row() == 934
    assert all(np.array_equal(source.tensors[name], tensor) for name, tensor in tensors.items())


def test_what_torchvision_has_downloaded_is_read(monkeypatch, tmp_path):
    from torchvision.models import resnet18

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    torch.save(resnet18().state_dict(), file)
    source = load_source("torchvision")
    assert source.architecture == Architecture(1)
    assert source.name == "torchvision" and source.row() == 934
