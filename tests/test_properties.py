"""Properties that hold for every input, tried on random ones: records, names, equivalence, shared draws.

Folders of images have theirs in test_datasets_layouts.py, records of any content (refused in one line) in test_records.py.
"""

import math
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from shared.errors import UserError
from shared.experiments import experiment
from shared.images.draws import EpochOrder, Epochs, epoch_seed, generator, initial_tensors, order, view
from shared.networks.architecture import Architecture, recognise, tensor_shapes
from shared.networks.finding import find_network
from shared.networks.names import (
    LAYOUTS,
    canonical_from_gluon,
    canonical_from_torchvision,
    gluon_from_canonical,
    is_batch_norm,
    layers_of,
    torchvision_from_canonical,
)
from shared.networks.stored import Stored
from shared.networks.writing import names_for
from shared.parity.design import FAMILY, LEVEL
from shared.parity.tost import estimate, holm, verdicts
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import (
    Run,
    packed_probabilities,
    read_epoch_probabilities,
    read_run,
    unpacked_probabilities,
    write_epoch_probabilities,
)


def few(examples):
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


# --- records ---

text = st.text(
    st.characters(exclude_categories=["Cs"]), max_size=12
)  # a lone surrogate is no text that a file can hold
name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
share = st.floats(0, 1)
count = st.integers(1, 10**9)
maybe = lambda strategy: st.none() | strategy  # noqa: E731


@st.composite
def runs(draw):
    """Any run that the schema allows, in whatever state, with entries that this version does not know."""
    status = draw(st.sampled_from(["running", "finished", "failed", "interrupted", "diverged"]))
    planned = draw(st.integers(1, 3))
    known = planned + 1 if status == "finished" else draw(st.integers(0, planned + 1))
    epochs = [
        {
            "epoch": i,
            "train_loss": draw(maybe(st.floats(0, 1e30))),
            "train_accuracy": draw(maybe(share)),
            "test_accuracy": draw(share),
            "seconds": draw(maybe(st.floats(0, 1e9))),
            "images_per_second": draw(maybe(st.floats(1e-300, 1e9))),
        }
        for i in range(known)
    ]
    known_names = {f for f in Run.__dataclass_fields__}
    more = draw(
        st.dictionaries(name.filter(lambda n: n not in known_names), text | st.integers() | st.none(), max_size=2)
    )
    return Run(
        folder=Path("nowhere"),
        experiment=experiment("finetune", num_epochs=planned).as_dict(),
        framework=draw(st.sampled_from(FRAMEWORKS)),
        seed=draw(st.integers(0, 2**32 - 1)),
        dataset={
            "name": draw(name),
            "classes": draw(st.lists(name, min_size=2, max_size=4, unique=True)),
            "train": draw(count),
            "test": draw(count),
            "tested_on": draw(text),
            "fingerprint": draw(name),
        },
        source={
            "name": draw(name),
            "architecture": draw(name),
            "fingerprint": draw(name),
            "row": draw(maybe(st.integers(0, 10**9))),
            "row_label": draw(maybe(text)),
        },
        device={
            "used": draw(name),
            "why": draw(text),
            "gpu": draw(maybe(text)),
            "cpu": draw(text),
            "cores": draw(count),
        },
        versions=draw(st.dictionaries(name, text, max_size=2)),
        memory={"before_mib": draw(st.floats(0, 1e9))},
        status=status,
        started=draw(text),
        finished=draw(maybe(text)),
        error=draw(maybe(text)),
        draws=draw(st.sampled_from(["own", "shared"])),
        process=draw(st.just({}) | st.just({"host": "here", "pid": 7, "started": 1.5})),
        epochs=epochs,
        more=more,
    )


@few(25)
@given(runs())
def test_a_run_comes_back_from_its_record_as_it_was(run):
    with tempfile.TemporaryDirectory() as folder:
        run.folder = Path(folder)
        run.save()
        first = (run.folder / "run.json").read_bytes()
        again = read_run(run.folder)
        assert again == run
        again.save()
        assert (run.folder / "run.json").read_bytes() == first


probabilities = st.integers(2, 4).flatmap(
    lambda classes: st.lists(
        st.lists(st.floats(1e-30, 1), min_size=classes, max_size=classes).map(lambda p: list(np.array(p) / sum(p))),
        min_size=1,
        max_size=6,
    )
)


