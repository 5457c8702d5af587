"""The embedded default: drawings that repeat, differ and do not leak, and weights that fit the network."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file

from shared.images.mini import drawings
from shared.images.mini.drawings import drawing, source_folder, target_folder, write_source, write_target
from shared.images.mini.render import SOURCE_CLASSES, TARGET_CLASSES, VERSION, draw
from shared.networks.source import MINI_FILE
from shared.runs.pretrain import CHANNELS, LAYERS, _accuracy, pretrain, save

CASES = [(name, "source") for name in SOURCE_CLASSES] + [(name, "target") for name in TARGET_CLASSES]


def pixels(name, style, seed):
    return np.asarray(draw(name, style, np.random.default_rng(seed)))


def digests(folder):
    """The pixels of every picture below a folder, hashed. Returns {relative path: digest}."""
    found = {}
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as picture:
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(picture.tobytes()).hexdigest()
    return found


@pytest.mark.parametrize("name, style", CASES)
def test_a_seed_gives_the_same_picture_and_another_seed_another(name, style):
    first = pixels(name, style, 1)
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    assert np.array_equal(first, pixels(name, style, 1))
    assert not np.array_equal(first, pixels(name, style, 2))
    assert first.std() > 8, "a picture of almost one colour shows nothing"


def test_a_picture_does_not_depend_on_what_was_drawn_before():
    alone = np.asarray(drawing("target", "train", "hotdog", 3))
    for index in range(3):
        drawing("target", "train", "hotdog", index)
    assert np.array_equal(alone, np.asarray(drawing("target", "train", "hotdog", 3)))


def test_size_is_in_pixels():
    assert draw("hotdog", "target", np.random.default_rng(0), size=96).size == (96, 96)


@pytest.mark.parametrize(
    "name, style, said",
    [("no such thing", "source", "no such thing"), ("not-hotdog", "source", "not-hotdog"), ("hotdog", "oil", "oil")],
)
def test_what_cannot_be_drawn_is_named(name, style, said):
    with pytest.raises(ValueError, match=said):
        draw(name, style, np.random.default_rng(0))


def test_the_source_classes():
    assert len(SOURCE_CLASSES) >= 24 and SOURCE_CLASSES == sorted(SOURCE_CLASSES)
    assert {"hotdog", "photocopier"} <= set(SOURCE_CLASSES)


def test_layout_and_counts(tmp_path):
    ticks = []
    write_target(tmp_path / "t", counts=(3, 2), tick=lambda: ticks.append(1))
    write_source(tmp_path / "s", counts=(2, 1))
    names = list(digests(tmp_path / "t"))
    assert names[:3] == ["test/hotdog/0000.png", "test/hotdog/0001.png", "test/not-hotdog/0000.png"]
    assert len(names) == len(ticks) == 10
    assert {p.name for p in (tmp_path / "s/train").iterdir()} == set(SOURCE_CLASSES)
    assert len(digests(tmp_path / "s")) == 3 * len(SOURCE_CLASSES)
    with Image.open(tmp_path / "t" / names[0]) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (64, 64))


def test_the_set_repeats_for_a_seed_and_only_for_it(tmp_path):
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_target(tmp_path / folder, seed=seed, counts=(3, 2))
    a, b, c = (digests(tmp_path / folder) for folder in "abc")
    assert a == b
    assert not set(a.values()) & set(c.values())


def test_no_test_drawing_appears_in_training(tmp_path):
    write_target(tmp_path / "t", counts=(120, 60))
    seen = digests(tmp_path / "t")
    train = {digest for path, digest in seen.items() if path.startswith("train/")}
    test = {digest for path, digest in seen.items() if path.startswith("test/")}
    assert len(train) == 240 and len(test) == 120, "two drawings are the same"
    assert not train & test


def test_an_interrupted_write_leaves_nothing(tmp_path):
    ticks = []

    def interrupt():
        ticks.append(1)
        if len(ticks) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_target(tmp_path / "t", counts=(3, 2), tick=interrupt)
    assert [p.name for p in tmp_path.iterdir()] == [".t.lock"]


def test_a_folder_that_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "t").mkdir()
    with pytest.raises(FileExistsError, match="is there already"):
        write_target(tmp_path / "t")


def test_the_cached_folder_is_drawn_once(tmp_path):
    first = target_folder(tmp_path, counts=(2, 1))
    before = {p: p.stat().st_mtime_ns for p in first.rglob("*.png")}
    assert len(before) == 6
    assert target_folder(tmp_path, counts=(2, 1)) == first
    assert {p: p.stat().st_mtime_ns for p in first.rglob("*.png")} == before


def test_an_empty_folder_and_what_a_stop_left_are_replaced(tmp_path):
    folder = target_folder(tmp_path, counts=(1, 1))
    shutil.rmtree(folder)
    folder.mkdir()
    (tmp_path / f".{folder.name}.partial" / "train" / "burger").mkdir(parents=True)
    assert len(digests(target_folder(tmp_path, counts=(1, 1)))) == 4
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".{folder.name}.lock", folder.name]
    assert not (folder / "train" / "burger").exists()


@pytest.mark.parametrize("processes", [2, 3])
def test_any_number_of_processes_draws_the_same_files(tmp_path, monkeypatch, processes):
    write_target(tmp_path / "one", counts=(7, 3))
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(processes)))
    monkeypatch.setattr(drawings, "DRAWINGS_PER_PROCESS", 5)
    started, ticks = [], []
    popen = subprocess.Popen
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    write_target(tmp_path / "several", counts=(7, 3), tick=lambda: ticks.append(1))
    assert (len(started), len(ticks)) == (processes, 20)
    files = {
        folder: {p.relative_to(tmp_path / folder): p.read_bytes() for p in (tmp_path / folder).rglob("*.png")}
        for folder in ("one", "several")
    }
    assert files["one"] == files["several"] and len(files["one"]) == 20


def test_a_process_that_cannot_write_is_named_and_nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(drawings, "DRAWINGS_PER_PROCESS", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})

    def spoil():  # what is to be drawn last is a folder by then
        for file in tmp_path.glob(".t.partial/test/*"):
            (file / "0000.png").mkdir(exist_ok=True)

    with pytest.raises(OSError, match="Is a directory") as caught:
        write_target(tmp_path / "t", counts=(10, 1), tick=spoil)
    assert str(tmp_path) in caught.value.filename
    assert [p.name for p in tmp_path.iterdir()] == [".t.lock"]


DRAW = """if True:
    import sys
    from shared.images.mini import drawings
    ticks = []
    drawings.target_folder(sys.argv[1], lambda: ticks.append(1), counts=(100, 60))
    print(len(ticks))"""


def draw_in_another_process(cache):
    return subprocess.Popen(
        [sys.executable, "-c", DRAW, str(cache)],
        cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_of_two_processes_one_draws_and_the_other_finds_it(tmp_path):
    both = [draw_in_another_process(tmp_path) for _ in range(2)]
    done = [process.communicate(timeout=200) for process in both]
    assert sorted(out for out, _ in done) == ["0\n", "320\n"], done


@pytest.mark.tried("kill points")
def test_after_a_kill_nothing_goes_on_drawing_and_the_next_one_draws_it_all(tmp_path):
    first = draw_in_another_process(tmp_path)
    partial = tmp_path / f".mini-target-v{VERSION}.partial"
    for _ in range(2000):
        if any(partial.rglob("*.png")):
            break
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (tmp_path / f"mini-target-v{VERSION}").exists()
    time.sleep(1)  # a picture that was begun may be finished
    before = sorted(partial.rglob("*.png"))
    time.sleep(0.5)
    assert 0 < len(before) < 320 and sorted(partial.rglob("*.png")) == before
    out, err = draw_in_another_process(tmp_path).communicate(timeout=200)
    assert (out, err) == ("320\n", "")
    assert len(list((tmp_path / f"mini-target-v{VERSION}").rglob("*.png"))) == 320 and not partial.exists()


def test_the_stored_weights_fit_the_network():
    import torch

    from torch_impl.resnet_v2 import ResNetV2

    assert MINI_FILE.stat().st_size < 3_000_000
    with safe_open(MINI_FILE, "numpy") as stored:
        metadata = stored.metadata()
    classes = json.loads(metadata["classes"])
    assert classes == SOURCE_CLASSES
    assert float(metadata["top1"]) >= 0.85
    net = ResNetV2(LAYERS, CHANNELS, len(classes))
    tensors = load_file(MINI_FILE)
    assert {t.dtype for t in tensors.values()} == {np.dtype(np.float32)}
    counters = {name for name in net.state_dict() if name.endswith("num_batches_tracked")}
    assert set(tensors) == set(net.state_dict()) - counters
    net.load_state_dict({name: torch.from_numpy(t) for name, t in tensors.items()}, strict=False)
    # Fresh drawings, of a seed that no training used: the network knows what it was taught.
    X = [np.asarray(drawing("source", "test", name, i, seed=99)) for name in classes for i in range(4)]
    X = torch.from_numpy(np.stack(X).transpose(0, 3, 1, 2))
    assert _accuracy(net, X, torch.arange(len(classes)).repeat_interleave(4)) >= 0.85


@pytest.mark.slow
def test_a_rebuild_reaches_the_stored_accuracy(tmp_path):
    with safe_open(MINI_FILE, "numpy") as stored:
        claimed = float(stored.metadata()["top1"])
    tensors, report = pretrain(source_folder(tmp_path))
    assert report["top1"] >= claimed - 0.03
    save(tensors, report, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").stat().st_size == pytest.approx(MINI_FILE.stat().st_size, abs=200)
