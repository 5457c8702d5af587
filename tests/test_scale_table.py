"""The record of what clusters and devices cost becomes README's section; and what measures it does so for real."""

import json
import subprocess
import sys

import pytest
from benchmarks import namespaces
from benchmarks import scale as bench
from helpers import ROOT
from PIL import Image

from shared.book import measured as reading
from shared.book import scale

TIMES = {"compute": 0.0, "wait": 0.0, "exchange": 0.002, "rest": 0.0}


def runs(workers, count, **more):
    row = {"kind": "runs", "workers": workers, "runs": count, "first": 4.0, "gaps": [0.5] * (count - 1), "last": 1.0}
    row |= {"run": [6.0] + [1.0] * (count - 1)}
    return row | {"seconds": 21.5, "home_bytes": 90_000, "turn": f"{count} runs, {workers} workers"} | more


def steps(engine, network, devices, batch, size, **more):
    row = {"kind": "steps", "engine": engine, "devices": devices, "network": network, "batch": batch, "size": size}
    row |= TIMES | {"compute": 0.1 + 0.01 * batch / devices, "bytes": 0, "gradient_bytes": 1_000_000} | more
    row |= {f"{part} processor": row[part] for part in TIMES} | {"turn": f"{engine}, {devices} devices"}
    return row | more


ROUND = [
    runs(0, 2),
    runs(0, 8),
    runs(1, 2, sent=1_000_000, client=2.0, scheduler=1.0),
    runs(1, 8, sent=1_600_000, client=2.6, scheduler=1.3, first=5.0, gaps=[2.7] + [0.7] * 6, last=1.5, seconds=27.4),
    runs(2, 8, sent=2_000_000, client=2.6, scheduler=1.3),
    runs(4, 8, sent=3_000_000, client=2.6, scheduler=1.3),
    {"kind": "hop", "seconds": 0.001, "turn": "gloo, 2 devices"},
    steps("gloo", "drawings", 2, 32, 64, bytes=2_000_000, exchange=0.05, wait=0.05),
    steps("gloo", "resnet18", 2, 16, 32, line=1e9, exchange=0.02, turn="gloo on a line"),
    *(steps("gloo", "drawings", 1, batch, 64) for batch in (32, 16, 8)),
    *(steps("gloo", "resnet18", 1, batch, 224) for batch in (8, 4, 2)),
]


@pytest.fixture
def record(tmp_path):
    """Two rounds, one twice as slow in its gaps, and the beginning of a third."""
    rows = []
    for number in (1, 2, 3):
        some = ROUND if number < 3 else ROUND[:4]
        rows += [row | {"round": number, "load": float(number)} for row in some]
    slow = {"gaps": [1.7] * 7, "seconds": 32.4}
    rows = [row | slow if (row["round"], row["turn"]) == (2, "8 runs, 1 workers") else row for row in rows]
    versions = dict.fromkeys(("mxnet", "torch", "torchvision", "numpy"), "1")
    about = {"cpu": "X", "cores": 2, "versions": versions, "images_bytes": 8_000_000, "source_bytes": 700_000}
    path = tmp_path / "scale.json"
    path.write_text(json.dumps({"about": about, "rows": rows}))
    return path


def test_costs_are_medians_over_the_whole_rounds(record):
    found = reading.read_measured(record)
    assert {row["round"] for row in found.rows} == {1, 2}
    alone, cost = reading.run_costs(found)
    # all seconds, less 8 runs of one second each, 7 gaps and what comes after the last: 21.5 - 8 - 7 * 0.5 - 1
    assert (alone.first, alone.gap, alone.last, alone.each) == (9, 0.5, 1, 0)
    # 27.4 - 8 - 7 * 0.7 - 1.5 = 13; 32.4 - 8 - 7 * 1.7 - 1.5 = 11
    assert (cost.first, cost.gap, cost.last, cost.each) == pytest.approx((12, (0.7 + 1.7) / 2, 1.5, 0.1))
    assert found.further("sent") == pytest.approx(100_000) and found.further_worker("sent") == 500_000
    step = reading.step_cost(found, "drawings")
    assert (step.once, step.image, step.packing) == pytest.approx((0.1, 0.01, 0.002))
    assert (step.gradients, step.hop) == (1_000_000, 0.001)