@few(40)
@given(probabilities)
def test_packed_probabilities_keep_the_class_and_nearly_the_number(p):
    p = np.array(p)
    back = unpacked_probabilities(packed_probabilities(p))
    np.testing.assert_allclose(back.sum(axis=-1), 1, rtol=1e-12)
    assert (np.take_along_axis(back, p.argmax(-1)[:, None], -1)[:, 0] == back.max(-1)).all()
    # 2^-11 is a float16's rounding of a logarithm of a ratio; p |log p| is 1 / e at most
    assert np.abs(back - p).max() < 2**-11 / math.e * p.shape[-1]


@few(10)
@given(probabilities, st.integers(1, 3))
def test_probabilities_of_every_epoch_come_back(p, epochs):
    p = np.stack([np.roll(p, i, axis=0) for i in range(epochs)])
    labels = np.arange(p.shape[1]) % p.shape[2]
    dataset = {"test": p.shape[1], "classes": list("abcd")[: p.shape[2]]}
    run = SimpleNamespace(status="finished", epochs=[{}] * epochs, dataset=dataset)
    with tempfile.TemporaryDirectory() as folder:
        run.folder = Path(folder)
        write_epoch_probabilities(run.folder, labels, p)
        labels_back, back = read_epoch_probabilities(run)
    assert (labels_back == labels).all() and labels_back.dtype == np.int64
    np.testing.assert_array_equal(back, unpacked_probabilities(packed_probabilities(p)))


# --- names ---


@st.composite
def architectures(draw, fewest_classes=1):
    version, block = draw(
        st.sampled_from([(1, "basic"), (2, "basic"), (1, "bottleneck"), (2, "bottleneck"), (1, "bottleneck_v1b")])
    )
    layers = tuple(draw(st.lists(st.integers(1, 3), min_size=4, max_size=4)))
    widths = [4 * draw(st.integers(1, 3))]
    for _ in range(4):  # the stem may be as wide as the first stage, no stage as the one before
        before = widths[-1] if len(widths) > 1 else 0
        widths.append(draw(st.sampled_from([4 * k for k in range(1, 5) if 4 * k != before])))
    return Architecture(version, layers, tuple(widths), draw(st.integers(fewest_classes, 7)), block)


def numbered_tensors(architecture):
    """Tensors that differ from each other, so that any two that are exchanged show."""
    tensors = {
        name: np.full(shape, i + 2, np.float32) for i, (name, shape) in enumerate(tensor_shapes(architecture).items())
    }
    if architecture.version == 2:
        tensors["features.bn0.weight"][:] = 1  # as Gluon has it
    return tensors


@few(30)
@given(architectures(fewest_classes=0))
def test_an_architecture_is_recognised_from_its_tensors(architecture):
    assert recognise(numbered_tensors(architecture)) == architecture


@few(30)
@given(architectures())
def test_names_go_there_and_back_and_no_two_are_alike(architecture):
    names = list(tensor_shapes(architecture))
    version = "1b" if architecture.block == "bottleneck_v1b" else architecture.version
    gluon = [gluon_from_canonical(name, version) for name in names]
    assert len(set(gluon)) == len(names)
    assert [canonical_from_gluon(name, version) for name in gluon] == names
    for name, theirs in zip(names, gluon, strict=True):
        layer, _, leaf = name.rpartition(".")
        scales = {"weight": "gamma", "bias": "beta"} if is_batch_norm(layer) else {}
        assert theirs.rpartition(".")[2] == scales.get(leaf, leaf)
    torch = [torchvision_from_canonical(name) for name in names]
    assert len(set(torch)) == len(names) and [canonical_from_torchvision(name) for name in torch] == names
    for ending in (".params", ".pth", ".safetensors"):
        written = names_for(architecture, ending, names)
        assert list(written) == names and len(set(written.values())) == len(names)


def fitting(architecture):
    """The layouts that can name a network's layers: those of its version."""
    ones = [name for name, it in LAYOUTS.items() if ("downsample" in it.projection) == (architecture.version == 2)]
    return [name for name in ones if name != "gluon v1" or architecture.block != "bottleneck_v1b"]


