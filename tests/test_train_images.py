"""An experiment on some of the training images: which ones, and that the test images stay."""

from dataclasses import replace

import pytest

from shared.errors import UserError
from shared.experiments import completed, experiment
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.runs.execute import execute
from shared.runs.job import Job


def test_some_of_the_training_images_in_equal_parts_and_all_test_images(images):
    dataset = load_dataset(str(images))
    some = dataset.trained_on(5)
    assert sorted(some.train.labels) == [0, 0, 0, 1, 1] and some.test == dataset.test
    assert set(some.train.names) < set(dataset.train.names) and some == dataset.trained_on(5)
    assert set(some.train.names) < set(dataset.trained_on(8).train.names)  # more images are those and others
    assert dataset.trained_on(None) == dataset == dataset.trained_on(12) == dataset.trained_on(1000)
    with pytest.raises(UserError, match="3 classes; 2 training images"):
        replace(dataset, classes=("a", "b", "c")).trained_on(2)


def test_a_run_is_trained_on_them_and_says_so(images, thin_file, tmp_path):
    one = experiment("finetune", size=32, batch_size=4, num_epochs=1, train_images=6)
    job = Job(one, "torch", 0, str(images), str(thin_file), device="cpu", out=tmp_path, numbers_only=True)
    run = execute(job, load_dataset(job.data), load_source(job.source))
    assert (run.dataset["train"], run.dataset["test"], run.experiment["train_images"]) == (6, 8, 6)
    assert (
        run.dataset["fingerprint"] == load_dataset(job.data).fingerprint
    )  # the images there are, not those that are used


def test_a_number_that_cannot_be_is_refused_and_old_records_had_all():
    with pytest.raises(UserError, match="train_images is 1"):
        experiment("finetune", train_images=1)
    old = experiment("finetune").as_dict()
    del old["train_images"]
    assert completed(old)["train_images"] is None
