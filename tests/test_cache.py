"""--cache-mib: what is kept in memory is what would have been made again, up to the limit, and changes no number."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import hotdog, write_images
from PIL import Image

from shared.experiments import experiment
from shared.images import cache
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.runs.execute import execute
from shared.runs.frameworks import FRAMEWORKS, implementation
from shared.runs.job import Job
from shared.runs.record import read_epoch_probabilities


@pytest.fixture(autouse=True)
def nothing_kept():
    cache.set_limit(0)
    yield
    cache.set_limit(0)


def arrays(batches):
    return [(np.array(X.tolist()), np.array(y.tolist())) for X, y in batches]


def decodings(monkeypatch, data):
    """A list that grows by the file of every image that `data` decodes."""
    seen, own = [], data.CACHE.image

    def image(file, decode, size_of):
        return own(file, counted.setdefault(decode, lambda f: seen.append(f) or decode(f)), size_of)

    counted = {}
    monkeypatch.setattr(data.CACHE, "image", image)
    return seen


@pytest.mark.parametrize("draws", ["own", "shared"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_batches_are_the_same_bit_for_bit_and_no_file_is_decoded_twice(framework, draws, images, monkeypatch):
    data, train = implementation(framework, "data"), load_dataset(str(images)).train
    without = [arrays(batches) for batches in [data.train_iter(train, 32, 5, seed=3, draws=draws)] for _ in range(2)]
    cache.set_limit(64)
    seen = decodings(monkeypatch, data)
    batches = data.train_iter(train, 32, 5, seed=3, draws=draws)
    for before in without:
        for (X, y), (X_kept, y_kept) in zip(before, arrays(batches), strict=True):
            assert np.array_equal(X, X_kept) and np.array_equal(y, y_kept)
    assert len(seen) == len(set(seen)) == len(train)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_more_is_kept_than_the_limit_allows(framework, tmp_path, monkeypatch):
    counts = {(split, name): 4 for split in ("train", "test") for name in ("a", "b")}
    train = load_dataset(str(write_images(tmp_path / "large", counts, size=400))).train
    cache.set_limit(1)  # an image takes 0.46 MiB in Gluon and 0.61 in PIL
    data = implementation(framework, "data")
    seen = decodings(monkeypatch, data)
    for _ in range(2):
        list(data.train_iter(train, 32, 8, draws="shared"))
    assert len(seen) == 8 + 8 - {"gluon": 2, "torch": 1}[framework]
    assert 0 < cache.CACHE.used <= 2**20
    assert cache.prepared(["as they are"], framework, train, 224, 8) == ["as they are"]  # 4.6 MiB


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_file_that_has_changed_is_decoded_anew(framework, tmp_path):
    cache.set_limit(1)
    file = tmp_path / "x.png"
    read = implementation(framework, "data").read_image
    for colour in ((9, 9, 9), (200, 0, 0)):
        Image.new("RGB", (8, 8 + colour[0]), colour).save(file)
        assert tuple(np.array(read(str(file)).tolist() if framework == "gluon" else read(str(file)))[0, 0]) == colour


def test_test_batches_are_prepared_once_and_never_in_part():
    cache.set_limit(1)
    made = []

    def batches():
        for i in range(3):
            made.append(i)
            yield i

    class Loader:
        __iter__ = staticmethod(batches)
        __len__ = staticmethod(lambda: 3)

    few = cache.prepared(Loader(), "gluon", (1, 2, 3), 8, 1)
    next(iter(few))  # left after the first batch: nothing is kept of that
    assert list(few) == list(few) == [0, 1, 2] and made == [0, 0, 1, 2] and len(few) == 3
    again = cache.prepared(Loader(), "gluon", (1, 2, 3), 8, 1)
    assert list(again) == [0, 1, 2] and len(made) == 4  # the next run of this process finds them
    assert list(cache.prepared(Loader(), "torch", (1, 2, 3), 8, 1)) == [0, 1, 2] and len(made) == 7


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", ["finetune", "frozen-locked"])
def test_a_run_comes_out_the_same_bit_for_bit(framework, name, images, tmp_path):
    dataset, source = load_dataset(str(images)), load_source("mini")
    plan = experiment(name, "mini", num_epochs=2, size=32, batch_size=5)
    job = Job(plan, framework, 0, "pictures", "mini", out=tmp_path, cache_mib=0)
    one, other = (execute(replace(job, cache_mib=mib), dataset, source) for mib in (0, 64))
    assert cache.CACHE.used > 0 and (one.device["cache_mib"], other.device["cache_mib"]) == (0, 64)
    assert np.array_equal(read_epoch_probabilities(one)[1], read_epoch_probabilities(other)[1])
    for file in ("test_probabilities.csv", "weights.safetensors"):
        assert (one.folder / file).read_bytes() == (other.folder / file).read_bytes()


def test_the_command_refuses_a_negative_limit():
    done = hotdog("run", "finetune", "--cache-mib", "-1")
    assert done.returncode == 2 and "--cache-mib" in done.stderr and "Traceback" not in done.stderr