@few(40)
@given(
    architectures(),
    st.data(),
    st.sampled_from(["", "module.", "model.", "state.net.module.", "backbone.encoder."]),
    st.sampled_from(["", "model", "ema"]),
)
def test_a_network_is_found_under_any_librarys_names_behind_any_prefix_in_any_order(architecture, data, prefix, key):
    layout = data.draw(st.sampled_from(fitting(architecture)))
    tensors, theirs = numbered_tensors(architecture), layers_of(layout)
    leaves = {"weight": "gamma", "bias": "beta"} if layout.startswith("gluon") else {}
    foreign = {}
    for name, array in tensors.items():
        layer, _, leaf = name.rpartition(".")
        own = leaves.get(leaf, leaf) if is_batch_norm(layer) else leaf
        foreign[f"{prefix}{theirs[layer]}.{own}"] = Stored(array.shape, "float32", lambda array=array: array)
    names = data.draw(st.permutations(list(foreign)))
    found, back, notes = find_network({key: {name: foreign[name] for name in names}}, "the file")
    assert found == architecture and notes == []
    assert back.keys() == tensors.keys()
    for name in tensors:
        np.testing.assert_array_equal(back[name], tensors[name], err_msg=name)


@few(20)
@given(architectures(), st.data())
def test_a_network_with_a_tensor_less_or_of_another_shape_is_refused_by_its_name(architecture, data):
    tensors = numbered_tensors(architecture)
    name = data.draw(st.sampled_from([n for n in tensors if n.startswith("features.") and "bn" in n]))
    less = {n: t for n, t in tensors.items() if n != name}
    with pytest.raises(UserError):
        recognise(less)
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        recognise(tensors | {name: np.zeros(tensors[name].shape[0] + 1, np.float32)})
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        recognise(tensors | {name: tensors[name].astype(np.float64)})


# --- equivalence ---

accuracies = st.lists(st.floats(0, 1).map(lambda a: round(a, 3)), min_size=2, max_size=8)


@few(60)
@given(accuracies, accuracies, st.floats(0.01, 0.2))
def test_welchs_and_the_paired_estimate_are_scipys(gluon, torch, margin):
    for draws in ("own", "shared"):
        if draws == "shared":
            shortest = min(len(gluon), len(torch))
            gluon, torch = gluon[:shortest], torch[:shortest]
            spread = np.std(np.subtract(torch, gluon), ddof=1)
            lower = stats.ttest_1samp(np.subtract(torch, gluon), -margin, alternative="greater")
            upper = stats.ttest_1samp(np.subtract(torch, gluon), margin, alternative="less")
        else:
            spread = min(np.std(gluon, ddof=1), np.std(torch, ddof=1))
            lower = stats.ttest_ind(np.add(torch, margin), gluon, equal_var=False, alternative="greater")
            upper = stats.ttest_ind(np.subtract(torch, margin), gluon, equal_var=False, alternative="less")
        if spread < 1e-4:
            continue
        one = estimate(gluon, torch, draws)
        assert one.difference == pytest.approx(np.mean(torch) - np.mean(gluon), abs=1e-12)
        assert one.p_equivalent(margin) == pytest.approx(max(lower.pvalue, upper.pvalue), rel=1e-6, abs=1e-12)
        low, high = one.interval(0.9)
        inside = -margin < low and high < margin
        assert inside == (one.p_equivalent(margin) < 0.05) or abs(one.p_equivalent(margin) - 0.05) < 1e-9
        outside = low > margin or high < -margin  # each one-sided at 5 %: two-sided it is more than that
        assert not outside or one.p_different(margin) < 0.1


@few(30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=7), st.integers(1, 9))
def test_holms_correction_is_that_of_statsmodels_with_a_1_for_each_missing_test(p, size):
    filled = p + [1.0] * max(0, size - len(p))
    np.testing.assert_allclose(holm(p, size), multipletests(filled, method="holm")[1][: len(p)], rtol=1e-12)


@few(12)
@given(st.lists(st.tuples(accuracies, accuracies), min_size=1, max_size=3), st.floats(0.005, 0.3))
def test_a_wider_margin_takes_no_equivalence_back_and_it_begins_at_the_smallest(pairs, margin):
    estimates = [estimate(*pair, "own", 1 / 400) for pair in pairs]
    words = [verdict.word for verdict in verdicts(estimates, margin)]
    wider = [verdict.word for verdict in verdicts(estimates, margin * 1.5)]
    assert all(after == "equivalent" for before, after in zip(words, wider, strict=True) if before == "equivalent")
    for i, verdict in enumerate(verdicts(estimates, margin)):
        assert abs(estimates[i].difference) < verdict.smallest
        assert verdicts(estimates, verdict.smallest * 1.001)[i].word == "equivalent"
        assert verdicts(estimates, verdict.smallest * 0.999)[i].word != "equivalent"


