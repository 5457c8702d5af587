"""What is measured of a trained network at the end of its run: on spoiled images, as it is and adapted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import random_source, write_images

from shared.exercises import bench, spoiled
from shared.experiments import experiment
from shared.images.corruptions import corrupted
from shared.images.folders import load_dataset
from shared.images.views import normalised
from shared.networks.architecture import Architecture
from shared.runs.execute import execute
from shared.runs.frameworks import FRAMEWORKS, implementation, target_net
from shared.runs.job import Job
from shared.runs.record import read_run


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """20 + 21 images in two classes, and a thin source network."""
    folder = tmp_path_factory.mktemp("spoiled") / "pictures"
    counts = {(split, name): 10 for split in ("train", "test") for name in ("hotdog", "mug")} | {("test", "hotdog"): 11}
    write_images(folder, counts)
    return load_dataset(str(folder)), random_source(Architecture(2, (1, 1, 1, 1), (8, 8, 16, 24, 32), classes=5))


def executed(framework, material, out):
    """A run of one epoch, measured at its end; and the tensors that it ended with."""
    dataset, source = material
    one = replace(experiment("finetune", learning_rate=0.01), size=32, batch_size=10, num_epochs=1)
    job = Job(one, framework, 0, str(dataset.train.folder.parent), "", device="cpu", out=out, numbers_only=True)
    kept = {}

    def on_end(run, net, device):
        kept.update(implementation(framework, "nets").get_tensors(net))
        assert read_run(run.folder).status == "running"
        spoiled.measure(run, net, dataset, device)

    return execute(job, dataset, source, on_end=on_end), kept


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_arm_is_what_its_words_say(framework, material, tmp_path):
    dataset, source = material
    run, tensors = executed(framework, material, tmp_path)
    found = spoiled.recorded(run)
    assert {file.name for file in run.folder.iterdir()} == {"run.json", spoiled.FILE}
    data, nets, training = (implementation(framework, part) for part in ("data", "nets", "training"))
    device, _ = training.choose_device("cpu")
    labels = np.array(dataset.test.labels)
    net = target_net(framework, experiment("finetune"), source, dataset)

    def accuracy(name, positions=None):
        """As evaluation predicts the images, or as training does those at `positions`, in one batch."""
        nets.set_tensors(net, tensors)
        X = np.stack([normalised(one, "float32") for one in corrupted(dataset.test, 32, name)])
        if positions is None:
            p, _ = training.predict_probabilities(net, [data.as_batch(X, labels)], device)
            return (p.argmax(axis=1) == labels).mean()
        batch = data.as_batch(X[positions], labels[positions])
        features, _ = training.predict_features(net, [batch], device, training=True)
        logits = features @ tensors["output.weight"].T + tensors["output.bias"]
        return (logits.argmax(axis=1) == labels[positions]).mean()

    for name in found.mixed:
        assert found.mixed[name][spoiled.AS_IT_IS] == pytest.approx(accuracy(name))
    # 21 images in batches of 10 at most are three of seven, in class order
    parts = [accuracy("as they are", range(i, i + 7)) for i in (0, 7, 14)]
    assert found.by_class[spoiled.STATISTICS] == pytest.approx(np.mean(parts))
    assert found.by_class[spoiled.AS_IT_IS] == found.mixed["as they are"][spoiled.AS_IT_IS]


def test_both_frameworks_find_the_same_where_they_are_given_the_same_network(material, tmp_path):
    dataset, source = material
    found = {}
    for framework in FRAMEWORKS:
        run, _ = executed(framework, material, tmp_path / framework)
        nets, training = (implementation(framework, part) for part in ("nets", "training"))
        net = target_net(framework, experiment("finetune"), source, dataset, draws="shared")
        spoiled.measure(run, net, dataset, training.choose_device("cpu")[0])
        found[framework] = spoiled.recorded(run)
    one = 1.01 / len(dataset.test)  # an image on the edge may fall on either side
    for name, arms in found["gluon"].mixed.items():
        assert arms == pytest.approx(found["torch"].mixed[name], abs=one)
    assert found["gluon"].by_class == pytest.approx(found["torch"].by_class, abs=one)


def test_a_record_of_other_settings_or_a_damaged_one_is_none(material, tmp_path, monkeypatch):
    run, _ = executed("torch", material, tmp_path)
    file = run.folder / spoiled.FILE
    text = file.read_text(encoding="utf-8")
    assert spoiled.recorded(run)
    for wrong in ("{", "[]", json.dumps({"settings": spoiled.settings()})):
        file.write_text(wrong, encoding="utf-8")
        assert spoiled.recorded(run) is None
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(spoiled.corruptions, "NOISE", 5)
    assert spoiled.recorded(run) is None
    file.unlink()
    assert bench.MEASURED["spoiled"].recorded(run) is None
