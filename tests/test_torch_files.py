"""Checkpoints as PyTorch's training scripts, timm, the Hugging Face hub and Lightning write them; and what is refused."""

import argparse
import collections
import datetime
import fractions
import io
import json
import pickle
import tarfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import THIN, random_tensors
from safetensors.torch import save_file
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from shared.errors import UserError
from shared.networks.architecture import Architecture
from shared.networks.names import layers_of, torchvision_from_canonical
from shared.networks.reading import load_source

V1 = Architecture(1, channels=THIN, classes=5)
TENSORS = random_tensors(V1)
NET = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5)


def state(prefix="", tensors=TENSORS, counters=True, **renamed):
    """A state dict under torchvision's names, as a network with running counters has it. renamed: other words for `fc`."""
    named = OrderedDict()
    for name, tensor in tensors.items():
        name = torchvision_from_canonical(name)
        if name.startswith("fc.") and renamed:
            name = renamed["fc"] + name[2:]
        named[prefix + name] = torch.from_numpy(tensor.copy())
        if counters and name.endswith("running_var"):
            named[prefix + name.replace("running_var", "num_batches_tracked")] = torch.tensor(7)
    return named


def refusal(content, tmp_path, save=torch.save):
    """What is said of `content`: one line without escape codes."""
    save(content, tmp_path / "net.pth")
    with pytest.raises(UserError) as caught:
        load_source(str(tmp_path / "net.pth"))
    assert str(caught.value).isprintable()
    return str(caught.value)


def read(content, tmp_path, ending=".pth", save=torch.save):
    file = tmp_path / f"net{ending}"
    save(content, file)
    return load_source(str(file))


def is_whole(source):
    return source.tensors.keys() == TENSORS.keys() and all(
        np.array_equal(source.tensors[name], tensor) for name, tensor in TENSORS.items()
    )


WRAPPERS = {
    "plain": "",
    "DataParallel": "module.",
    "torch.compile": "_orig_mod.",
    "compiled, parallel": "module._orig_mod.",
    "Lightning": "model.",
    "Lightning, compiled": "model._orig_mod.",
    "a backbone": "backbone.",
    "deep": "student.net.encoder.backbone.",
    "a name nobody uses": "täst.x1.",
    "like a layer": "layer1.",
    "FSDP": "_fsdp_wrapped_module._checkpoint_wrapped_module.",
}


@pytest.mark.parametrize("prefix", WRAPPERS.values(), ids=WRAPPERS)
def test_whatever_a_wrapper_puts_before_the_names_is_taken_off(prefix, tmp_path):
    assert is_whole(read(state(prefix), tmp_path))


def test_wrappers_within_the_names_are_taken_off(tmp_path):
    inside = {name.replace("layer2.1.", "layer2._orig_mod.1.module."): t for name, t in state().items()}
    assert is_whole(read(inside, tmp_path))


