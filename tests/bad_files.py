"""The folder that bad_inputs.py is tried in: good images, a good network, good runs, and all that can be wrong with each.

pictures/               12 + 8 images in the classes hotdog and not-hotdog
thin.safetensors        a thin resnet18_v2 with five labelled classes
runs/good-torch, …      finished runs of both frameworks on these images, with weights and probabilities
records/KIND/run.json   damaged records                 weights/KIND.*   damaged source networks
used/KIND/              runs with damaged weights       tested/KIND/     pairs of runs, one with damaged probabilities
images/KIND.png         damaged images                  sets/KIND/       folders and lists of images that cannot be used
odd/                    pipes, sockets, devices, loops
"""

import json
import os
import pickle
import shutil
import socket
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from helpers import THIN, random_tensors, write_images
from PIL import Image
from safetensors.numpy import save, save_file

from shared.experiments import experiment
from shared.images.folders import load_dataset
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source

COUNTS = {(s, c): n for s, n in (("train", 6), ("test", 4)) for c in ("hotdog", "not-hotdog")}


def make(folder: Path):
    """Fill `folder`, which is the working directory, with all of it."""
    write_images(folder / "pictures", COUNTS)
    (folder / "plain").write_text("text\n")
    tensors = random_tensors(Architecture(2, channels=THIN, classes=5))
    labels = {"classes": '["apple", "hotdog", "mug", "photocopier", "pizza"]'}
    save_file(tensors, folder / "thin.safetensors", labels)
    save_file(tensors, folder / "unlabelled.safetensors")
    good_runs(folder)
    odd_files(folder / "odd")
    damaged_records(folder)
    damaged_weights(folder / "weights", tensors)
    damaged_runs(folder)
    damaged_images(folder / "images", folder / "pictures" / "test" / "hotdog" / "000.png")
    damaged_sets(folder / "sets", folder / "pictures")


def good_runs(folder):
    """Finished runs as both frameworks leave them, without training anything."""
    dataset, source = load_dataset("pictures"), load_source("thin.safetensors")
    epochs = [
        {"epoch": i, "train_loss": None, "train_accuracy": None, "seconds": None, "images_per_second": None}
        | {"test_accuracy": 0.5}
        for i in range(2)
    ]
    epochs[1] |= {"train_loss": 0.7, "train_accuracy": 0.5, "seconds": 1.0, "images_per_second": 12.0}
    for framework in ("gluon", "torch"):
        record = {
            "experiment": experiment("finetune", size=32, num_epochs=1).as_dict(),
            "framework": framework,
            "seed": 0,
            "dataset": {
                "name": "pictures",
                "classes": list(dataset.classes),
                "train": len(dataset.train),
                "test": len(dataset.test),
                "tested_on": "test",
                "fingerprint": dataset.fingerprint,
            },
            "source": {
                "name": source.name,
                "architecture": source.architecture.name,
                "fingerprint": source.fingerprint,
                "row": None,
                "row_label": None,
            },
            "device": {"used": "cpu", "why": "it is there", "gpu": None, "cpu": "a processor", "cores": 2},
            "versions": {"python": "3.11"},
            "memory": {},
            "status": "finished",
            "started": "2026-11-21T08:47:24+00:00",
            "finished": "2026-11-21T08:47:31+00:00",
            "error": None,
            "draws": "shared",
            "epochs": epochs,
        }
        run = folder / "runs" / f"good-{framework}"
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps(record))
        lines = ["image,class,hotdog,not-hotdog"]
        lines += [f"{name},{name.split('/')[0]},0.600000,0.400000" for name in dataset.test.names]
        (run / "test_probabilities.csv").write_text("\n".join(lines) + "\n")
        save_file(random_tensors(Architecture(2, channels=THIN, classes=2)), run / "weights.safetensors")


def odd_files(folder):
    """What is no regular file, under names that the command reads by their endings."""
    folder.mkdir()
    for ending in ("png", "pth", "params", "safetensors", "csv"):
        os.mkfifo(folder / f"pipe.{ending}")
        (folder / f"folder.{ending}").mkdir()
        (folder / f"zero.{ending}").symlink_to("/dev/zero")
        (folder / f"null.{ending}").symlink_to("/dev/null")
        (folder / f"loop.{ending}").symlink_to(f"loop.{ending}")
        (folder / f"dangling.{ending}").symlink_to("nowhere")
        (folder / f"empty.{ending}").touch()
    here = os.getcwd()
    os.chdir(folder)  # a socket's path may have 107 bytes
    for ending in ("png", "safetensors"):
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"socket.{ending}")
    os.chdir(here)


