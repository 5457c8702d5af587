"""What mutants got past at first: small checks of what larger tests take for granted. See tests/mutation."""

import dataclasses
import importlib
import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import shared.networks.architecture as architectures
from shared.errors import UserError
from shared.experiments import experiment
from shared.networks import formats, gluon_files, numpy_aliases, torch_files, zoos
from shared.networks.architecture import Architecture
from shared.networks.names import gluon_from_canonical
from shared.networks.rows import NEAREST, reused_output
from shared.networks.source import BOOK_ROW, Source, fingerprint
from shared.networks.stored import Stored, read_float32
from shared.networks.writing import _torch_state
from shared.parity import cross_execution, divergence
from shared.parity.accuracies import order_sentences
from shared.parity.agreement import agreement, resampled_interval
from shared.parity.comparisons import about, read_record, write_record
from shared.parity.design import the_draws
from shared.parity.lockstep import exact_in_float32
from shared.parity.outcomes import CrossExecution, Outcome, outcome_of
from shared.parity.plans import Plan
from shared.parity.tables import verdict_notes
from shared.parity.tensors import RUNGS
from shared.parity.tost import estimate, verdicts

# --- values ---

ROOMS = ("parity", "networks")
VALUES = [
    f"shared.{room}.{file.stem}"
    for room in ROOMS
    for file in sorted((Path(__file__).parents[1] / "shared" / room).glob("*.py"))
    if "@dataclass" in file.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", [*VALUES, "shared.images.draws"])
def test_values_cannot_be_changed_under_whoever_holds_them(module):
    module = importlib.import_module(module)
    own = [it for it in vars(module).values() if dataclasses.is_dataclass(it) and it.__module__ == module.__name__]
    assert own
    for kind in own:
        if kind.__name__ != "Candidate":  # which is filled while a file is read
            assert kind.__dataclass_params__.frozen, kind


# --- equivalence ---


def test_numbers_of_any_dtype_are_compared_in_float64():
    gluon, torch = [0.1, 0.2, 0.4], [0.3, 0.1, 0.7]
    for draws in ("own", "shared"):
        wanted = estimate(gluon, torch, draws)
        for a, b in ((np.float32(gluon), torch), (gluon, np.float32(torch))):
            found = estimate(a, b, draws)
            exact = estimate(np.float64(a), np.float64(b), draws)
            assert found == exact
            assert found.difference == pytest.approx(wanted.difference, rel=1e-6)


def test_numbers_without_any_spread_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = estimate([0.5, 0.5], [0.5, 0.5], "own", 0.01)
    assert one.freedom == 1 and one.error == pytest.approx(0.01)


@pytest.mark.parametrize("unit", [1, 100, 1e-3])
def test_the_smallest_margin_has_the_unit_of_the_numbers(unit):
    gluon, torch = np.array([0.2, 0.9, 0.5]), np.array([0.3, 0.1, 0.7])
    (one,) = verdicts([estimate(gluon, torch, "own")])
    (other,) = verdicts([estimate(gluon * unit, torch * unit, "own")], 0.03 * unit)
    assert other.smallest == pytest.approx(one.smallest * unit, rel=1e-3) and other.word == one.word


def test_kinds_of_draws_are_named_in_the_order_of_the_alphabet():
    with pytest.raises(UserError, match="draws 'new': only"):
        the_draws(["shared", "old", "new"])


# --- outcomes ---


def an_outcome(framework="gluon", seed=0, right=(1, 0, 1, 1), epochs=3, labels=(0, 1, 0, 1), **other):
    """Right or wrong about each image, with the same probability for all, after each of its epochs."""
    correct = np.tile(np.array(right, bool), (epochs, 1))
    labels = np.array(labels)
    said = np.where(correct, labels, 1 - labels)
    probabilities = np.where(np.arange(2) == said[..., None], 0.75, 0.25)
    name = other.pop("experiment", "finetune")
    accuracies = (0.5, *correct.mean(axis=1))
    return Outcome(name, framework, seed, accuracies, correct, probabilities, labels, **other)


def test_what_is_said_of_one_seed_decides_nothing():
    one = [an_outcome(f) for f in ("gluon", "torch")]
    assert order_sentences(one) == ["Order in gluon: finetune 0.750", "Order in torch: finetune 0.750"]
    two = one + [an_outcome(f, seed=1) for f in ("gluon", "torch")]
    assert len(order_sentences(two)) == 3 and "decided" in order_sentences(two)[2]


def test_predictions_are_those_of_the_last_epoch():
    p = np.zeros((3, 2, 2))
    p[0, :, 0] = p[1, :, 0] = p[2, :, 1] = 1
    assert list(Outcome("finetune", "torch", 0, (0.5,) * 4, p[..., 0] > 0, p, np.zeros(2, int)).predicted) == [1, 1]


@pytest.mark.parametrize("draws", ["shared", "own"])
def test_a_run_that_diverged_keeps_its_draws(draws):
    run = SimpleNamespace(
        experiment={"name": "finetune", "lock_batch_norm": False},
        source={"row_label": None},
        framework="torch",
        seed=3,
        status="diverged",
        dataset={"test": 5},
        draws=draws,
    )
    found = outcome_of(run)
    assert (found.draws, found.diverged, found.images, found.seed) == (draws, True, 5, 3)


@pytest.mark.parametrize("draws", ["shared", "own"])
def test_areas_under_the_curve_are_known_no_finer_than_to_one_pair_of_images(draws):
    labels = (0, 1, 0, 1, 0, 0, 0, 0)  # 2 and 6
    runs = {f: [an_outcome(f, seed, (1,) * 8, labels=labels) for seed in range(3)] for f in ("gluon", "torch")}
    difference, low, high = agreement(runs["gluon"], runs["torch"], draws).auc
    error = 1 / 12 * np.sqrt(1 / 3 if draws == "shared" else 2 / 3)
    assert difference == 0 and high == -low == pytest.approx(2.919986 * error, rel=1e-6)  # t of 2 degrees of freedom


def test_the_interval_over_seeds_and_images_holds_what_other_images_would_change():
    # All seeds say the same, so all that varies is which images there are: +1 on a fifth of them, -1 on another fifth.
    gluon = [an_outcome("gluon", s, [0] * 20 + [1] * 80, labels=[0, 1] * 50) for s in range(3)]
    torch = [an_outcome("torch", s, [1] * 80 + [0] * 20, labels=[0, 1] * 50) for s in range(3)]
    for draws in ("shared", "own"):
        low, high = resampled_interval(gluon, torch, draws)
        half = 1.645 * np.sqrt(0.4 / 100)
        assert (low, high) == (pytest.approx(-half, abs=0.02), pytest.approx(half, abs=0.02))


# --- records and plans of comparisons ---


def test_an_older_record_keeps_the_last_of_several_epochs(tmp_path):
    correct = np.array([[1, 0, 0], [1, 1, 0]], bool)
    write_record(tmp_path / "r.json", {"experiments": []}, [Outcome("finetune", "torch", 0, (0.3, 0.7), correct)])
    assert read_record(tmp_path / "r.json")[1][0].correct.tolist() == [[True, True, False]]


def test_a_record_says_which_framework_ran_on_which_device():
    def run(framework, used, started):
        source = {"name": "mini", "architecture": "resnet18_v2", "fingerprint": "f", "row": None}
        return SimpleNamespace(
            dataset={"name": "mini"},
            source=source,
            experiment={"name": "finetune"},
            framework=framework,
            device={"used": used},
            versions={"numpy": "1"},
            started=started,
        )

    found = about("parity", [run("torch", "cuda", "2"), run("gluon", "cpu", "1"), run("torch", "cuda", "3")], [])
    assert found["devices"] == {"gluon": [{"used": "cpu"}], "torch": [{"used": "cuda"}]}
    assert found["source"] == [{"name": "mini", "architecture": "resnet18_v2", "fingerprint": "f"}]
    assert found["started"] == ["1", "3"] and found["plans"] == [] and found["dataset"] == [{"name": "mini"}]


def test_a_plan_is_another_one_whatever_is_changed_in_it_but_when_it_was_noted():
    plan = Plan("2026-11-25", [{"name": "finetune"}], [0, 1], "shared", "images", "source", 0)
    assert plan.key() == dataclasses.replace(plan, noted="later", there=4).key()
    for change in (
        {"seeds": [0]},
        {"draws": "own"},
        {"dataset": "x"},
        {"source": "x"},
        {"margin": 1},
        {"experiments": []},
    ):
        assert plan.key() != dataclasses.replace(plan, **change).key(), change


def test_the_notes_say_how_many_times_as_many_seeds():
    undecided = SimpleNamespace(draws="own", low=0.0, verdict=SimpleNamespace(word="undecided"))
    assert verdict_notes([undecided])[1].startswith("chance of a verdict: with 1, 2 and 4 times as many new seeds")


def test_rungs_are_numbered_from_the_pixels_to_the_book():
    assert list(RUNGS) == list(range(1, 16)) and len(set(RUNGS.values())) == 15


# --- lockstep ---


@pytest.mark.parametrize("value", [0.01, 0.0123, 0.0301, 0.07, 0.9, 1.1, 1e-5, 3e-4])
def test_exact_rates_are_the_nearest_with_four_bits(value):
    found = exact_in_float32(experiment("finetune", learning_rate=value, weight_decay=value, head_lr_mult=1))
    step = 2.0 ** (np.floor(np.log2(value)) - 3)
    assert found.learning_rate == found.weight_decay == pytest.approx(round(value / step) * step, rel=1e-12)
    assert found.num_epochs == experiment("finetune").num_epochs


def test_the_head_gets_the_rate_times_the_multiplier_and_that_is_what_has_to_be_exact():
    found = exact_in_float32(experiment("finetune", learning_rate=2.0**-17, head_lr_mult=1000))
    assert found.learning_rate == 2.0**-17  # 1000 less the rate would not be exact
    with pytest.raises(ValueError, match="not exact"):
        exact_in_float32(experiment("finetune", learning_rate=2.0**-17, head_lr_mult=1 + 2.0**-30))


@pytest.fixture
def in_step(monkeypatch):
    """Divergence without frameworks: each has a list of weights, one after every step, and of losses."""

    def prepared(weights, losses):
        def train(framework, net, experiment, batches, device, dtype, see):
            at = SimpleNamespace(step=0)
            monkeypatch.setattr(divergence, "_now", at, raising=False)
            epochs, seen = [], []
            for step in range(len(batches) + 1):
                at.step = step
                current[framework] = step
                epochs.append(SimpleNamespace(train_loss=losses[framework][step]))
                seen.append(see(step))
            return epochs, seen

        current = {"gluon": 0, "torch": 0}
        nets = {f: SimpleNamespace(get_tensors=lambda net, f=f: weights[f][current[f]]) for f in weights}
        monkeypatch.setattr(divergence, "twins", lambda *_: {"gluon": "g", "torch": "t"})
        monkeypatch.setattr(divergence, "train", train)
        monkeypatch.setattr(divergence, "implementation", lambda framework, room: nets[framework])
        return divergence.measure(
            experiment("finetune"),
            None,
            None,
            [None] * (len(weights["torch"]) - 1),
            {"gluon": 0, "torch": 0},
            "float32",
        )

    return prepared


def test_steps_say_how_far_weights_are_apart_and_which_tensor_most(in_step):
    def tensors(a, b):
        statistics = {"features.bn1.running_mean": np.array([100.0 * a])}
        return {"features.conv1.weight": np.array([a, 0.0]), "output.bias": np.array([b]), **statistics}

    weights = {
        "gluon": [tensors(3, 4), tensors(3, 4.5), tensors(3, 4)],
        "torch": [tensors(3, 4), tensors(3, 4), tensors(6, 8)],
    }
    first, second = in_step(weights, {"gluon": [9, 0.5, 0.25], "torch": [9, 0.5, 1.0]})
    assert (first.step, first.gluon_loss, first.loss_gap, first.way) == (1, 0.5, 0.0, None)  # nothing has moved
    assert (first.weights, first.worst_tensor, first.worst) == (pytest.approx(0.1), "output.bias", pytest.approx(0.125))
    assert (second.step, second.torch_loss, second.loss_gap) == (2, 1.0, 0.75)
    assert (second.weights, second.way) == (pytest.approx(0.5), pytest.approx(1.0))
    assert (second.worst_tensor, second.worst) == ("features.conv1.weight", pytest.approx(0.5))


def test_steps_that_end_in_infinity_are_left_out_without_a_warning(in_step):
    weights = {f: [{"output.bias": np.array([x])} for x in (1.0, np.inf, 1e308)] for f in ("gluon", "torch")}
    weights["torch"][1] = {"output.bias": np.array([-np.inf])}
    weights["torch"][2] = {"output.bias": np.array([-1e308])}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steps = in_step(weights, {"gluon": [1, np.inf, np.nan], "torch": [1, 2, 3]})
    assert [s.loss_gap for s in steps] == [None, None] and steps[0].weights is None


def test_the_table_shows_steps_one_two_four_and_so_on_and_the_last():
    steps = [{"loss_gap": 10.0**-i, "way": 10.0**-i} for i in range(1, 6)]
    series = [{"experiment": {"name": "finetune", "learning_rate": 0.01}, "name": "float64", "steps": steps}]
    header, rows = divergence.divergence_table({"series": series})
    assert header[3:] == ["step 1", "step 2", "step 4", "step 5", "weights at the end"]
    assert rows == [["finetune", "0.01", "float64", "1e-01", "1e-02", "1e-04", "1e-05", "1e-05"]]


# --- cross-execution ---


def a_run(folder, framework="gluon", **other):
    return SimpleNamespace(
        folder=folder,
        framework=framework,
        status="finished",
        dataset={"fingerprint": "pictures"},
        experiment={"size": 32, "batch_size": 8},
        **other,
    )


DATASET = SimpleNamespace(fingerprint="pictures", name="drawings", test="the test images")
HERE = np.array([[0.5, 0.5], [0.8, 0.2], [0.4, 0.6], [1.0, 0.0]])
THERE = np.array([[0.3, 0.7], [0.8, 0.2], [0.5, 0.5], [0.9, 0.1]])


@pytest.fixture
def pretended(monkeypatch):
    """No framework: what cross-execution calls in the other one is noted, and THERE is what comes of it."""
    called = []

    class Room:
        def __init__(self, framework, name):
            self.prefix = f"{framework} {name}"

        def __getattr__(self, name):
            def note(*arguments):
                called.append((f"{self.prefix}.{name}", *arguments))
                return {"choose_device": ("a device", "why"), "predict_probabilities": (THERE, "labels")}.get(
                    name, name
                )

            return note

    monkeypatch.setattr(cross_execution, "implementation", Room)
    monkeypatch.setattr(
        cross_execution, "trained_tensors", lambda run: (SimpleNamespace(classes=2, of=run), f"tensors of {run.folder}")
    )
    monkeypatch.setattr(cross_execution, "read_probabilities", lambda run: ("names", "labels", HERE))
    return called


@pytest.mark.parametrize(("framework", "there"), [("gluon", "torch"), ("torch", "gluon")])
def test_cross_execution_is_the_other_frameworks_prediction_less_the_recorded_one(
    framework, there, pretended, tmp_path
):
    found = cross_execution.cross_execution(a_run(tmp_path, framework), DATASET, "gpu", 3)
    assert (found.labels, found.largest, found.mean) == (2, pytest.approx(0.2), pytest.approx(0.1))
    by = {name: arguments for name, *arguments in pretended}
    assert all(name.startswith(there) for name in by)
    architecture, classes = by[f"{there} nets.scratch_net"]
    assert architecture.of.folder == tmp_path and classes == 2
    assert by[f"{there} nets.set_tensors"] == ["scratch_net", f"tensors of {tmp_path}"]
    assert by[f"{there} data.test_iter"] == ["the test images", 32, 8, 3]
    assert by[f"{there} training.choose_device"] == ["gpu"]
    assert by[f"{there} training.predict_probabilities"] == ["scratch_net", "test_iter", "a device"]


def test_cross_execution_is_by_default_on_the_cpu_in_this_process(pretended, tmp_path):
    cross_execution.cross_execution(a_run(tmp_path), DATASET)
    by = {name: arguments for name, *arguments in pretended}
    assert by["torch training.choose_device"] == ["cpu"] and by["torch data.test_iter"][-1] == 0


def test_cross_execution_refuses_a_run_on_other_images(pretended, tmp_path):
    with pytest.raises(UserError, match="tested on other images than drawings"):
        cross_execution.cross_execution(a_run(tmp_path), SimpleNamespace(fingerprint="others", name="drawings"))
    assert pretended == []


def test_cross_executions_are_measured_once_by_a_process_of_the_other_framework(pretended, tmp_path, monkeypatch):
    runs = []
    for i, framework in enumerate(["gluon", "torch", "gluon", "torch", "torch"]):
        folder = tmp_path / f"{i}"
        folder.mkdir()
        (folder / "weights.safetensors").touch()
        runs.append(a_run(folder, framework))
    (runs[3].folder / "weights.safetensors").unlink()
    runs[4].status = "failed"
    kept = CrossExecution(7, 0.5, 0.25)
    (runs[2].folder / cross_execution.FILE).write_text(json.dumps(dataclasses.asdict(kept)))
    (runs[1].folder / cross_execution.FILE).write_text(
        '{"labels": 1}'
    )  # cut short, or of another version: measured anew
    started = []

    def in_processes(work, parts):
        started.append({framework: [run.folder.name for run in part[0]] for framework, part in parts.items()})
        for part in parts.values():
            work(*part)

    monkeypatch.setattr(cross_execution, "run_in_processes", in_processes)
    found = cross_execution.cross_executions(runs, DATASET)
    assert started == [{"gluon": ["1"], "torch": ["0"]}]
    assert list(found) == [runs[0].folder, runs[1].folder, runs[2].folder] and found[runs[2].folder] == kept
    assert found[runs[0].folder].labels == 2
    by = {name: arguments for name, *arguments in pretended}
    assert by["torch training.choose_device"] == ["cpu"] and by["torch data.test_iter"][-1] == 0
    assert cross_execution.cross_executions(runs, DATASET, "gpu", 5) == found and started[1] == {}
    (runs[0].folder / cross_execution.FILE).unlink()
    pretended.clear()
    cross_execution.cross_executions(runs, DATASET, "gpu", 5)
    by = {name: arguments for name, *arguments in pretended}
    assert by["torch training.choose_device"] == ["gpu"] and by["torch data.test_iter"][-1] == 5
    assert started[2] == {"torch": ["0"]}


def test_what_was_found_is_one_line_of_json(pretended, tmp_path):
    cross_execution._measure([a_run(tmp_path)], DATASET, "cpu", 0)
    text = (tmp_path / cross_execution.FILE).read_text()
    assert text.endswith("}\n") and json.loads(text)["labels"] == 2


# --- architectures and their names ---


def test_wider_networks_than_the_zoos_have_their_widths_in_the_name():
    wider = Architecture(1, channels=(64, 128, 256, 512, 1024))
    assert not wider.standard_widths and wider.name == "resnet18_v1(64,128,256,512,1024)"
    assert Architecture(1).standard_widths and Architecture(1).name == "resnet18_v1"


@pytest.mark.parametrize(
    ("version", "block"), [(1, "wide"), (2, "wide"), (2, "bottleneck_v1b"), (3, "basic"), (0, "basic")]
)
def test_there_are_two_versions_and_three_blocks(version, block):
    with pytest.raises(ValueError, match=f"version {version}|version is {version}"):
        Architecture(version, channels=architectures.WIDTHS["bottleneck"], block=block)


@pytest.mark.parametrize("name", ["conv0.weight", "bn0.weight", "conv4.weight", "bn4.bias"])
@pytest.mark.parametrize("version", [1, 2, "1b"])
def test_layers_of_a_block_are_numbered_from_one_to_three(version, name):
    with pytest.raises(UserError, match="is no tensor of a Gluon ResNet"):
        gluon_from_canonical(f"features.layer1.0.{name}", version)


# --- files of weights ---


def test_the_remaining_zeros_of_old_numpy_have_their_signs():
    removed = numpy_aliases.REMOVED
    assert str(removed["PZERO"]) == "0.0" and str(removed["NZERO"]) == "-0.0"
    assert removed["PINF"] == removed["Inf"] == -removed["NINF"] == np.inf and np.isnan(removed["NAN"])


def test_names_that_numpy_has_removed_are_given_back_and_those_it_has_stay(monkeypatch):
    new = SimpleNamespace(__version__="2.1.0", prod=np.prod, isin=np.isin, trapezoid=np.trapz, vstack=np.vstack)
    new.round, new.any, new.all, new.cumprod = np.round, np.any, np.all, np.cumprod
    new.bool = "its own"
    monkeypatch.setattr(numpy_aliases, "numpy", new)
    restored = numpy_aliases.restore()
    assert restored == [name for name in numpy_aliases.REMOVED if name != "bool"]
    assert new.bool == "its own" and new.float is float and new.product is np.prod and new.mirr is None
    assert numpy_aliases.restore() == []
    for version, some in (("1.24.0", True), ("1.23.5", False), ("1.9.1", False)):
        old = SimpleNamespace(__version__=version, **{n: getattr(np, n) for n in ("prod", "isin", "vstack", "round")})
        old.any, old.all, old.cumprod, old.trapezoid = np.any, np.all, np.cumprod, np.trapz
        monkeypatch.setattr(numpy_aliases, "numpy", old)
        assert bool(numpy_aliases.restore()) == some, version


BEGINNINGS = {
    b"": "an empty file",
    b"\x89HDF\r\n": "a Keras or HDF5 file",
    b"\x1c\0\0\0TFL3": "a TensorFlow Lite file",
    b"\x08\x07\x12\x07pytorch": "an ONNX network",
    b"  <!DOCTYPE html>": "a web page",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
    b'{"nodes": [': "a text file, such as the description of a network or an index of weights",
    b"\x1f\x8b\x08": "a compressed archive",
    b"PK\x03\x04": "a zip that is cut short or damaged",
    b"\0" * 257 + b"ustar": "a tar archive, or a file of PyTorch 0.1",
    b"sys_info\0": "a tar archive, or a file of PyTorch 0.1",
    b"\x80\x04}": "a pickle, such as the optimizer states that Gluon's `Trainer.save_states` and Module write",
    b"\x10\0\0\0\0\0\0\0{}": "safetensors, timm, the Hugging Face hub",
}


@pytest.mark.parametrize("start", BEGINNINGS, ids=BEGINNINGS.values())
def test_files_are_told_by_their_beginning(start, tmp_path):
    (tmp_path / "file").write_bytes(start)
    assert formats.format_of(tmp_path / "file").what == BEGINNINGS[start]


@pytest.mark.parametrize(
    "start", [b"\xff" * 512, b"z" * 512, b"\0\0\0\0TFL4", b"\x08\x07" + b"x" * 400, b"\x10\0\0\0\0\0\0\x01{}"]
)
def test_files_of_no_kind_known_are_refused(start, tmp_path):
    (tmp_path / "file").write_bytes(start)
    with pytest.raises(UserError, match="no kind of file known here"):
        formats.format_of(tmp_path / "file")


def test_what_is_read_stands_first_in_the_table():
    done = [line[2] for line in formats.formats_table()[1]]
    assert done == sorted(done, key=lambda word: word != "read") and done[-1] != "read"
    assert formats.formats_table()[1][0][0] == f"`{formats.FORMATS[1].endings}`"


def test_a_zip_that_says_it_is_huge_is_refused_with_the_limit(tmp_path, monkeypatch):
    np.savez(tmp_path / "some.npz", a=np.zeros(2000))
    for module, read in ((gluon_files, gluon_files.read_npz), (torch_files, torch_files.read_torch)):
        monkeypatch.setattr(module, "MOST_BYTES", 1000)
        with pytest.raises(UserError, match="more than 0 GiB"):
            read(tmp_path / "some.npz")
        monkeypatch.undo()
        assert module.MOST_BYTES == 4 << 30
    found = gluon_files.read_npz(tmp_path / "some.npz")
    assert found["a"].read().tolist() == [0] * 2000


def test_the_limit_is_said_in_gibibytes(tmp_path, monkeypatch):
    np.savez(tmp_path / "some.npz", a=np.zeros(2))
    for module, read in ((gluon_files, gluon_files.read_npz), (torch_files, torch_files.read_torch)):
        infos = [SimpleNamespace(file_size=3 << 30, filename="a.npy")] * 2
        monkeypatch.setattr(module.zipfile.ZipFile, "infolist", lambda self, infos=infos: infos)
        with pytest.raises(UserError, match="more than 4 GiB"):
            read(tmp_path / "some.npz")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("order", "CF")
def test_arrays_of_a_zip_are_read_in_their_own_order(version, order, tmp_path):
    import zipfile

    array = np.arange(6.0).reshape(2, 3).copy(order)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("a.npy", "w") as file:
        np.lib.format.write_array(file, array, version)
    np.testing.assert_array_equal(gluon_files.read_npz(tmp_path / "a.npz")["a"].read(), array)


@pytest.mark.parametrize("content", [b"no array at all", b"\x93NUMPY\x03\0" + b"v\0\0\0{}", b"\x93NUMPY\x01\0\x02\0{}"])
def test_members_that_are_no_arrays_are_named(content, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(UserError, match="a.npy in it is no .npy file"):
        gluon_files.read_npz(tmp_path / "a.npz")


def test_files_of_mxnet_are_opened_for_reading_only(tmp_path):
    (tmp_path / "file").write_bytes(b"12345678")
    assert not gluon_files._Bytes(tmp_path / "file").data.flags.writeable


@pytest.mark.parametrize("length", [gluon_files.LONGEST_NAME + 1, 2**40])
def test_a_name_that_is_too_long_is_damage(length, tmp_path):
    import struct

    name = b"n" * min(length, 5000)
    array = struct.pack("<IiiqiiIf", gluon_files.V3, 0, 1, 1, 1, 0, 0, 2.5)
    (tmp_path / "file").write_bytes(
        struct.pack("<QQQ", gluon_files.LIST, 0, 1) + array + struct.pack("<QQ", 1, length) + name
    )
    with pytest.raises(UserError, match=f"name 1 has {length} bytes"):
        gluon_files.read_ndarray_list(tmp_path / "file")


def test_numbers_without_an_array_around_them_are_counters():
    for shape, dtype, counts in (
        ((), "int64", True),
        ((1,), "int64", True),
        ((1, 1), "int64", False),
        ((2,), "int64", False),
    ):
        assert Stored(shape, dtype, None).counts == counts
    assert not Stored((), "float32", None).counts


def test_tensors_are_read_as_contiguous_arrays_of_their_own():
    array = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    tensors, notes = read_float32({"output.weight": Stored((2, 3), "float32", lambda: array)}, {"output.weight": "fc"})
    found = tensors["output.weight"]
    assert found.flags.c_contiguous and not np.shares_memory(found, array) and notes == []
    np.testing.assert_array_equal(found, array)


def test_a_checkpoint_from_a_graphics_card_is_read_on_the_cpu(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
    torch.save({"a": torch.ones(2)}, tmp_path / "gpu.pth")
    monkeypatch.undo()
    assert torch_files.read_torch(tmp_path / "gpu.pth")[""]["a"].read().tolist() == [1, 1]


def test_torchvisions_download_is_checked_and_executes_nothing(monkeypatch):
    asked = {}
    weights = SimpleNamespace(url="https://example.org/net.pth", get_state_dict=lambda **how: asked.update(how))
    monkeypatch.setattr(zoos, "_torchvision_weights", lambda: weights)
    assert zoos.torchvision_file().name == "net.pth" and zoos.torchvision_file().parent.name == "checkpoints"
    assert asked == {"progress": False, "check_hash": True, "weights_only": True}


def test_a_server_is_asked_for_seconds_only(monkeypatch, tmp_path):
    import requests

    asked = {}

    def head(url, **how):
        asked.update(how)
        raise requests.Timeout("late")

    monkeypatch.setattr(requests, "head", head)
    monkeypatch.setattr(zoos, "_cached", lambda weights: tmp_path / "not there")
    assert "does not answer" in zoos._state_of(SimpleNamespace(url="https://example.org/net.pth"))
    assert asked["timeout"] == zoos.SECONDS and asked["allow_redirects"]


# --- source networks ---


def a_source(weight, bias=None):
    weight = np.array(weight, np.float32)
    bias = np.zeros(len(weight), np.float32) if bias is None else np.array(bias, np.float32)
    tensors = {"output.weight": weight, "output.bias": bias}
    return Source("a source", Architecture(1, classes=len(weight)), tensors, None, "")


def test_the_books_row_is_713():
    assert BOOK_ROW == 713


def test_a_row_that_is_not_there_is_refused_with_those_that_are():
    source = a_source(np.ones((5, 3)))
    assert source.row(4) == source.row("4") == 4 and source.label(4) == "row 4"
    with pytest.raises(UserError, match="has rows 0 to 4$"):
        source.row(5)


def test_fingerprints_differ_with_name_dtype_shape_and_bytes():
    one = {"a": np.zeros((2, 3), np.float32), "b": np.ones(1, np.float32)}
    others = [one | {"a": np.zeros((3, 2), np.float32)}, one | {"a": np.zeros((2, 3), np.int32)}, {"a": one["a"]}]
    others += [one | {"b": one["b"] * 2}, {"a": one["a"], "c": one["b"]}]
    assert len({fingerprint(t) for t in [one, *others]}) == 6
    assert fingerprint(dict(reversed(one.items()))) == fingerprint({n: np.asfortranarray(t) for n, t in one.items()})
    assert len(fingerprint(one)) == 16


def new_output(width, classes=2):
    return {"output.weight": np.ones((classes, width), np.float32), "output.bias": np.ones(classes, np.float32)}


def test_the_nearest_rows_are_ten_and_the_first_of_those_as_near():
    assert NEAREST == 10
    weight = [[2.0 ** (i % 7), 0.0] for i in range(60)]  # all alike in direction, to the bit
    found = reused_output(a_source(weight, np.arange(60)), 3, 1, new_output(2), "nearest")
    first = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]
    np.testing.assert_allclose(found["output.bias"], [np.mean(first), 3])
    np.testing.assert_allclose(found["output.weight"][0], np.mean([weight[i] for i in first], axis=0), rtol=1e-5)


def test_nearest_is_by_direction_whatever_the_length():
    far = [[0.0, 1000.0 * (i + 1)] for i in range(15)]
    near = [[1.0, 0.001 * i] for i in range(10)]
    found = reused_output(a_source([[2.0, 0.0], *far, *near]), 0, 0, new_output(2), "nearest")
    np.testing.assert_allclose(found["output.weight"], [[2, 0], np.mean(near, axis=0)], rtol=1e-5)


def test_the_other_rows_are_the_mean_or_zero_or_as_they_were():
    source = a_source([[1, 2], [3, 4], [5, 9]], [1, 2, 6])
    found = {how: reused_output(source, 0, 1, new_output(2, 3), how) for how in ("mean", "zero", "random")}
    for output in found.values():
        assert output["output.weight"][1].tolist() == [1, 2] and output["output.bias"][1] == 1
    for row in (0, 2):
        assert found["mean"]["output.weight"][row].tolist() == [4, 6.5] and found["mean"]["output.bias"][row] == 4
        assert found["zero"]["output.weight"][row].tolist() == [0, 0] and found["zero"]["output.bias"][row] == 0
        assert found["random"]["output.weight"][row].tolist() == [1, 1] and found["random"]["output.bias"][row] == 1


def test_counters_of_batches_are_written_at_zero():
    tensors = {"features.bn1.running_var": np.ones(2, np.float32), "features.conv1.weight": np.ones(1, np.float32)}
    state = _torch_state(Source("s", Architecture(1), tensors, None, ""))
    assert {n: t.tolist() for n, t in state.items()} == {
        "bn1.running_var": [1, 1],
        "bn1.num_batches_tracked": 0,
        "conv1.weight": [1],
    }