def test_an_averaged_model_counts_and_is_read(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(NET)
    source = read(averaged.state_dict(), tmp_path)
    assert source.architecture == Architecture(1, (1, 1, 1, 1), classes=5)
    assert not source.notes


CHECKPOINTS = {
    "ImageNet example": {"epoch": 3, "arch": "resnet18", "state_dict": state("module."), "best_acc1": torch.tensor(7.0)},
    "torchvision references": {"model": state(), "optimizer": torch.optim.SGD(NET.parameters(), 1).state_dict(), "epoch": 3},
    "tutorial": {"epoch": 1, "model_state_dict": state(), "optimizer_state_dict": {"state": {}}, "loss": 0.1},
    "net": {"net": state("module."), "acc": 93.1, "epoch": 2},
    "module": {"module": state(), "lr_scheduler": None},
    "deeper": {"payload": {"weights": [{"model": state("module.")}, 3]}},
    "a list": [state(), 12],
    "Lightning": {"state_dict": state("model."), "hyper_parameters": {"lr": 0.1}, "callbacks": {}},
    "arguments": {"model": state(), "args": argparse.Namespace(lr=0.1, output=Path("runs"))},
    "containers": {"model": state(), "best": collections.defaultdict(list, a=[1]), "at": datetime.date(2020, 1, 1), "ids": {1, 2}},
    "NumPy": {"state_dict": state(), "best_acc": np.float64(0.7), "history": np.arange(3.0), "step": np.int64(3)},
}  # fmt: skip


@pytest.mark.parametrize("legacy", (False, True), ids=("zip", "before 1.6"))
@pytest.mark.parametrize("checkpoint", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_the_state_dict_is_found_below_whatever_key(checkpoint, legacy, tmp_path):
    file = tmp_path / "checkpoint.pth.tar"
    torch.save(checkpoint, file, _use_new_zipfile_serialization=not legacy)
    assert is_whole(load_source(str(file)))


def test_optimizer_states_are_no_networks(tmp_path):
    optimizer = torch.optim.Adam(NET.parameters())
    NET(torch.zeros(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    assert is_whole(read({"model": state(), "optimizer": optimizer.state_dict()}, tmp_path))
    assert "no named tensors" in refusal({"optimizer": {"state": {}, "lr": 0.1}}, tmp_path)


@pytest.mark.parametrize("ending", (".pth", ".pt", ".bin", ".ckpt", ".tar", ".pth.tar", ".weights"))
def test_endings_do_not_matter(ending, tmp_path):
    assert is_whole(read(state(), tmp_path, ending))


@pytest.mark.parametrize("fc", ("fc", "fc.1", "head", "head.fc", "classifier", "classifier.1", "last_linear", "output"))
def test_output_layers_are_called_differently(fc, tmp_path):
    assert is_whole(read(state(fc=fc), tmp_path))
    assert is_whole(read({f"net.{name}": t for name, t in state(fc=fc).items()}, tmp_path))


def test_an_output_layer_may_stand_beside_the_backbone(tmp_path):
    parted = {n if n.startswith("fc") else f"backbone.{n}": t for n, t in state().items()}
    assert is_whole(read(parted, tmp_path))
    assert is_whole(read({f"model.{name}": t for name, t in parted.items()}, tmp_path))
    # With something unknown between them it is not the output of these features.
    source = read(parted | {"neck.weight": torch.ones(32, 32)}, tmp_path)
    assert source.architecture.classes == 0
    assert any("neck.weight" in note for note in source.notes)


HEADLESS = {
    "no fc": {n: t for n, t in state().items() if not n.startswith("fc")},
    "numbered children": {
        n.replace("conv1", "0", n.startswith("conv1")).replace("bn1", "1", n.startswith("bn1")).replace("layer", ""): t
        for n, t in state().items()
        if n.startswith(("conv1", "bn1"))
    },
    "two layers": state(fc="fc.0") | {"fc.2.weight": torch.ones(4, 5), "fc.2.bias": torch.ones(4)},
}
HEADLESS["numbered children"] |= {f"{int(n[5]) + 3}{n[6:]}": t for n, t in state().items() if n.startswith("layer")}


@pytest.mark.parametrize("content", HEADLESS.values(), ids=HEADLESS)
def test_features_are_enough_for_everything_but_row_reuse(content, tmp_path):
    source = read(content, tmp_path)
    assert source.architecture.classes == 0 and source.classes is None
    assert source.tensors.keys() == {name for name in TENSORS if name.startswith("features.")}
    assert all(np.array_equal(tensor, TENSORS[name]) for name, tensor in source.tensors.items())
    assert any("no output layer" in note for note in source.notes)
    with pytest.raises(UserError, match="no output layer"):
        source.row(3)


def test_names_of_transformers_are_understood(tmp_path):
    layers = layers_of("transformers")
    theirs = {}
    for name, tensor in TENSORS.items():
        layer, _, leaf = name.rpartition(".")
        theirs[("" if layer == "output" else "resnet.") + f"{layers[layer]}.{leaf}"] = torch.from_numpy(tensor)
    assert "resnet.encoder.stages.1.layers.0.shortcut.normalization.running_var" in theirs
    assert is_whole(read(theirs, tmp_path))


def test_counters_are_left_out_in_every_format(tmp_path):
    assert is_whole(read(state(), tmp_path, ".safetensors", save_file))
    assert is_whole(read(state("model."), tmp_path, ".safetensors", save_file))
    np.savez(tmp_path / "net.npz", **{name: tensor.numpy() for name, tensor in state().items()})
    assert is_whole(load_source(str(tmp_path / "net.npz")))


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16, torch.float64))
@pytest.mark.parametrize(
    "ending, save", ((".pth", torch.save), (".safetensors", save_file)), ids=("pth", "safetensors")
)
def test_other_float_types_become_float32_and_that_is_said(dtype, ending, save, tmp_path):
    converted = {n: t.to(dtype) if t.is_floating_point() else t for n, t in state().items()}
    source = read(converted, tmp_path, ending, save)
    for name, tensor in source.tensors.items():
        expected = converted[torchvision_from_canonical(name)].float().numpy()
        assert tensor.dtype == np.float32 and np.array_equal(tensor, expected)
    assert source.notes == (f"102 of 102 tensors were {str(dtype)[6:]}; converted to float32",)


def test_two_networks_in_one_file_are_refused_with_the_candidates(tmp_path):
    other = state(tensors=random_tensors(V1, seed=1))
    both = {f"encoder_q.{n}": t for n, t in state().items()} | {f"encoder_k.{n}": t for n, t in other.items()}
    for content, first, second in (
        ({"model": state(), "ema": other}, "model: conv1.weight", "ema: conv1.weight"),
        ({"state_dict": both}, "encoder_q.conv1.weight", "encoder_k.conv1.weight"),
        ({"teacher": {"net": state()}, "student": {"net": other}}, "teacher.net: ", "student.net: "),
    ):
        text = refusal(content, tmp_path)
        assert first in text and second in text and "torch.save" in text
    # The same network under two names is one network.
    assert is_whole(read({"model": state(), "best": state()}, tmp_path))


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("legacy", (False, True), ids=("zip", "before 1.6"))
def test_code_is_named_and_not_executed(legacy, tmp_path):
    def save(content, file):
        torch.save(content, file, _use_new_zipfile_serialization=not legacy)

    text = refusal({"state_dict": state(), "trap": Trap(tmp_path / "sprung")}, tmp_path, save)
    assert "io.open" in text and "execute code" in text and "torch.save(" in text
    text = refusal(NET, tmp_path, save)
    assert "whole pickled network" in text and "torchvision.models.resnet.ResNet" in text and "state_dict()" in text
    text = refusal({"net": NET, "optimizer": torch.optim.SGD(NET.parameters(), 1)}, tmp_path, save)
    assert "whole pickled network" in text
    text = refusal({"state_dict": state(), "share": fractions.Fraction(1, 3)}, tmp_path, save)
    assert "fractions.Fraction" in text and "whole" not in text
    assert not (tmp_path / "sprung").exists()


def test_a_pickle_protocol_that_torch_does_not_read_safely_is_named(tmp_path):
    text = refusal(state(), tmp_path, lambda content, file: torch.save(content, file, pickle_protocol=4))
    assert "pickle protocol" in text and "without executing code" in text


def test_a_checkpoint_may_contain_itself_and_numpy_arrays(tmp_path):
    checkpoint = {"weights": {name: tensor.numpy() for name, tensor in state("module.").items()}}
    checkpoint["self"] = checkpoint
    assert is_whole(read(checkpoint, tmp_path))


def test_programs_and_other_pickles_are_refused_by_what_they_are(tmp_path):
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
    torch.jit.trace(NET.eval(), torch.zeros(1, 3, 32, 32)).save(str(tmp_path / "trace.pt"))
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"fc.weight": np.ones(3)}))
    for name, what, remedy in (
        ("script.pt", "TorchScript", "torch.jit.load"),
        ("trace.pt", "TorchScript", "torch.jit.load"),
        ("plain.pkl", "a pickle", "could execute code"),
    ):
        with pytest.raises(UserError, match=what) as caught:
            load_source(str(tmp_path / name))
        assert remedy in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name, value, what",
    (
        ("layer1.0.bn1.running_var", -0.5, "negative variances"),
        ("layer3.0.downsample.0.weight", float("nan"), "NaN"),
        ("fc.bias", float("inf"), "infinite"),
        ("conv1.weight", 1e300, "infinite"),
    ),
)
def test_values_that_no_network_can_have_are_refused_by_tensor(name, value, what, tmp_path):
    content = state("module.")
    tensor = content[f"module.{name}"].double()
    tensor.view(-1)[1] = value
    text = refusal(content | {f"module.{name}": tensor}, tmp_path)
    assert f"module.{name} holds {what}" in text and f"1 of {tensor.numel()}" in text


