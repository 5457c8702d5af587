"""An error while images are loaded names the file and keeps its reason, whoever loaded it: this process, threads, processes."""

import pytest

from shared.errors import FailedRun, UserError, reason_of
from shared.images.folders import load_dataset
from shared.runs.failures import LoadingError, explained
from shared.runs.frameworks import FRAMEWORKS, implementation

SPOIL = {
    "gone": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "no image": lambda file: file.write_bytes(b"nothing"),
}


CASES = [(f, w, what) for f in FRAMEWORKS for w in (0, 2) for what in SPOIL if (f, w) != ("torch", 2)]
CASES.append(("torch", 2, "no image"))  # one of them: starting processes takes seconds


@pytest.mark.parametrize(("framework", "workers", "what"), CASES)
def test_an_image_that_can_no_longer_be_read_is_named(framework, workers, what, images):
    dataset = load_dataset(str(images))
    file = dataset.test.folder / dataset.test.names[2]
    SPOIL[what](file)
    data = implementation(framework, "data")
    with pytest.raises(Exception) as caught:  # noqa: B017, PT011 (each framework has kinds of its own)
        for X, _ in data.test_iter(dataset.test, 32, 4, workers):
            X.sum().item()
    error = explained(caught.value, [dataset.train, dataset.test])
    assert isinstance(error, LoadingError) and isinstance(error, FailedRun)
    assert str(file) in str(error) and "Traceback" not in str(error) and len(str(error).splitlines()) == 1


def test_an_error_that_has_another_cause_stays(images):
    dataset = load_dataset(str(images))
    for error in (
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
        UserError("x"),
        ValueError("y"),
    ):
        assert explained(error, [dataset.train]) is error
    assert "--workers" in reason_of(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "))
