"""`--precision`: opt-in, PyTorch's alone, what it changes and what it leaves."""

import numpy as np
import pytest
import torch

from shared.errors import UserError
from shared.experiments import experiment
from shared.networks.architecture import Architecture
from shared.runs.execute import execute
from shared.runs.find import completed_runs
from shared.runs.job import Job
from shared.runs.tables import results_table
from torch_impl import devices, nets, training
from torch_impl.devices import check_precision, low_precision

CPU = torch.device("cpu")
WITH_UNITS = devices._computes_bf16(torch, CPU)
NO_UNITS = "this processor has no bf16 units, and --precision bf16 is refused without"


@pytest.fixture
def net():
    training.seed_everything(0)
    return nets.scratch_net(Architecture(1, channels=(8, 8, 16, 24, 32)), 2)


@pytest.fixture
def batch():
    draws = np.random.default_rng(0)
    return torch.from_numpy(draws.normal(size=(8, 3, 32, 32)).astype("float32")), torch.arange(8) % 2


def logits(net, batch):
    with torch.no_grad():
        return net(batch[0])


def test_bf16_rounds_what_the_layers_compute_and_hands_out_float32(net, batch):
    net.eval()
    exact = logits(net, batch)
    with low_precision("bf16", net, CPU):
        low = logits(net, batch)
    assert low.dtype == torch.float32
    assert 1e-5 < float((low - exact).abs().max() / exact.abs().max()) < 0.05  # bf16 keeps 8 bits: 4e-3 a rounding
    assert torch.equal(logits(net, batch), exact)  # and it is over


def test_bf16_sees_every_update_of_the_weights(net, batch):
    """Autocast's copies of the weights outlive an update where it is entered once for a whole training."""
    plan = experiment("finetune", learning_rate=0.5, head_lr_mult=1.0, num_epochs=3, batch_size=8, size=32)
    epochs = []
    with low_precision("bf16", net, CPU):
        training.train_fine_tuning(net, [batch], [batch], plan, CPU, lambda epoch: epochs.append(epoch))
        low = training.predict_probabilities(net, [batch], CPU)[0]
    exact = training.predict_probabilities(net, [batch], CPU)[0]
    assert np.abs(low - exact).max() < 0.05  # the trained weights themselves, computed with in either way
    assert np.abs(epochs[0].test_probabilities - exact).max() > 0.05  # which are not those of the beginning


def test_weights_gradients_and_updates_stay_float32(net, batch):
    with low_precision("bf16", net, CPU):
        net.train()
        torch.nn.functional.cross_entropy(net(batch[0]), batch[1]).backward()
    assert {p.grad.dtype for p in net.parameters()} == {torch.float32} == {p.dtype for p in net.parameters()}


def test_it_is_undone_where_training_fails(net, batch):
    exact = logits(net.eval(), batch)
    with pytest.raises(ZeroDivisionError), low_precision("bf16", net, CPU):
        raise ZeroDivisionError
    assert torch.equal(logits(net, batch), exact)


def test_tf32_switches_are_put_back():
    flags = torch.backends.cudnn, torch.backends.cuda.matmul
    with low_precision("tf32", None, CPU):
        assert all(flag.allow_tf32 for flag in flags)
    assert not any(flag.allow_tf32 for flag in flags)


def test_refused_where_there_are_no_units(monkeypatch):
    with pytest.raises(UserError, match=r"8\.0 or above"):
        check_precision("tf32", CPU)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    with pytest.raises(UserError, match="no bf16 units"):
        check_precision("bf16", CPU)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(UserError, match=r"8\.0 or above"):
        check_precision("tf32", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    with pytest.raises(UserError, match="no bf16 units"):
        check_precision("bf16", torch.device("cuda"))


def test_a_job_knows_its_precision():
    with pytest.raises(UserError, match="fp32, tf32, bf16"):
        Job(experiment("finetune"), "torch", 0, "mini", "mini", precision="fp16")


@pytest.mark.skipif(not WITH_UNITS, reason=NO_UNITS)
def test_a_run_in_bf16_is_recorded_as_one_and_is_no_twin_of_others(tmp_path):
    plan = experiment("finetune", "mini", num_epochs=1)
    jobs = [
        Job(plan, "torch", 0, "mini", "mini", limit=40, device="cpu", out=tmp_path, precision=p)
        for p in ("fp32", "bf16")
    ]
    dataset, source = jobs[0].load()
    exact, low = (execute(job, dataset, source) for job in jobs)
    assert [run.device["precision"] for run in (exact, low)] == ["fp32", "bf16"]
    assert exact.epochs[1]["train_loss"] != low.epochs[1]["train_loss"]
    assert exact.epochs[1]["train_loss"] == pytest.approx(low.epochs[1]["train_loss"], abs=0.05)
    assert completed_runs(jobs, [exact, low], dataset, source) == dict(zip(jobs, (exact, low), strict=True))
    assert [row[0] for row in results_table([exact, low])[1]] == ["finetune", "finetune in bf16"]