@few(6)
@given(
    st.integers(3, 10),
    st.floats(0.001, 0.05),
    st.sampled_from([1.0, 0.3, 3.0]),
    st.sampled_from(["own", "shared"]),
    st.sampled_from([-1, 1]),
)
def test_two_frameworks_that_are_a_margin_apart_are_seldom_called_equivalent(seeds, spread, ratio, draws, sign):
    margin, sets = 0.03, 4000
    rng = np.random.default_rng(seeds)
    gluon = rng.normal(0, spread, (seeds, sets))
    torch = rng.normal(sign * margin, spread * ratio, (seeds, sets))
    wrong = np.mean(estimate(gluon, torch, draws).p_equivalent(margin) < LEVEL)
    # Welch's approximate degrees of freedom err by half a point with three seeds; 4 standard errors of 4000 sets are 1.4 points
    assert wrong < LEVEL + 0.005 + 0.014
    if spread < 0.005:
        assert wrong > 0.02  # nor is the test so careful that it never decides: at little spread the 5 % are used


def test_the_family_counts_whether_or_not_its_experiments_were_run():
    estimates = [estimate([0.9, 0.91, 0.92], [0.9, 0.92, 0.91], "own", 0.001)]
    assert verdicts(estimates)[0].p == pytest.approx(len(FAMILY) * estimates[0].p_equivalent())


# --- shared draws ---

seed, epoch, position = st.integers(0, 2**32 - 1), st.integers(1, 1000), st.integers(0, 10**6)


@few(60)
@given(seed, epoch, position, st.integers(1, 4000), st.integers(1, 4000))
def test_a_view_lies_in_its_image_and_is_the_same_again(seed, epoch, position, width, height):
    found = view(seed, epoch, position, width, height)
    assert 0 <= found.left < found.left + found.width <= width
    assert 0 <= found.top < found.top + found.height <= height
    assert isinstance(found.mirrored, bool) and found == view(seed, epoch, position, width, height)


@few(30)
@given(seed, epoch, st.integers(1, 300))
def test_an_order_has_every_position_once_and_the_sampler_says_the_same(seed, epoch, count):
    found = order(seed, epoch, count)
    assert sorted(found) == list(range(count)) and found.dtype == np.int64
    sampler = EpochOrder(seed, count)
    assert sampler.epoch == 1 and len(sampler) == count
    sampler.epoch = epoch
    assert list(sampler) == [(epoch, int(position)) for position in found]


@few(30)
@given(seed, epoch, position)
def test_streams_of_other_keys_have_nothing_in_common(seed, epoch, position):
    keys = [(seed, "view", epoch, position), (seed, "view", epoch, position + 1), (seed, "view", epoch + 1, position)]
    keys += [(seed, "order", epoch), (seed, "order", epoch + 1), (seed, "own", epoch), (seed + 1, "order", epoch)]
    drawn = [tuple(generator(*key).integers(2**63, size=4)) for key in keys]
    assert len({number for four in drawn for number in four}) == 4 * len(keys)
    assert 0 <= epoch_seed(seed, epoch) < 2**32 and epoch_seed(seed, epoch) != epoch_seed(seed, epoch + 1)


@few(15)
@given(architectures(), seed)
def test_initial_tensors_are_xaviers_and_each_is_a_stream_of_its_own(architecture, seed):
    shapes = tensor_shapes(architecture)
    tensors = initial_tensors(shapes, seed)
    assert list(tensors) == list(shapes) and all(t.dtype == np.float32 for t in tensors.values())
    for name, tensor in tensors.items():
        assert tensor.shape == shapes[name]
        if tensor.ndim == 1:
            assert (tensor == (1 if name.endswith((".weight", "running_var")) else 0)).all()
            continue
        fans = (tensor.shape[0] + tensor.shape[1]) * math.prod(tensor.shape[2:])
        bound = math.sqrt(6 / fans)
        assert np.abs(tensor).max() <= bound * (1 + 1e-6)
        assert tensor.size < 100 or np.abs(tensor).max() > 0.9 * bound
        np.testing.assert_array_equal(initial_tensors({name: tensor.shape}, seed)[name], tensor)


@few(10)
@given(st.integers(0, 20), st.integers(1, 4))
def test_a_resumed_run_begins_with_the_epoch_after_those_that_are_done(done, more):
    begun = []
    epochs = Epochs([1, 2, 3], begun.append)
    epochs.epoch = done
    for _ in range(more):
        assert list(epochs) == [1, 2, 3]
    assert begun == list(range(done + 1, done + more + 1)) and len(epochs) == 3
