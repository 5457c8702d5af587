"""`hotdog app` without a browser: which runs it offers, what its processes answer, whom its server answers, what it leaves."""

import io
import os
import signal
import threading

import numpy as np
import pytest
from PIL import Image
from test_command_use import make_runs

from shared.errors import FailedRun, UserError
from shared.images.mini.drawings import drawing
from shared.networks.reading import load_source
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.opened import open_run
from shared.runs.record import read_run
from shared.webapp.choice import named, newest, sources_of
from shared.webapp.networks import Networks, stage_for
from shared.webapp.shown import answer_page


def photograph(name="hotdog", kind="JPEG"):
    content = io.BytesIO()
    drawing("target", "test", name, 0).save(content, kind)
    return content.getvalue()


@pytest.fixture
def runs(images, thin_file, tmp_path):
    return make_runs(images, thin_file, tmp_path / "runs")


# --- which runs ---


def test_a_run_comes_with_its_twin_and_without_one_stands_for_both(runs, images, thin_file, tmp_path):
    (choice,) = named([runs["torch"].folder])
    assert {f: run.folder.name for f, run in choice.runs.items()} == {f: runs[f].folder.name for f in FRAMEWORKS}
    assert len(named([runs["torch"].folder, runs["gluon"].folder])) == 1
    alone = make_runs(images, thin_file, tmp_path / "alone", ["torch"])["torch"]
    (choice,) = named([alone.folder])
    assert choice.runs == {"gluon": alone, "torch": alone} and choice.name.endswith("(PyTorch only)")


def test_the_newest_pair_is_taken_and_unfinished_ones_are_not(runs, images, thin_file, tmp_path):
    assert newest(tmp_path / "nowhere") == []
    make_runs(images, thin_file, tmp_path / "runs" / "later", ["gluon"])  # newer, but alone
    (choice,) = newest(tmp_path / "runs")
    assert choice.runs["gluon"].folder.name == runs["gluon"].folder.name
    (runs["torch"].folder / "weights.safetensors").unlink()
    alone = newest(tmp_path / "runs")
    assert [one.runs["torch"].folder.parent.name for one in alone] == ["later"]
    with pytest.raises(UserError, match="only a finished run"):
        named([runs["torch"].folder])


def test_the_best_of_the_newest_comes_first(runs, tmp_path):
    for name, accuracy in (("better", 0.9), ("worse", 0.1)):
        for run in runs.values():
            folder = tmp_path / "runs" / f"{name}-{run.framework}"
            folder.mkdir()
            changed = read_run(run.folder)
            changed.folder, changed.seed = folder, {"better": 1, "worse": 2}[name]
            changed.epochs[-1]["test_accuracy"] = accuracy
            changed.save()
            (folder / "weights.safetensors").write_bytes((run.folder / "weights.safetensors").read_bytes())
    found = newest(tmp_path / "runs")
    assert [one.run.seed for one in found][::2] == [1, 2] and len(found) == 3


def test_a_source_network_counts_only_with_the_recorded_fingerprint(runs, thin_file):
    choices = named([runs["gluon"].folder])
    assert sources_of(choices) == {}  # a file whose place nobody knows
    (found,) = sources_of(choices, str(thin_file)).items()
    assert found[0] == runs["gluon"].source["fingerprint"] == found[1].fingerprint and found[1].classes[1] == "hotdog"
    with pytest.raises(UserError, match="not the network that"):
        sources_of(choices, "mini")
    choices[0].run.source["name"] = "mini"
    assert sources_of(choices) == {}
    choices[0].run.source["fingerprint"] = load_source("mini").fingerprint
    assert len(sources_of(choices)) == 1


