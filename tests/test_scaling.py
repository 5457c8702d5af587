"""The model of how far runs and devices go, against values calculated by hand."""

import pytest

from shared.book.scaling import (
    RunCost,
    StepCost,
    line_through,
    ring,
    ring_bytes,
    server,
    speedup_of_runs,
    speedup_of_steps,
    step_seconds,
    stops_paying,
    time_of_runs,
)

CLUSTER = RunCost(first=10, gap=2, last=3, each=0.5)
ALONE = RunCost(first=4, gap=1, last=1)


@pytest.mark.parametrize(
    ("runs", "workers", "seconds", "wanted"),
    [
        (1, 1, 20, 10 + 20 + 3),
        (10, 1, 20, 10 + 10 * 20 + 9 * 2 + 3),
        (10, 4, 20, 10 + 3 * 20 + 2 * 2 + 3),  # one of four workers has three runs
        (10, 100, 20, 10 + 20 + 3),  # ninety have none
        (1000, 100, 20, 10 + 1000 * 0.5 + 3),  # the client: 500 s, where the workers need 10 * 20 + 9 * 2 = 218 s
    ],
)
def test_time_of_runs(runs, workers, seconds, wanted):
    assert time_of_runs(runs, workers, seconds, CLUSTER) == pytest.approx(wanted)


def test_runs_alone_and_on_a_cluster():
    # alone: 4 + 10 * 20 + 9 * 1 + 1 = 214 s; five workers: 10 + 2 * 20 + 1 * 2 + 3 = 55 s
    assert speedup_of_runs(10, 5, 20, CLUSTER, ALONE) == pytest.approx(214 / 55)


COST = StepCost(once=0.1, image=0.01, packing=0.02, gradients=1_000_000, hop=0.001)
LINE = 80e6  # ten million bytes a second


def test_what_is_added_up_and_how():
    assert [ring_bytes(n, 1_000_000) for n in (1, 2, 4)] == [0, 1_000_000, 1_500_000]
    assert ring(4, COST, LINE) == pytest.approx(0.15 + 6 * 0.001)
    assert server(4, COST, LINE) == pytest.approx(0.8 + 2 * 0.001)


def test_steps():
    assert step_seconds(1, 128, COST, LINE) == pytest.approx(0.1 + 1.28)  # nothing is added up
    assert step_seconds(4, 128, COST, LINE) == pytest.approx(0.1 + 0.32 + 0.02 + 0.156)
    assert step_seconds(3, 128, COST, LINE) == pytest.approx(0.1 + 0.43 + 0.02 + (8 * 4 / 3 / 80 + 0.004))
    assert step_seconds(4, 128, COST, LINE, server) == pytest.approx(0.1 + 0.32 + 0.02 + 0.802)
    assert speedup_of_steps(4, 128, COST, LINE) == pytest.approx(1.38 / 0.596)


def test_faster_devices_have_the_same_network():
    fast = COST.faster(10)
    assert (fast.once, fast.image, fast.packing) == pytest.approx((0.01, 0.001, 0.002))
    assert (fast.gradients, fast.hop) == (COST.gradients, COST.hop)
    assert speedup_of_steps(4, 128, fast, LINE) < speedup_of_steps(4, 128, COST, LINE)


def test_where_it_stops_paying():
    assert stops_paying(lambda n: 4.0, 64) == 8
    assert stops_paying(lambda n: n, 64) == 64
    assert stops_paying(lambda n: 0.9, 64) == 1


def test_a_line_through_measured_points():
    assert line_through([(1, 3.0), (2, 5.0), (3, 7.0)]) == pytest.approx((1, 2))
    assert line_through([(1, 3.0), (2, 5.5), (3, 7.0)]) == pytest.approx((7 / 6, 2))
    # it would begin at -1: 1 * 1 + 2 * 3 + 3 * 5 = 22 over 1 + 4 + 9 = 14
    assert line_through([(1, 1.0), (2, 3.0), (3, 5.0)]) == pytest.approx((0, 22 / 14))
