"""Carry out a job and record it as it goes: begin or go on, train, write what remains."""

import contextlib
import math
import sys

import numpy as np
from safetensors.numpy import save_file

from shared.epochs import EpochMetrics
from shared.errors import FailedRun, reason_of
from shared.files import new_folder, write_atomically
from shared.images.cache import prepared, set_limit
from shared.images.splits import Dataset, class_weights
from shared.networks.source import Source
from shared.runs.best import EndOfTraining, best_epoch, keep, kept, mean_loss, remove_kept, stopped
from shared.runs.checkpoint import read_checkpoint, remove_checkpoints, write_checkpoint
from shared.runs.devices import joined
from shared.runs.events import Log
from shared.runs.failures import explained
from shared.runs.find import unfinished
from shared.runs.frameworks import implementation, target_net
from shared.runs.job import Job, exploded
from shared.runs.liveness import Held, now, this_process
from shared.runs.machine import cpu_name, memory_mib, package_versions, peak_memory_mib, threads_of
from shared.runs.record import (
    Run,
    read_epoch_probabilities,
    write_epoch_probabilities,
    write_probabilities,
)
from shared.threads import usable_cores


class Diverged(FailedRun):
    """Training whose loss is no number any more, or has exploded."""


def execute(
    job: Job,
    dataset: Dataset,
    source: Source,
    watch=lambda batches: batches,
    on_epoch=lambda epoch: None,
    on_end=lambda run, net, device: None,
) -> Run:
    """Carry out `job` on its images and source network, and record it in a folder below `job.out`. Returns the finished run.

    watch: wraps the training batches (for a progress bar). on_epoch: called with each EpochMetrics once it is recorded. on_end:
    called with the run, the trained network and its device, before the run counts as finished; it may use the network up. When
    anything goes wrong the record keeps the epochs it had, with status `failed` or `interrupted`, and the error goes on;
    `hotdog run --resume` goes on from there. Raises Diverged, with status `diverged`, where the loss explodes.
    """
    dataset = dataset.trained_on(job.experiment.train_images)
    job.check(dataset, source)
    parts = {name: implementation(job.framework, name) for name in ("data", "nets", "training")}
    device, about = parts["training"].choose_device(job.device)
    if job.precision != "fp32":
        implementation(job.framework, "devices").check_precision(job.precision, device)
    run = unfinished(job, dataset, source) if job.resume else None
    if run is None:
        run = _begin(job, dataset, source, device, about)
    with Held(run.folder) as held:
        try:
            with joined(job, device) if job.devices > 1 else contextlib.nullcontext() as devices:
                _train(job, dataset, source, run, parts, device, _beating(watch, held), on_epoch, on_end, devices)
        except BaseException as caught:
            kinds = {Diverged: "diverged", KeyboardInterrupt: "interrupted"}
            run.status = kinds.get(type(caught), "failed")
            error = caught
            if isinstance(caught, Exception) and not isinstance(caught, FailedRun):
                error = explained(caught, [dataset.train, dataset.test])
            run.error = f"{type(error).__name__}: {reason_of(error)}"
            if error is not caught:
                raise error from caught
            raise
        finally:
            run.finished = now()
            with contextlib.suppress(OSError) if sys.exc_info()[0] else contextlib.nullcontext():
                run.save()  # where the disk is full, the error that says so is the one to show
            if run.status in ("finished", "diverged"):
                remove_checkpoints(run.folder)
                remove_kept(run.folder)
    return run


def _begin(job, dataset, source, device, about) -> Run:
    """The record of a new run, in a folder that has it from its first moment."""
    row = source.row(job.experiment.row) if job.experiment.row is not None else None
    run = Run(
        folder=job.out,
        experiment=job.experiment.as_dict(),
        framework=job.framework,
        seed=job.seed,
        dataset={
            "name": dataset.name,
            "classes": list(dataset.classes),
            "train": len(dataset.train),
            "test": len(dataset.test),
            "tested_on": dataset.test.folder.name,
            "split": dataset.split,
            "fingerprint": dataset.fingerprint,
        },
        source={
            "name": source.name,
            "architecture": source.architecture.name,
            "fingerprint": source.fingerprint,
            "row": row,
            "row_label": None if row is None else source.label(row),
        },
        device={
            "used": str(device),
            "why": about.reason,
            "gpu": about.name,
            "cpu": cpu_name(),
            "cores": usable_cores(),
            "threads": threads_of(job.framework),
            "workers": job.workers,
            "cache_mib": job.cache_mib,
            "devices": job.devices,
            "precision": job.precision,
        },
        versions=package_versions(),
        memory={"before_mib": memory_mib()},
        draws=job.draws,
        process=this_process(),
        started=now(),
    )

    def fill(folder):
        run.folder = folder
        run.save()

    run.folder = new_folder(job.out, f"{dataset.name}-{job.experiment.name}-{job.framework}-seed{job.seed}", fill)
    return run


