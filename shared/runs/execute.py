"""Carry out one run and record it as it goes."""

import datetime
import math
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from shared.errors import UserError, reason_of
from shared.experiments import Experiment
from shared.files import new_folder, write_atomically
from shared.images.splits import Dataset
from shared.networks.source import Source
from shared.runs.frameworks import implementation, target_net
from shared.runs.machine import cpu_name, memory_mib, package_versions, peak_memory_mib
from shared.runs.record import Run, write_probabilities


def execute(
    framework: str,
    experiment: Experiment,
    dataset: Dataset,
    source: Source,
    seed: int,
    device: str,
    out: Path,
    workers: int = 0,
    watch=lambda batches: batches,
    on_epoch=lambda epoch: None,
    numbers_only: bool = False,
) -> Run:
    """Train and evaluate one run and record it in a new folder below `out`.

    watch: wraps the training batches (for a progress bar). on_epoch: called with each Epoch once it is recorded. numbers_only:
    write `run.json` and neither probabilities nor weights. When anything goes wrong the record keeps the epochs it had, with
    status `failed` or `interrupted`, and the error goes on.
    """
    data, training = implementation(framework, "data"), implementation(framework, "training")
    nets = implementation(framework, "nets")
    if experiment.size == 32 and (len(dataset.train) - 1) % experiment.batch_size == 0 and experiment.num_epochs:
        raise UserError(
            f"the last of {len(dataset.train)} training images would be a batch by itself, and at {experiment.size} pixels that "
            "leaves batch normalisation one value per channel: choose another --batch-size"
        )
    row = source.row(experiment.row) if experiment.row is not None else None
    where, reason = training.choose_device(device)
    training.seed_everything(seed)
    net = target_net(framework, experiment, source, dataset)
    run = Run(
        folder=new_folder(out, f"{dataset.name}-{experiment.name}-{framework}-seed{seed}"),
        experiment=experiment.as_dict(),
        framework=framework,
        seed=seed,
        dataset={
            "name": dataset.name,
            "classes": list(dataset.classes),
            "train": len(dataset.train),
            "test": len(dataset.test),
            "tested_on": dataset.test.folder.name,
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
            "used": str(where),
            "why": reason,
            "gpu": reason if "cpu" not in str(where) else None,
            "cpu": cpu_name(),
            "cores": len(os.sched_getaffinity(0)),
            "threads": int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0)))),
            "workers": workers,
        },
        versions=package_versions(),
        memory={"before_mib": memory_mib()},
        started=_now(),
    )
    run.save()

    def record(epoch):
        run.epochs.append(
            {key: _finite(value) for key, value in asdict(epoch).items()}  # a diverged loss is null
        )
        run.save()
        on_epoch(epoch)

    try:
        size, batch_size = experiment.size, experiment.batch_size
        test_batches = data.test_iter(dataset.test, size, batch_size, workers)
        training.train_fine_tuning(
            net,
            watch(data.train_iter(dataset.train, size, batch_size, workers)),
            test_batches,
            experiment.learning_rate,
            experiment.head_lr_mult,
            experiment.weight_decay,
            experiment.num_epochs,
            where,
            record,
        )
        if not numbers_only:
            probabilities, labels = training.predict_probabilities(net, test_batches, where)
            write_probabilities(
                run.folder / "test_probabilities.csv", dataset.classes, dataset.test.names, labels, probabilities
            )
            tensors = nets.get_tensors(net)
            write_atomically(run.folder / "weights.safetensors", lambda path: save_file(tensors, path))
        run.memory["peak_mib"] = peak_memory_mib()
        run.status = "finished"
    except BaseException as error:
        run.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        run.error = f"{type(error).__name__}: {reason_of(error)}"
        raise
    finally:
        run.finished = _now()
        run.save()
    return run


def _finite(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def trained_net(run: Run):
    """The network a finished run ended with, in its own framework. Raises UserError when its weights are not there."""
    from shared.networks.architecture import recognise

    file = run.folder / "weights.safetensors"
    if not file.is_file():
        raise UserError(f"{run.folder} has no weights.safetensors: only a finished run can be used")
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {file}: {reason_of(error)}") from None
    if not all(np.isfinite(t).all() for t in tensors.values()):
        raise UserError(f"{file} holds numbers that are not finite: the training of this run diverged")
    nets = implementation(run.framework, "nets")
    architecture = recognise(tensors, str(file))
    net = nets.scratch_net(architecture, architecture.classes)
    nets.set_tensors(net, tensors)
    return net