def test_the_section_says_what_was_recorded(record, tmp_path):
    text = scale.how_far(record)
    assert "the median of 2 rounds. The load of the machine was 1.0 to 2.0 meanwhile" in text
    assert "| by `hotdog run` alone | 21.50 | 4.00 | 0.50 | 1.00 |" in text
    assert "Between two runs lie 1.20 s on a worker and 0.50 s in `hotdog run` alone" in text
    assert "the command takes 13.5 s and 10.0 s, for starting" in text
    assert "Every run sent 100.0 kB over the network (90.0 kB are files" in text
    assert "every further worker 500.0 kB." in text and "8.0 MB and 700.0 kB for all" in text
    # 0.26 s computing, 0.05 s waiting, 0.05 s adding up
    assert (
        "| PyTorch: processes, gloo | the drawings' network | 2 | 0.360 | 0.260 | 0.050 | 0.0500 | 14% | 1.0 MB |"
        in text
    )
    # 8 ms for a million bytes, two hops of a millisecond, two milliseconds of packing
    assert "needed 0.02 s for adding up by PyTorch: processes, gloo (calculated: 0.01 s)" in text
    with Image.open(scale.plot_scale(tmp_path / "scale.png", record)) as picture:
        assert picture.width >= 700


def test_the_recorded_batches_say_up_to_which_none_lost_much():
    text = scale.batches()
    assert "| 128 | 0.012 |" in text and "4 of 4 runs" in text and "0 of 4 runs |" in text
    assert "Up to 128 no run lost more than 3 points against 32" in text


def test_sizes_and_times_in_words():
    assert [scale.size(n) for n in (12, 1_500, 44_700_000, 2e9)] == ["12 bytes", "1.5 kB", "44.7 MB", "2.0 GB"]
    assert [scale.duration(n) for n in (119, 121, 7_200, 3 * 86_400)] == ["119 s", "2.0 min", "2.0 h", "3.0 days"]


def test_gaps_are_those_of_a_worker():
    lines = [(0.5, "finetune   torch seed 0  lr 0.003, output"), (1.0, "finetune   torch seed 1  lr 0.003")]
    lines += [(2.0, "finetune   torch seed 0  epoch 0/1  test"), (3.0, "finetune   torch seed 0  epoch 1/1  loss")]
    lines += [(3.5, "finetune   torch seed 2  lr 0.003"), (4.0, "finetune   torch seed 1  epoch 1/1")]
    times = bench.moments([*lines, (6.0, "finetune   torch seed 2  epoch 1/1")])
    assert times == {0: (0.5, 3.0), 1: (1.0, 4.0), 2: (3.5, 6.0)}
    assert bench.gaps_of(times, {0: "a", 1: "b", 2: "a"}) == [0.5]


@pytest.mark.slow  # a minute, most of it the start of two dozen processes
def test_a_small_round_is_measured_and_goes_on_where_it_stopped(tmp_path, own_namespaces):
    out = tmp_path / "scale.json"
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--rounds", "1", "--runs", "3", "--steps", "1"]
    for only in ("runs, 1", "gloo, 2"):
        done = subprocess.run(
            [*command, "--images", "8", "--only", only, "--out", str(out)], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())["rows"]
    few, many = (row for row in rows if row["kind"] == "runs")
    assert many["sent"] > many["home_bytes"] > 0 and len(many["gaps"]) == 2 and many["client"] > 0
    assert few["sent"] < many["sent"]
    (two,) = (
        r for r in rows if r["kind"] == "steps" and (r["devices"], r["network"], r.get("line")) == (2, "resnet18", None)
    )
    # a ring of two: each sends its gradients once, and what TCP adds
    assert 1 < two["bytes"] / two["gradient_bytes"] / 2 < 1.1


def test_a_network_of_its_own_counts_our_bytes(own_namespaces):
    code = """
import socket
from tests.benchmarks import namespaces
namespaces.loopback_up()
before = namespaces.bytes_sent()
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
    other, _ = server.accept()
    one.sendall(bytes(100_000))
    one.close()
    while other.recv(1 << 20): pass
print(namespaces.bytes_sent() - before)
"""
    done = subprocess.run([*namespaces.UNSHARE, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 100_000 < int(done.stdout) < 110_000
    assert namespaces.without(["/a b"], ["true"])[-2:] == ["sh", "true"]
