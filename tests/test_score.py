"""`hotdog score`: which sources are ranked, by what, on which images, and that both frameworks say the same."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from helpers import THIN, hotdog, random_tensors, write_images
from safetensors.numpy import save_file

import gluon_impl  # noqa: F401 (before MXNet)
import torch_impl.data
import torch_impl.nets
import torch_impl.training
from shared.errors import UserError
from shared.images.folders import load_training_images
from shared.networks.architecture import Architecture
from shared.networks.reading import load_source
from shared.networks.transferability import leep, logme
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.scoring import Score, measure_sources, ranked, score_table, verdict

SETTINGS = {"size": 32, "batch_size": 5, "device": "cpu"}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A folder of 30 + 2 images in three classes, and sources: v2 with 5 classes, v1 with 40, v1 without an output layer."""
    folder = tmp_path_factory.mktemp("score")
    counts = {("train", name): 10 for name in ("blue", "hotdog", "red")} | {("test", "hotdog"): 1, ("test", "red"): 1}
    write_images(folder / "pictures", counts | {("test", "blue"): 1})
    for name, version, classes in (("two", 2, 5), ("one", 1, 40)):
        save_file(random_tensors(Architecture(version, channels=THIN, classes=classes)), folder / f"{name}.safetensors")
    tensors = random_tensors(Architecture(1, channels=THIN, classes=5), seed=3)
    headless = {name: t for name, t in tensors.items() if not name.startswith("output.")}
    save_file(headless, folder / "headless.safetensors")
    return folder


def measured(folder, tmp_path, frameworks=FRAMEWORKS, data="pictures"):
    _, classes, split = load_training_images(str(folder / data))
    specs = [str(folder / f"{name}.safetensors") for name in ("two", "one", "headless")]
    for framework in frameworks:
        measure_sources(framework, specs, split, len(classes), SETTINGS, tmp_path / f"{framework}.json")
    return {f: json.loads((tmp_path / f"{f}.json").read_text(encoding="utf-8")) for f in frameworks}


def test_both_frameworks_give_the_same_scores(material, tmp_path):
    scores = ranked(measured(material, tmp_path))
    assert len(scores) == 3 and [one.logme["gluon"] for one in scores] == sorted(
        (s.logme["gluon"] for s in scores), reverse=True
    )
    for one in scores:
        assert one.logme["gluon"] == pytest.approx(one.logme["torch"], abs=2e-5)
        assert (
            one.leep["torch"] is None
            if one.classes == 0
            else one.leep["gluon"] == pytest.approx(one.leep["torch"], abs=2e-5)
        )
    assert {one.classes for one in scores} == {0, 5, 40}
    # the sources differ by more than the frameworks, or agreement would say nothing
    assert np.ptp([one.logme["gluon"] for one in scores]) > 1e-3


def test_the_scores_are_those_of_the_networks_own_outputs(material, tmp_path):
    spec = str(material / "one.safetensors")
    found = measured(material, tmp_path, ["torch"])["torch"][spec]
    net, source = torch_impl.nets.pretrained_net(load_source(spec)), load_source(spec)
    _, _, split = load_training_images(str(material / "pictures"))
    device, _ = torch_impl.training.choose_device("cpu")
    batches = [*torch_impl.data.test_iter(split, 32, 7)]
    p, labels = torch_impl.training.predict_probabilities(net, batches, device)
    features, _ = torch_impl.training.predict_features(net, batches, device)
    # the implementations resize a little differently from Pillow
    assert found["leep"] == pytest.approx(leep(p.astype(float), labels), abs=0.05)
    assert found["logme"] == pytest.approx(logme(features, labels), abs=0.05)
    assert found["classes"] == source.architecture.classes == 40 and len(labels) == 30


