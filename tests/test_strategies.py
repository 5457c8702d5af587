"""Strategies as numbers: stages by name, what is trained when, multiples and factors of the rate, smoothed labels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import strategies
from shared.errors import UserError
from shared.experiments import EXPERIMENTS, PRESETS, STRATEGIES, Experiment, completed, experiment
from shared.networks.architecture import family, tensor_shapes
from shared.strategies import STAGES

NETWORKS = [(a.name, list(tensor_shapes(a))) for a in family().values()]
every_network = pytest.mark.parametrize(("name", "tensors"), NETWORKS, ids=[name for name, _ in NETWORKS])
# What a user can write: stages from the top down, one for each epoch.
downward = st.lists(st.sampled_from(STAGES), min_size=1, max_size=7).map(
    lambda words: " ".join(sorted(words, key=STAGES.index, reverse=True))
)


@every_network
def test_stages_follow_the_network_from_its_stem_to_its_output(name, tensors):
    depths = [STAGES.index(strategies.stage_of(tensor)) for tensor in tensors]
    assert depths == sorted(depths) and set(depths) == set(range(6))


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("features.conv1.weight", "stem"),
        ("features.bn0.running_mean", "stem"),
        ("features.bn1.weight", "stem"),
        ("features.layer1.0.bn2.weight", "layer1"),
        ("features.layer3.1.downsample.0.weight", "layer3"),
        ("features.layer4.1.bn3.running_var", "layer4"),
        ("features.bn2.weight", "layer4"),
        ("features.bn2", "layer4"),
        ("output.bias", "output"),
    ],
)
def test_stage_of_a_tensor(name, stage):
    assert strategies.stage_of(name) == stage


@every_network
@pytest.mark.parametrize("start", STAGES)
def test_a_tensor_is_kept_or_trained_or_collected(start, name, tensors):
    for tensor in tensors:
        kept, trained = strategies.is_kept(tensor, start), strategies.is_trained(tensor, start)
        collected = "running_" in tensor or tensor in ("features.bn0.weight", "features.bn0.bias")
        assert trained == (not kept and not collected), tensor
    assert strategies.is_trained("output.weight", start)
    assert not any(strategies.is_kept(t, "stem") for t in tensors)


@given(downward, st.integers(1, 12))
def test_what_is_trained_once_stays_trained(trained_from, epoch):
    now, then = (STAGES.index(strategies.stage_at(trained_from, e)) for e in (epoch, epoch + 1))
    assert then <= now
    words = trained_from.split()
    assert strategies.stage_at(trained_from, epoch) == (words + [words[-1]] * epoch)[epoch - 1]
    assert strategies.stage_at(trained_from, 0) == words[0]


@given(downward)
def test_an_experiment_takes_stages_from_the_top_down_only(trained_from):
    one = Experiment("x", trained_from=trained_from)
    assert one.frozen == (set(trained_from.split()) == {"output"})
    words = trained_from.split()
    if words != words[::-1]:
        with pytest.raises(UserError, match="go down"):
            Experiment("x", trained_from=" ".join(words[::-1]))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("trained_from", "layer5", "layer5"),
        ("trained_from", "", "trained_from"),
        ("trained_from", "output, stem", "output,"),
        ("stage_decay", 1.5, "stage_decay is 1.5"),
        ("stage_decay", float("nan"), "stage_decay is nan"),
        ("label_smoothing", -0.1, "label_smoothing is -0.1"),
        ("schedule", "cosine", "schedule is 'cosine'"),
        ("lock_batch_norm", True, "locked"),
        ("optimizer", "adam", "optimizer is 'adam'"),
        ("mixing", "mix", "mixing is 'mix'"),
        ("augmentation", "weak", "augmentation is 'weak'"),
        ("dropout", 1.0, "dropout is 1.0"),
        ("clip_norm", float("nan"), "clip_norm is nan"),
        ("patience", -1, "patience is -1"),
    ],
)
def test_wrong_strategies_are_refused_in_one_line(field, value, words):
    with pytest.raises(UserError, match=words) as refused:
        Experiment("x", **{field: value})
    assert len(str(refused.value).splitlines()) == 1


@given(st.floats(0, 1), st.floats(0, 100))
def test_multiples_of_the_rate_fall_by_one_factor_from_stage_to_stage(decay, head):
    one = Experiment("x", stage_decay=decay, head_lr_mult=head)
    of = {stage: strategies.rate_multiple(f"features.{stage}.0.conv1.weight", one) for stage in STAGES[1:5]}
    of["stem"] = strategies.rate_multiple("features.conv1.weight", one)
    assert of["layer4"] == strategies.rate_multiple("features.bn2.bias", one) == 1
    for below, above in zip(STAGES[:4], STAGES[1:5], strict=True):
        assert of[below] == pytest.approx(decay * of[above], rel=1e-12)
    assert strategies.rate_multiple("output.weight", one) == head


@given(st.integers(1, 3000))
@settings(max_examples=60)
def test_warmup_cosine_climbs_to_one_and_falls_to_nearly_nothing(updates):
    factors = [strategies.rate_factor("warmup-cosine", u, updates) for u in range(updates)]
    peak = factors.index(max(factors))
    climb = math.ceil(updates / 10)
    assert factors[climb - 1] == 1 and peak == climb - 1
    assert all(0 < f <= 1 for f in factors)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    # half a cosine whose end, nothing, is never reached
    exact = [0.5 * (1 + math.cos(math.pi * k / (updates - climb + 1))) for k in range(updates - climb + 1)]
    assert np.allclose(factors[peak:], exact, rtol=2**-12, atol=0)


@given(st.floats(1e-6, 1), st.integers(1, 4096))
def test_factors_times_rates_of_few_digits_are_exact_in_float32(rate, update):
    factor = strategies.rate_factor("warmup-cosine", update - 1, 4096)
    product = strategies.rounded(rate, 8) * factor
    assert float(np.float32(product)) == product


def test_a_constant_rate_stays():
    assert {strategies.rate_factor("constant", u, 9) for u in range(9)} == {1.0}


@given(st.floats(0, 1), st.integers(2, 1000))
def test_smoothed_labels_add_up_and_are_the_papers(epsilon, classes):
    right, wrong = strategies.smoothed(epsilon, classes)
    assert right + (classes - 1) * wrong == pytest.approx(1, abs=1e-12)
    assert wrong == pytest.approx(epsilon / classes) and right == pytest.approx(1 - epsilon + epsilon / classes)


def test_every_strategy_is_one_change_and_has_rates_for_every_source():
    plain = Experiment("x").as_dict()
    for one in STRATEGIES.values():
        changes = {key for key, value in one.as_dict().items() if value != plain[key]} - {"name", "lock_batch_norm"}
        assert len(changes - ({"learning_rate"} if one.name == "adamw" else set())) == 1, one
    assert not set(EXPERIMENTS) & set(STRATEGIES)
    for name in STRATEGIES.keys() - {"adamw"}:  # its rate is no rate of SGD's
        for preset in PRESETS:
            assert experiment(name, preset).learning_rate == experiment("finetune", preset).learning_rate


def test_frozen_is_an_old_spelling():
    assert completed({"name": "x", "frozen": True}) == Experiment("x", trained_from="output").as_dict()
    assert completed({"name": "x", "frozen": False}) == Experiment("x").as_dict()
    assert completed({"name": "x", "frozen": True, "lock_batch_norm": True})["lock_batch_norm"]