@pytest.mark.parametrize(("name", "variable", "place"), [
    ("imagenet", "MXNET_HOME", "models/resnet18_v2-a81db45f.params"),
    ("torchvision", "TORCH_HOME", "hub/checkpoints/resnet18-f37072fd.pth"),
])  # fmt: skip
def test_what_libraries_have_downloaded_is_found_and_nothing_is_downloaded(
    name, variable, place, runs, thin_file, tmp_path, monkeypatch
):
    monkeypatch.setenv(variable, str(tmp_path / "library"))
    (choice,) = named([runs["gluon"].folder])
    choice.run.source["name"] = name
    assert sources_of([choice]) == {}
    (tmp_path / "library" / place).parent.mkdir(parents=True)
    (tmp_path / "library" / place).write_bytes(thin_file.read_bytes())  # the format is told by content
    assert list(sources_of([choice])) == [choice.run.source["fingerprint"]]
    (tmp_path / "library" / place).write_bytes(b"damaged")
    assert sources_of([choice]) == {}


# --- what the processes answer ---


@pytest.fixture(scope="module")
def networks():
    with Networks() as networks:
        yield networks


def test_answers_are_those_of_the_runs_and_one_run_is_opened_in_both(networks, runs, thin_file, tmp_path):
    file = tmp_path / "picture.jpg"
    file.write_bytes(photograph())
    both = networks.ask({f: runs["torch"] for f in FRAMEWORKS}, file.read_bytes())
    np.testing.assert_allclose(both["gluon"].probabilities, both["torch"].probabilities, atol=1e-5)
    # The frameworks decode and resize a level of 255 apart; measured: 1.6 % of the highest value of this random network's map.
    np.testing.assert_allclose(both["gluon"].heat, both["torch"].heat, atol=0.05 * both["gluon"].heat.max())
    assert both["gluon"].source == []  # nobody has shown it yet
    sources = sources_of(named([runs["gluon"].folder]), str(thin_file))
    answers = networks.ask(runs, file.read_bytes(), sources)
    for framework, answer in answers.items():
        wanted = open_run(runs[framework].folder).probabilities([file])[0]
        np.testing.assert_allclose(answer.probabilities, wanted, atol=1e-6)
        assert answer.explained == wanted.argmax() and answer.heat.shape == (8, 8) and answer.heat.min() >= 0
        assert len(answer.source) == 3 and answer.source[0][1] >= answer.source[1][1]
        assert 0 < answer.predicting < 60 and 0 < answer.mapping < 60


def test_a_process_that_was_killed_is_said_and_started_anew(networks, runs):
    networks.ask(runs, photograph())
    os.kill(networks._workers["torch"].process.pid, signal.SIGKILL)
    networks._workers["torch"].process.join()
    assert set(networks.ask(runs, photograph())) == set(FRAMEWORKS)
    os.kill(networks._workers["gluon"].process.pid, signal.SIGSTOP)
    worker = networks._workers["gluon"].process
    threading.Timer(0.5, worker.kill).start()
    with pytest.raises(FailedRun, match="Gluon was ended by signal 9"):
        networks.ask(runs, photograph())
    assert set(networks.ask(runs, photograph())) == set(FRAMEWORKS)


def test_a_damaged_run_is_refused_in_its_line_and_others_go_on(networks, runs, images, thin_file, tmp_path):
    broken = make_runs(images, thin_file, tmp_path / "broken", ["torch"])["torch"]
    (broken.folder / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot read .*weights.safetensors"):
        networks.ask({f: broken for f in FRAMEWORKS}, photograph())
    assert set(networks.ask(runs, photograph())) == set(FRAMEWORKS)


def test_maps_have_as_many_places_as_a_resnet_has_at_224_pixels():
    assert [stage_for(size) for size in (16, 32, 64, 96, 112, 128, 224, 448)] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_what_is_shown_is_text_and_pictures_and_no_markup_of_others(networks, runs):
    for run in runs.values():
        run.dataset["classes"] = ["<script>alert(1)</script>", "b\x1b[31m"]
    turned = Image.Exif()
    turned[0x0112] = 6
    content = io.BytesIO()
    Image.new("RGB", (80, 60), (200, 90, 20)).save(content, "JPEG", exif=turned)
    (choice,) = named([runs["torch"].folder])
    choice.runs.update(runs)
    page = answer_page(choice, content.getvalue(), networks.ask(runs, content.getvalue()))
    assert "<script" not in page and "&lt;script&gt;" in page and "\x1b" not in page
    assert page.count("data:image/jpeg;base64,") == 2 and "asks to be turned" in page