def _train(job, dataset, source, run, parts, device, watch, on_epoch, on_end, devices=None):
    """Train from where `run` stands to the end, and write what remains."""
    data, nets, training = parts["data"], parts["nets"], parts["training"]
    experiment = job.experiment
    set_limit(job.cache_mib)
    net = target_net(job.framework, experiment, source, dataset, job.seed, job.draws)
    done, probabilities = 0, []
    going_on = read_checkpoint(run.folder, newest=len(run.epochs) - 1)
    if going_on:
        done, tensors, states = going_on
        nets.set_tensors(net, tensors)
        if not job.numbers_only:
            probabilities = list(read_epoch_probabilities(run)[1][: done + 1])
    if devices:
        devices.given(net, devices.done(done))
        net, device = devices.spread(net), devices.device
    trainer = training.make_trainer(net, experiment, device)
    if going_on:
        training.set_trainer_tensors(trainer, states)
    run.epochs = run.epochs[: done + 1] if going_on else []
    train_batches = data.train_iter(
        dataset.train,
        experiment.size,
        experiment.batch_size,
        job.seed,
        job.draws,
        job.workers,
        experiment.mixing,
        experiment.augmentation,
    )
    test_batches = data.test_iter(dataset.test, experiment.size, experiment.batch_size, job.workers)
    test_batches = prepared(test_batches, job.framework, dataset.test, experiment.size, experiment.batch_size)
    all_test_batches = test_batches
    if devices:
        train_batches, test_batches = devices.batches(job, dataset)
    train_batches.epoch = done
    if devices:
        train_batches = devices.start(net, trainer, train_batches, experiment, len(dataset.train))
    precision = contextlib.nullcontext()
    if job.precision != "fp32":
        precision = implementation(job.framework, "devices").low_precision(job.precision, net, device)
    last, log = {}, None

    def record(epoch: EpochMetrics):
        if devices:
            epoch = devices.whole(epoch, len(dataset.train), dataset.test.labels)
        run.epochs.append({key: _finite(value) for key, value in epoch.numbers().items()})  # a diverged loss is null
        if experiment.keep_best or experiment.patience:
            run.epochs[-1]["test_loss"] = _finite(mean_loss(epoch.test_labels, epoch.test_probabilities))
            if experiment.keep_best and best_epoch(run.epochs) == epoch.epoch:
                keep(run.folder, nets.get_tensors(net))
        if epoch.epoch:
            write_checkpoint(run.folder, epoch.epoch, nets.get_tensors(net), training.get_trainer_tensors(trainer))
        if not job.numbers_only:
            probabilities.append(epoch.test_probabilities)
            write_epoch_probabilities(run.folder, epoch.test_labels, np.stack(probabilities))
        last["probabilities"], last["labels"] = epoch.test_probabilities, epoch.test_labels
        if log:  # before it counts as recorded: what is redone is logged anew
            log.epoch(epoch, nets.get_tensors(net), run.epochs[-1].get("test_loss"))
        run.save()
        on_epoch(epoch)
        if exploded(epoch.train_loss, len(dataset.classes)):
            run.status = "diverged"
            if not job.keep_going:
                raise Diverged(
                    f"{run.folder}: the training loss was {epoch.train_loss:.3g} after epoch {epoch.epoch}, at learning rate "
                    f"{experiment.learning_rate:g}, {experiment.learning_rate * experiment.head_lr_mult:g} at the output layer: "
                    "it diverged. Give a lower --lr"
                )
        if stopped(experiment, run.epochs):
            raise EndOfTraining

    run.status, run.error, run.finished, run.process = "running", None, None, this_process()
    run.save()
    weights = class_weights(dataset.train) if experiment.balance else None
    with precision:
        if not stopped(experiment, run.epochs):
            with contextlib.suppress(EndOfTraining):
                if job.log:
                    log = Log(run.folder, experiment, done + 1 if done else 0, "held_out" if job.holdout else "test")
                    get_rates = implementation(job.framework, "strategies").get_rates
                    train_batches = log.watched(train_batches, lambda: get_rates(net, trainer))
                training.train_fine_tuning(
                    net,
                    watch(train_batches),
                    test_batches,
                    experiment,
                    device,
                    record,
                    trainer,
                    done,
                    weights,
                    job.seed,
                )
        if experiment.keep_best:
            run.kept_epoch = best_epoch(run.epochs)
            nets.set_tensors(net, kept(run.folder))
            last.clear()  # what is written below is what this network says
        if not (job.numbers_only or last):  # stopped after its last epoch with only this to do, or another one is kept
            last["probabilities"], last["labels"] = training.predict_probabilities(net, all_test_batches, device)
    if not job.numbers_only:
        path = run.folder / "test_probabilities.csv"
        write_probabilities(path, dataset.classes, dataset.test.names, last["labels"], last["probabilities"])
        tensors = nets.get_tensors(net)
        write_atomically(run.folder / "weights.safetensors", lambda path: save_file(tensors, path))
    run.memory["peak_mib"] = peak_memory_mib()
    on_end(run, net, device)
    if run.status != "diverged":
        run.status = "finished"


def _beating(watch, held):
    class Beating:
        """Training batches that let the run's lock be touched as they pass."""

        def __init__(self, batches):
            self.batches = batches

        def __len__(self):
            return len(self.batches)

        def __iter__(self):
            for batch in self.batches:
                held.beat()
                yield batch

    return lambda batches: Beating(watch(batches))


def _finite(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value