def test_what_does_not_fit_is_named_as_in_the_file(tmp_path):
    content = state("module.")
    del content["module.layer2.1.bn2.bias"]
    assert "module.layer2.1.bn2.bias is missing" in refusal(content, tmp_path)
    content = state("module.") | {"module.layer3.0.conv2.weight": torch.ones(24, 8, 3, 3)}
    assert "module.layer3.0.conv2.weight has shape (24, 8, 3, 3)" in refusal(content, tmp_path)
    content = state("module.") | {"module.layer3.0.attention.weight": torch.ones(3)}
    assert "module.layer3.0.attention.weight is not one" in refusal(content, tmp_path)
    quantised = state() | {"layer1.0.conv1.weight": torch.ones(8, 8, 3, 3, dtype=torch.int8)}
    assert "layer1.0.conv1.weight is int8" in refusal(quantised, tmp_path)
    sparse = state() | {"fc.weight": torch.ones(5, 32).to_sparse()}
    assert "fc.weight is float32 and sparse_coo" in refusal(sparse, tmp_path)
    assert "module.conv1.weight" in refusal(
        {n: t for n, t in state("module.").items() if n != "module.conv1.weight"}, tmp_path
    )


def test_names_from_a_file_cannot_write_on_the_terminal(tmp_path):
    text = refusal(state() | {"layer1.0.\x1b[31mred\nline.weight": torch.ones(2)}, tmp_path)
    assert "layer1.0." in text