def damaged_records(folder):
    """Twenty ways in which a record can be wrong: records/KIND holds one of them beside a good run."""
    good = json.loads((folder / "runs" / "good-torch" / "run.json").read_text())
    texts = {
        "empty": "",
        "cut": json.dumps(good)[:200],
        "null": "null",
        "list": "[]",
        "deep": "[" * 100_000,
        "nan": json.dumps(good | {"seed": float("nan")}),
        "infinite": json.dumps(good).replace("0.01", "1e999"),
        "zeros": "\0" * 100,
        "surrogate": json.dumps(good | {"started": "\ud800"}),
        "digits": json.dumps(good).replace('"seed": 0', '"seed": ' + "9" * 5000),
    }
    changes = {
        "no-epochs": {"epochs": []},
        "no-dataset": {"dataset": None},
        "size-text": {"experiment": good["experiment"] | {"size": "64"}},
        "size-huge": {"experiment": good["experiment"] | {"size": 10**30}},
        "epochs-huge": {"experiment": good["experiment"] | {"num_epochs": 10**9}},
        "foreign-framework": {"framework": "os"},
        "framework-path": {"framework": "../../tmp/x"},
        "accuracy": {"epochs": [good["epochs"][0] | {"test_accuracy": 1e308}, good["epochs"][1]]},
        "one-class": {"dataset": good["dataset"] | {"classes": ["hotdog"]}},
        "seed-negative": {"seed": -1},
        "status": {"status": "excellent"},
        "row-text": {"source": good["source"] | {"row": "934"}},
        "device-list": {"device": []},
    }
    texts |= {kind: json.dumps(good | change) for kind, change in changes.items()}
    for kind, text in texts.items():
        beside = folder / "records" / kind
        shutil.copytree(folder / "runs" / "good-torch", beside / "bad")
        (beside / "bad" / "run.json").write_text(text)
    for kind in ("pipe", "folder", "binary"):
        (folder / "records" / kind / "bad").mkdir(parents=True)
    os.mkfifo(folder / "records" / "pipe" / "bad" / "run.json")
    (folder / "records" / "folder" / "bad" / "run.json").mkdir()
    (folder / "records" / "binary" / "bad" / "run.json").write_bytes(os.urandom(1000))
    for kind in (folder / "records").iterdir():
        shutil.copytree(folder / "runs" / "good-gluon", kind / "good")


