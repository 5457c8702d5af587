"""Where the two frameworks' own ways of fine-tuning part: each a number, so that it is noticed when a framework changes.

None of it is used by the implementations; the comments there say what is done instead.
"""

import mxnet as mx
import numpy as np
import pytest
import torch
from helpers import THIN, random_source
from mxnet import autograd, gluon

import gluon_impl.training  # noqa: F401 (MXNet, set up as it has to be, before torch; and adamw)
from shared.networks.architecture import Architecture
from shared.runs.frameworks import implementation

SHALLOW = Architecture(2, layers=(1, 1, 1, 1), channels=THIN)


def gluon_weight(value=1.0, dtype="float64"):
    weight = gluon.Parameter("weight", shape=(1,), dtype=dtype, init=mx.init.Constant(value))
    weight.initialize()
    return weight


def gluon_step(weight, trainer, gradient=1.0):
    with autograd.record():
        loss = (weight.data() * gradient).sum()
    loss.backward()
    trainer.step(1)
    return float(weight.data().asnumpy()[0])


def torch_steps(optimizer, weight, schedule=None, steps=1, gradient=1.0):
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        (weight * gradient).sum().backward()
        optimizer.step()
        if schedule:
            schedule.step()
        values.append(float(weight.detach()[0]))
    return values


def test_everything_set_free_trains_what_gluon_never_does():
    net = implementation("torch", "nets").finetune_net(random_source(SHALLOW), 2)
    net.requires_grad_(True)  # the line that every course has
    assert net.features.bn0.weight.requires_grad
    implementation("torch", "nets").freeze_features(net, below="stem")
    assert not net.features.bn0.weight.requires_grad
    net = implementation("gluon", "nets").finetune_net(random_source(SHALLOW), 2)
    net.collect_params().setattr("grad_req", "write")
    assert implementation("gluon", "nets").named_parameters(net)["features.bn0.weight"].grad_req == "null"


def test_use_global_stats_is_not_noticed_by_a_network_that_is_compiled():
    net = gluon.nn.BatchNorm(in_channels=1)
    net.initialize()
    net.hybridize(static_alloc=True)
    X = mx.np.array([[1.0], [3.0]])

    def out():
        with autograd.train_mode():
            return net(X).asnumpy().ravel()

    assert out()[0] == pytest.approx(-1, abs=1e-3)  # by the batch
    net._kwargs["use_global_stats"] = True
    assert out()[0] == pytest.approx(-1, abs=1e-3)
    net.hybridize(static_alloc=True)
    assert out()[0] == pytest.approx(1, abs=1e-3)  # by the running statistics, 0 and 1


def test_gluons_schedule_begins_with_the_second_factor_and_torchs_with_the_first():
    class Halving(mx.lr_scheduler.LRScheduler):
        def __call__(self, num_update):
            return self.base_lr * 0.5**num_update

    weight = gluon_weight(0.0)
    trainer = gluon.Trainer([weight], "sgd", {"lr_scheduler": Halving(base_lr=1.0)})
    assert gluon_step(weight, trainer) == -0.5  # f(1)
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda update: 0.5**update)
    assert torch_steps(optimizer, weight, schedule) == [-1.0]  # f(0)


def test_gluons_trainer_ignores_its_rate_beside_a_scheduler():
    schedule = mx.lr_scheduler.CosineScheduler(100)
    trainer = gluon.Trainer([gluon_weight()], "sgd", {"learning_rate": 5.0, "lr_scheduler": schedule})
    assert trainer.learning_rate == pytest.approx(0.01)  # the scheduler's own, unless it is given base_lr


def test_one_cycle_gives_plain_sgd_a_momentum():
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.5)
    torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    assert optimizer.param_groups[0]["momentum"] == 0.95


def test_momentum_keeps_the_old_rate_in_mxnet_only():
    """Five halvings of the rate with momentum 0.9 lead far apart, so rates change only where there is no momentum here."""
    weight = gluon_weight(0.0)
    trainer = gluon.Trainer([weight], "sgd", {"learning_rate": 1.0, "momentum": 0.9})
    moved = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([moved], lr=1.0, momentum=0.9)
    for step in range(6):
        trainer.set_learning_rate(0.5**step)
        optimizer.param_groups[0]["lr"] = 0.5**step
        ours = gluon_step(weight, trainer)
        (theirs,) = torch_steps(optimizer, moved)
    assert abs(ours - theirs) / abs(theirs) > 0.2


def test_frozen_weights_go_on_moving_where_gradients_are_zero_and_not_none():
    weight = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1, weight_decay=0.5)
    torch_steps(optimizer, weight)
    weight.requires_grad_(False)
    before = weight.clone()
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    assert not torch.equal(weight, before)  # decay alone moves it
    before = weight.clone()
    optimizer.zero_grad()  # to None, as is the default
    optimizer.step()
    assert torch.equal(weight, before)


def test_gluons_clipping_fails_on_numpy_arrays():
    with pytest.raises(Exception):  # noqa: B017 (which one differs with the version)
        gluon.utils.clip_global_norm([mx.np.ones(3)], 1.0)


def test_adams_epsilon_stands_before_the_correction_in_mxnet_and_behind_it_in_torch():
    """With a gradient as small as epsilon the first steps are 31 times apart; our AdamW makes up for it."""
    steps, gradient = {}, 1e-8
    for kind in ("adam", "adamw"):
        weight = gluon_weight(0.0)
        steps[kind] = gluon_step(weight, gluon.Trainer([weight], kind, {"learning_rate": 1e-3}), gradient)
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (expected,) = torch_steps(torch.optim.AdamW([weight], lr=1e-3, weight_decay=0.0), weight, gradient=gradient)
    assert steps["adamw"] == pytest.approx(expected, rel=1e-6)
    assert abs(steps["adam"] / expected - 1) > 0.5


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adamw_is_torchs(decay):
    rng = np.random.default_rng(0)
    weight = gluon_weight(1.0)
    trainer = gluon.Trainer([weight], "adamw", {"learning_rate": 0.01, "wd": decay})
    other = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.AdamW([other], lr=0.01, weight_decay=decay)
    for gradient in rng.normal(size=50):
        ours = gluon_step(weight, trainer, gradient)
        (theirs,) = torch_steps(optimizer, other, gradient=gradient)
        assert ours == pytest.approx(theirs, rel=1e-6)
