"""Runs that are there already: those that jobs ask for, those to go on with, twins."""

from shared.errors import UserError
from shared.images.splits import Dataset
from shared.networks.source import Source
from shared.runs.job import Job, first_difference, identity_of
from shared.runs.liveness import state
from shared.runs.record import Run, read_runs

# What a job can end with. A diverged run is an answer too, though no accuracy.
COMPLETE = ("finished", "diverged")


def completed_runs(jobs: list[Job], found: list[Run], dataset: Dataset, source: Source) -> dict[Job, Run]:
    """{job: run} of those `jobs` that one of the runs `found` has carried out; the latest of each.

    A device that a job names (`cpu`, `gpu`) is the one that its run was made on; `auto` takes either. A job that keeps
    probabilities is carried out only by a run that has them.
    """
    done = [(identity_of(run), run) for run in found if run.status in COMPLETE]
    matching = {}
    for job in jobs:
        wanted = job.identity(dataset, source)
        for identity, run in done:
            if (
                identity == wanted
                and job.device in ("auto", "gpu" if run.device["gpu"] else "cpu")
                and (job.numbers_only or run.status == "diverged" or (run.folder / "test_probabilities.csv").is_file())
            ):
                matching[job] = run
    return matching


def unfinished(job: Job, dataset: Dataset, source: Source) -> Run | None:
    """The latest run of `job` below its folder that stopped before its end, or None. Runs that still go on are left alone."""
    wanted = job.identity(dataset, source)
    return next((run for run in reversed(_stopped(job, dataset)) if identity_of(run) == wanted), None)


def refuse_changed(jobs: list[Job], dataset: Dataset, source: Source):
    """Raise UserError where unfinished runs bear a job's name, and none of them is one of `jobs`: with the first difference."""
    wanted = [job.identity(dataset, source) for job in jobs]
    for job, identity in zip(jobs, wanted, strict=True):
        stopped = _stopped(job, dataset)
        if stopped and not any(identity_of(run) in wanted for run in stopped):
            run = stopped[-1]
            difference = first_difference(identity, identity_of(run))
            raise UserError(
                f"--resume: {run.folder} is another job ({difference}). "
                "Give the settings it had, or leave out --resume to begin anew"
            )


def _stopped(job, dataset):
    name = f"{dataset.name}-{job.experiment.name}-{job.framework}-seed{job.seed}-*"
    found = read_runs(job.out, name) if job.out.is_dir() else []
    return [run for run in found if state(run) in ("interrupted", "failed")]


def with_twins(chosen: list[Run]) -> list[Run]:
    """The runs, each followed by its twin: same experiment, data, source and seed, other framework, in the folder beside it.

    Where a twin is among `chosen` already, none is added.
    """

    def twin(a, b):
        return (a.key(), a.seed) == (b.key(), b.seed) and a.framework != b.framework

    paired = []
    for one in chosen:
        paired.append(one)
        if not any(twin(one, other) for other in chosen):
            files = sorted(one.folder.resolve().parent.glob("*/weights.safetensors"))
            folders = {file.parent for file in files}
            beside = [r for r in read_runs(one.folder.resolve().parent) if r.folder in folders]
            paired += [other for other in beside if twin(one, other)][-1:]
    return paired