def test_images_are_the_training_ones_of_a_dataset_or_all_of_a_folder_or_list(material, tmp_path):
    name, classes, split = load_training_images(str(material / "pictures"))
    assert (name, classes, len(split)) == ("pictures", ("blue", "hotdog", "red"), 30)
    assert load_training_images(str(material / "pictures" / "train"))[2].names == split.names
    listed = tmp_path / "list.csv"
    listed.write_text(
        "".join(f"{split.folder / file},{classes[y]}\n" for file, y in zip(split.names, split.labels, strict=True))
    )
    assert load_training_images(str(listed))[2].labels == split.labels
    assert len(load_training_images(str(material / "pictures"), limit=6)[2]) == 6
    for wrong, says in ((0, "at least 1"), (2, "has 3 classes")):
        with pytest.raises(UserError, match=says):
            load_training_images(str(material / "pictures"), limit=wrong)
    only_test = tmp_path / "only"
    write_images(only_test, {("test", name): 1 for name in ("a", "b")})
    with pytest.raises(UserError, match=r"no train/ folder.*give .*test"):
        load_training_images(str(only_test))


def scored(source, logme, leep, classes=10):
    return Score(source, "net", classes, 64, dict.fromkeys(FRAMEWORKS, leep), dict.fromkeys(FRAMEWORKS, logme))


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ([scored("a", -0.1, -0.2)], []),
        ([scored("a", -0.1, -0.2), scored("b", -0.3, -0.4)], ["a comes first by both scores."]),
        ([scored("a", -0.1, -0.4), scored("b", -0.3, -0.2)],
         ["a comes first by LogME, b by LEEP: train with both before choosing."]),
        ([scored("a", -0.1, None, 0), scored("b", -0.3, -0.2)], ["a comes first by LogME."]),
        ([scored("a", -0.1, None, 0), scored("b", -0.3, None, 0)], ["a comes first by LogME."]),
    ],
)  # fmt: skip
def test_the_verdict_names_the_first_and_a_disagreement(scores, says):
    assert verdict(scores, images=100) == says


def test_leep_is_not_trusted_with_more_classes_than_images():
    scores = [scored("a", -0.1, -0.1, classes=1000), scored("b", -0.3, -0.2)]
    assert verdict(scores, 999)[-1].endswith("to itself: a (1000).")
    assert len(verdict(scores, 1000)) == 1
    assert len(verdict(scores[:1], 20)) == 1


def test_the_table_has_a_dash_where_nothing_can_be_said():
    header, rows = score_table([scored("a", -0.12345, None, 0), scored("b", -0.3, -0.2)])
    assert header[-4:] == ["LogME Gluon", "LogME PyTorch", "LEEP Gluon", "LEEP PyTorch"]
    assert rows[0] == ["a", "net", "–", "64", "-0.1235", "-0.1235", "–", "–"] or rows[0][4] == "-0.1234"
    one = [replace(scored("a", -0.1, -0.2), logme={"torch": -0.1}, leep={"torch": -0.2})]
    assert score_table(one)[0][-2:] == ["LogME PyTorch", "LEEP PyTorch"]


def test_the_command_ranks_several_sources_in_both_frameworks(material, tmp_path):
    sources = [f"{name}.safetensors" for name in ("two", "one", "two")]  # one of them twice
    options = [part for source in sources for part in ("--source", source)]
    done = hotdog("score", "--data", "pictures", *options, "--size", "32", "--batch-size", "7", cwd=material)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    rows = [line.split("│")[1:-1] for line in done.stdout.splitlines() if line.startswith("│")]
    assert sorted(row[0].strip() for row in rows) == ["one.safetensors", "two.safetensors"]
    for row in rows:
        cells = [cell.strip() for cell in row]
        assert cells[4:6] == [cells[4]] * 2 and cells[6:8] == [cells[6]] * 2  # to the four digits that are shown
    assert re.search(r"30 images of pictures, 3 classes", done.stdout)
    assert "LEEP flatters" in done.stdout and "one.safetensors (40)" in done.stdout
