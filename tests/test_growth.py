"""How time and memory grow, from made points whose growth is known."""

import json

import pytest

from shared.book import growth


def row(framework, images, batch, size, seconds, peak):
    return {
        "framework": framework,
        "images": images,
        "batch": batch,
        "size": size,
        "round": 0,
        "trained": images,
        "seconds": seconds,
        "peak_mib": peak,
    }


ROWS = [
    *(row("gluon", n, 32, 64, n / 100, 1000) for n in (100, 200, 400)),
    *(row("torch", n, 32, 64, (n / 100) ** 2, 10 * n) for n in (100, 200, 400)),
    *(row(f, 128, b, 64, 2.0, 500 + b) for f in ("gluon", "torch") for b in (8, 16)),
    *(row(f, 130, 32, s, s / 10, s) for f in ("gluon", "torch") for s in (96, 224)),
]


def test_one_axis_at_a_time():
    along = growth.series(ROWS, "images")
    assert [p["value"] for p in along["gluon"]] == [100, 200, 400]
    assert [p["per_image"] for p in along["torch"]] == pytest.approx([10, 20, 40])
    assert [p["peak_mib"] for p in growth.series(ROWS, "batch")["torch"]] == [508, 516]
    assert [p["seconds"] for p in growth.series(ROWS, "size")["gluon"]] == pytest.approx([9.6, 22.4])


def test_the_exponent_of_growth():
    along = growth.series(ROWS, "images")
    assert growth.slope(along["gluon"], "seconds") == pytest.approx(1)
    assert growth.slope(along["torch"], "seconds") == pytest.approx(2)
    assert growth.slope(along["gluon"], "peak_mib") == pytest.approx(0)


def test_table_and_plot(tmp_path):
    versions = dict.fromkeys(("mxnet", "torch", "torchvision", "numpy"), "1")
    record = {"about": {"cpu": "X", "cores": 2, "versions": versions}, "rows": ROWS}
    (tmp_path / "growth.json").write_text(json.dumps(record))
    text = growth.growth(tmp_path / "growth.json")
    assert "| training images | 400 | 4.0 | 16.0 | 10.0 | 40.0 | 1,000 | 4,000 |" in text
    assert "in PyTorch the time of an epoch goes with the images to the power of 2.00" in text
    assert growth.plot_growth(tmp_path / "g.png", tmp_path / "growth.json").stat().st_size > 5000