def damaged_weights(folder, tensors):
    """Twenty source networks that cannot be used."""
    folder.mkdir()
    whole = save(tensors)
    length = struct.unpack("<Q", whole[:8])[0]

    def changed(name, value):
        return {**tensors, name: value}

    poor = {
        "nan": changed("output.bias", tensors["output.bias"] * np.nan),
        "infinite": changed("output.weight", tensors["output.weight"] / 0),
        "variance": changed("features.layer1.0.bn1.running_var", -tensors["features.layer1.0.bn1.running_var"]),
        "missing": {n: t for n, t in tensors.items() if n != "features.layer2.0.bn1.weight"},
        "extra": changed("features.layer9.weight", tensors["output.bias"]),
        "shape": changed("output.bias", tensors["output.bias"][:-1]),
        "integers": {n: t.astype("int32") for n, t in tensors.items()},
        "renamed": {f"tensor {i}": t for i, t in enumerate(tensors.values())},
        "empty-tensor": changed("output.bias", np.zeros(0, "float32")),
        "none": {},
        "bn0": changed("features.bn0.weight", tensors["features.bn0.weight"] * 2),
    }
    for kind, arrays in poor.items():
        save_file(arrays, folder / f"{kind}.safetensors")
    save_file(tensors, folder / "labels.safetensors", {"classes": '["only one"]'})
    save_file(tensors, folder / "labels-text.safetensors", {"classes": "no json"})
    save_file(tensors, folder / "labels-numbers.safetensors", {"classes": "[1, 2, 3, 4, 5]"})
    raw = {
        "cut.safetensors": whole[: len(whole) // 2],
        "header.safetensors": struct.pack("<Q", 1 << 60) + whole[8:],
        "no-json.safetensors": whole[:8] + b"x" * length + whole[8 + length :],
        "text.safetensors": b"these are no weights\n",
        "text.pth": b"these are no weights\n",
        "text.params": b"these are no weights\n",
        "cut.params": struct.pack("<QQQ", 0x112, 0, 1 << 40),
        "pickle.pth": pickle.dumps(_Harmful()),
        "list.pth": pickle.dumps([1, 2, 3]),
        "no-network.xyz": b"nothing of that kind",
    }
    for name, content in raw.items():
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(folder / "harmful.pth", "w") as file:  # as torch.save writes it
        file.writestr("archive/data.pkl", pickle.dumps(_Harmful(), protocol=2))
        file.writestr("archive/version", "3\n")


class _Harmful:
    """Unpickled as it is, this leaves a file behind."""

    def __reduce__(self):
        return (os.system, ("touch executed",))


def damaged_runs(folder):
    """Finished runs whose weights (used/) or probabilities (tested/) are damaged."""
    good = folder / "runs" / "good-torch"
    whole = (good / "weights.safetensors").read_bytes()
    tensors = random_tensors(Architecture(2, channels=THIN, classes=2))
    weights = {
        "cut": whole[:1000],
        "text": b"no weights",
        "empty": b"",
        "nan": save({n: t * np.float32(np.nan) for n, t in tensors.items()}),
        "other-classes": save(random_tensors(Architecture(2, channels=THIN, classes=3))),
        "other-network": save({"output.weight": tensors["output.weight"]}),
    }
    for kind, content in weights.items():
        shutil.copytree(good, folder / "used" / kind)
        (folder / "used" / kind / "weights.safetensors").write_bytes(content)
    for kind in ("missing", "pipe", "folder"):
        shutil.copytree(good, folder / "used" / kind, ignore=shutil.ignore_patterns("*.safetensors"))
    os.mkfifo(folder / "used" / "pipe" / "weights.safetensors")
    (folder / "used" / "folder" / "weights.safetensors").mkdir()

    text = (good / "test_probabilities.csv").read_text()
    lines = text.splitlines()
    tables = {
        "empty": "",
        "head-only": lines[0] + "\n",
        "short": "\n".join(lines[:-1]) + "\n",
        "word": text.replace("0.600000", "much", 1),
        "nan": text.replace("0.600000", "nan", 1),
        "above-one": text.replace("0.600000", "6.000000", 1),
        "class": text.replace(",hotdog,0.6", ",burger,0.6", 1),
        "columns": text.replace("not-hotdog\n", "bun\n", 1),
        "zeros": "\0" * 100,
        "quote": text.replace("hotdog/000.png", '"hotdog/000.png', 1),
    }
    for kind, content in tables.items():
        for framework in ("gluon", "torch"):
            shutil.copytree(folder / "runs" / f"good-{framework}", folder / "tested" / kind / framework)
        (folder / "tested" / kind / "torch" / "test_probabilities.csv").write_text(content)


def _png(width, height, rows=b""):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def damaged_images(folder, good):
    """Images that cannot be read, or that the two frameworks would read each in its own way."""
    folder.mkdir()
    whole = good.read_bytes()
    Image.open(good).save(folder / "whole.jpg")
    jpeg = (folder / "whole.jpg").read_bytes()
    raw = {
        "empty.png": b"",
        "text.png": b"no image\n",
        "cut.png": whole[: len(whole) // 2],
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "head.jpg": jpeg[:20],
        "bits.png": whole[:60] + bytes(b ^ 0xFF for b in whole[60:120]) + whole[120:],
        "bomb.png": _png(60_000, 60_000),
        "none.png": _png(0, 0),
        "dot.png": _png(1, 1, b"\0\0\0\0"),
        "html.jpg": b"<!DOCTYPE html><title>404</title>",
        "picture.txt": whole,
    }
    for name, content in raw.items():
        (folder / name).write_bytes(content)
    Image.new("I;16", (40, 40)).save(folder / "sixteen.png")
    Image.new("RGB", (40, 40)).save(folder / "gif.png", "GIF")
    Image.new("RGB", (40, 40)).save(folder / "webp.jpg", "WEBP")


def damaged_sets(folder, pictures):
    """Folders and lists of images that cannot be used: their spelling, too."""

    def copy(name):
        shutil.copytree(pictures, folder / name, symlinks=True)
        return folder / name

    (folder / "empty").mkdir(parents=True)
    shutil.rmtree(copy("no-train") / "train")
    shutil.rmtree(copy("one-class") / "train" / "hotdog")
    (copy("other-classes") / "test" / "hotdog").rename(folder / "other-classes" / "test" / "burger")
    shutil.rmtree(copy("no-images") / "train" / "hotdog")
    (folder / "no-images" / "train" / "hotdog").mkdir()
    os.mkfifo(copy("pipe") / "train" / "hotdog" / "z.jpg")
    (copy("device") / "train" / "hotdog" / "z.jpg").symlink_to("/dev/zero")
    (copy("dangling") / "train" / "hotdog" / "z.jpg").symlink_to("nowhere")
    (copy("loop") / "train" / "hotdog" / "z.jpg").symlink_to("z.jpg")
    (copy("text") / "train" / "hotdog" / "z.jpg").write_text("no image")
    (copy("folder") / "train" / "hotdog" / "z.jpg").mkdir()
    (copy("escape") / "train" / "hotdog" / "\x1b[31mred\n.jpg").write_text("no image")
    (copy("markup") / "train" / "hotdog" / "[red]x[bold].jpg").write_text("no image")
    (copy("[red]set[") / "train" / "hotdog" / "z.jpg").write_text("no image")
    (copy("two\nlines") / "train" / "hotdog" / "z.jpg").write_text("no image")
    (copy("turned\u202e") / "train" / "hotdog" / "z.jpg").write_text("no image")
    lists = {
        "empty.csv": "",
        "head.csv": "file,class\n",
        "missing.csv": "file,class\nnowhere.png,hotdog\n",
        "columns.csv": "a.png,b,c,d\n",
        "one-class.csv": f"file,class\n{pictures}/train/hotdog/000.png,hotdog\n",
        "binary.csv": "\0\0\0",
        "quote.csv": 'file,class\n"a.png,hotdog\n',
    }
    for name, text in lists.items():
        (folder / name).write_text(text)