def _tar(path):
    with tarfile.open(path, "w") as archive:
        data = b"x" * 100
        member = tarfile.TarInfo("resnet18.pth")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))


FILES = {
    "empty.pth": (b"", "empty"),
    "page.params": (b"<!DOCTYPE html>\n<html>Not found</html>", "web page"),
    "error.params": (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "web page"),
    "pointer.safetensors": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 46\n", "git lfs pull"),
    "model.safetensors.index.json": (b'{"weight_map": {}}', "index of weights"),
    "weights.h5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras"),
    "weights.pth.gz": (b"\x1f\x8b\x08\0" + bytes(100), "unpack"),
    "half.pth": (b"PK\x03\x04" + bytes(100), "cut short"),
    "noise.pth": (b"not tensors at all", "no kind of file known here"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_something_else_are_refused_by_what_they_are(name, tmp_path):
    content, what = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=what) as caught:
        load_source(str(tmp_path / name))
    assert "cannot read" in str(caught.value) and str(caught.value).isprintable()


def test_archives_and_folders_say_what_to_give_instead(tmp_path):
    _tar(tmp_path / "weights.tar")
    with pytest.raises(UserError, match="unpack it"):
        load_source(str(tmp_path / "weights.tar"))
    save_file(state(), tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="is a folder.*model.safetensors"):
        load_source(str(tmp_path))


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path):
    torch.save(state(), tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    torch.save(state(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    old = (tmp_path / "old.pth").read_bytes()
    save_file(state(), tmp_path / "whole.safetensors")
    safe = (tmp_path / "whole.safetensors").read_bytes()
    for content in (whole[: len(whole) // 2], old[: len(old) // 2], safe[: len(safe) // 2], old[:40], safe[:40]):
        (tmp_path / "cut").write_bytes(content)
        with pytest.raises(UserError, match="cannot read") as caught:
            load_source(str(tmp_path / "cut"))
        assert str(caught.value).isprintable()


def test_class_labels_are_read_from_metadata_or_beside_the_file(tmp_path):
    labels = ["a", "b", "c", "d", "e"]
    save_file(state(), tmp_path / "net.safetensors", {"classes": json.dumps(labels)})
    assert load_source(str(tmp_path / "net.safetensors")).classes == tuple(labels)
    torch.save(state(), tmp_path / "net.pth")
    assert load_source(str(tmp_path / "net.pth")).classes is None
    (tmp_path / "net.classes.json").write_text(json.dumps(labels))
    assert load_source(str(tmp_path / "net.pth")).classes == tuple(labels)
    for wrong in ("{", '{"a": 1}', "[1, 2]"):
        (tmp_path / "net.classes.json").write_text(wrong)
        with pytest.raises(UserError, match="class labels"):
            load_source(str(tmp_path / "net.pth"))
