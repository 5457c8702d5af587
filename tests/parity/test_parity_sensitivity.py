"""The measurement of how small a fault is seen: every fault can be planted and does what its name says, and counts are right."""

import numpy as np
import pytest
import torch

import gluon_impl.training
import torch_impl.data
import torch_impl.resnet_v2
import torch_impl.training
from shared.experiments import experiment
from shared.networks.reading import load_source
from shared.parity.comparisons import write_record
from shared.parity.outcomes import Outcome

from . import planting, sensitivity
from .sensitivity import FAULTS, NONE, framework_of, jobs_of, rows_of, table, units, verdict_of


def named(words):
    return next(one for one in FAULTS if words in one.name)


@pytest.mark.parametrize("one", FAULTS, ids=lambda one: one.name)
def test_parity_sensitivity_faults_can_be_planted_and_are_undone(one):
    before = torch_impl.training.make_trainer, gluon_impl.training.make_trainer, torch_impl.data.train_iter
    with planting.planted(one):
        pass
    assert before == (
        torch_impl.training.make_trainer, gluon_impl.training.make_trainer, torch_impl.data.train_iter,
    )  # fmt: skip


def groups():
    net = torch_impl.nets.finetune_net(load_source("mini"), 2)
    return torch_impl.training.make_trainer(net, experiment("finetune", "mini"), torch.device("cpu")).param_groups


def test_parity_sensitivity_rates_and_decay():
    rate = experiment("finetune", "mini").learning_rate
    with planting.planted(named("8 times")):
        assert [g["lr"] / rate for g in groups()] == pytest.approx([1, 8])
    with planting.planted(named("12 times")):
        assert [g["lr"] / rate for g in groups()] == pytest.approx([1, 12])
    with planting.planted(named("no weight decay")):
        found = sorted(groups(), key=lambda g: (g["lr"], -g["weight_decay"]))
        assert [g["weight_decay"] for g in found] == [0.001, 0, 0.001, 0]
        assert [g["lr"] / rate for g in found] == pytest.approx([1, 1, 10, 10])
        assert all(p.ndim == 1 for g in found[1::2] for p in g["params"])
    assert sum(len(g["params"]) for g in found) == sum(len(g["params"]) for g in groups())


def test_parity_sensitivity_images(drawings):
    def all_of(draws):
        batches = list(torch_impl.data.train_iter(drawings.train, 32, 80, 3, draws))
        return torch.cat([X for X, _ in batches]), torch.cat([y for _, y in batches])

    X, y = all_of("shared")
    with planting.planted(named("no mirroring")):
        plain, _ = all_of("shared")
        assert "RandomHorizontalFlip" not in str(torch_impl.data.train_augs(32))
    turned = [not torch.equal(a, b) for a, b in zip(X, plain, strict=True)]
    assert 0.25 < np.mean(turned) < 0.75
    assert all(torch.equal(a.flip(-1), b) for a, b, t in zip(X, plain, turned, strict=True) if t)
    with planting.planted(named("another class")):
        again, noisy = all_of("shared")
        own = all_of("own")[1]
    assert torch.equal(again, X) and int((noisy != y).sum()) == 80 // 50
    assert int(own.sum()) != int(y.sum())


def test_parity_sensitivity_momentum():
    with planting.planted(named("momentum")):
        net = torch_impl.nets.build_net(load_source("mini").architecture)
        found = {m.momentum for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert found == {0.9}


def test_parity_sensitivity_units_are_whole_and_apart(tmp_path):
    found = units(tmp_path, 3, "mini")
    assert len(found) == 2 * (2 + len(FAULTS))
    jobs = [job for *_, some in found for job in some]
    assert len(set(jobs)) == len(jobs) == 3 * len(found)
    for one, framework, draws, some in found:
        assert {(job.framework, job.draws) for job in some} == {(framework, draws)}
        assert one is None or framework == framework_of(one)
    assert jobs_of(NONE, "gluon", "own", tmp_path, 1, "mini")[0].out == tmp_path / "no-fault"


def outcomes(name, framework, accuracies, draws="shared"):
    labels = np.arange(1000) % 2
    made = []
    for seed, a in enumerate(accuracies):
        p = np.where(np.arange(1000) < a * 1000, labels, 1 - labels)
        probabilities = np.stack([1 - p, p], axis=-1)[None].astype(float)
        made.append(
            Outcome(
                name, framework, seed, (0.5, a, a, a), probabilities.argmax(-1) == labels, probabilities, labels, draws
            )
        )
    return made


def test_parity_sensitivity_table_says_what_is_seen(tmp_path):
    rng = np.random.default_rng(0)
    sound = rng.normal(0.85, 0.02, 10).round(3)
    noise = rng.normal(0, 0.003, 10).round(3)
    some = outcomes(NONE, "gluon", sound) + outcomes(NONE, "torch", sound + noise)
    some += outcomes("seen", "torch", sound - 0.08) + outcomes("missed", "gluon", sound + 0.001)
    header, rows = rows_of(some)
    assert len(header) <= 8 and [row[0] for row in rows] == [NONE, "seen", "missed"]
    by = {row[0]: row for row in rows}
    assert by["seen"][1] == "PyTorch" and by["missed"][1] == "Gluon"
    assert by["seen"][2].startswith("-0.080 (") and by["seen"][4].endswith("different, different")
    assert by[NONE][4].endswith("equivalent, equivalent")
    assert by["missed"][4] == "equivalent, equivalent, equivalent" or "%" in by["missed"][4]
    write_record(tmp_path / "record.json", {"experiments": []}, some)
    assert table(tmp_path / "record.json").count("\n|") == len(rows) + 2


def test_parity_sensitivity_counts_over_choices_of_pairs():
    sound = [0.80, 0.82, 0.84, 0.86]
    pairs = list(zip(outcomes(NONE, "gluon", sound), outcomes(NONE, "torch", sound), strict=True))
    assert verdict_of(pairs, 4, 0.03) == "equivalent" and verdict_of(pairs, 5, 0.03) == "–"
    far = list(zip(outcomes(NONE, "gluon", sound), outcomes(NONE, "torch", [0.80, 0.82, 0.84, 0.99]), strict=True))
    assert verdict_of(far, 3, 0.03) == "undecided 75%"  # the choice without the last pair is equivalent
    assert sensitivity.verdict_of(far, 3, 0.03, most=2).split()[0] in ("undecided", "equivalent")
