"""Answer the book's exercises with measurements: `hotdog exercise`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from shared import experiments
from shared.command.app import app
from shared.command.console import print_table, say, say_notes
from shared.command.options import (
    ClusterOption,
    DataOption,
    Device,
    DeviceOption,
    Draws,
    DrawsOption,
    Framework,
    FrameworkOption,
    LimitOption,
    OutOption,
    SourceOption,
    SplitOption,
    Unset,
    WorkersOption,
    default_source,
)
from shared.errors import UserError


@app.command()
def exercise(
    number: Annotated[
        int, typer.Argument(metavar="1|2|3|4|5|6", help="Which of the chapter's exercises.", min=1, max=6)
    ],
    framework: FrameworkOption = Framework.both,
    data: DataOption = "mini",
    source: SourceOption = None,
    seeds: Annotated[
        int, typer.Option(help="Seeds 0 to N - 1; default: 3, for exercise 5 one.", min=1, max=1000, **Unset)
    ] = None,
    epochs: Annotated[int, typer.Option(help="Instead of the exercise's own number.", min=1, **Unset)] = None,
    size: Annotated[int, typer.Option(help="Side of the crop in pixels.", **Unset)] = None,
    batch_size: Annotated[int, typer.Option(**Unset)] = None,
    limit: LimitOption = None,
    split: SplitOption = None,
    device: DeviceOption = Device.auto,
    workers: WorkersOption = 0,
    draws: DrawsOption = Draws.shared,
    cluster: ClusterOption = None,
    out: OutOption = Path("runs"),
):
    """Answer an exercise with measurements: train what is not recorded yet, write table and picture, print the answer."""
    from shared.command.launch import launch_on_cluster
    from shared.exercises.bench import Bench
    from shared.exercises.index import EXERCISES
    from shared.exercises.measurements import check_rows
    from shared.exercises.report import report_on, write
    from shared.exercises.tuning import HOLDOUT
    from shared.images.folders import load_dataset
    from shared.networks.reading import load_source
    from shared.runs.job import Job
    from shared.runs.processes import run_in_processes
    from shared.runs.record import read_runs
    from shared.runs.tables import where_they_ran

    if number is None:
        raise UserError("which exercise? Give its number, 1 to 6")
    source = source or default_source(data)
    network, dataset = load_source(source), load_dataset(data, limit, split=split)
    say_notes(network)
    fingerprints = {"data": dataset.fingerprint, "source": network.fingerprint}
    if number in (2, 5):
        fingerprints["held out"] = load_dataset(data, limit, HOLDOUT, split).fingerprint
    if number == 4:
        check_rows(network, dataset)
    folder = out / f"exercise-{number}-{dataset.name}"

    settings = {"limit": limit, "split": split, "device": device.value, "workers": workers, "out": folder}

    def train(tasks, holdout, measured):
        count = sum(map(len, tasks.values()))
        say(
            f"exercise {number}: {count} runs to train; their records are kept, so an interrupted exercise goes on where it was"
        )
        unattended = {"numbers_only": True, "keep_going": True, "resume": True}
        jobs = [
            Job(e, f, seed, data, source, draws.value, holdout=holdout, **settings, **unattended)
            for f, some in tasks.items()
            for e, seed in some
        ]
        if cluster:
            if launch_on_cluster(cluster, "exercise", jobs):
                sys.exit(1)
            return
        # Thin networks gain little from a second core, so both frameworks run at once.
        parts = {f: ([job for job in jobs if job.framework == f], measured) for f in tasks}
        if run_in_processes(_exercise_runs, parts, together=True):
            sys.exit(1)

    def inspect(name, frameworks):
        jobs = {f: Job(bench.experiment("finetune"), f, 0, data, source, draws.value, **settings) for f in frameworks}
        if run_in_processes(_measure, {f: (name, job) for f, job in jobs.items()}, together=True):
            sys.exit(1)

    overrides = {key: value for key, value in {"size": size, "batch_size": batch_size}.items() if value is not None}
    bench = Bench(
        folder,
        experiments.preset_of(network),
        list(range(seeds or getattr(EXERCISES[number], "SEEDS", 3))),
        framework.names,
        overrides,
        epochs,
        chance=max(map(dataset.test.labels.count, set(dataset.test.labels))) / len(dataset.test),
        images=len(dataset.train),
        draws=draws.value,
        fingerprints=fingerprints,
        launch=train,
        inspect=inspect,
    )
    bench.experiment("finetune")  # refuses what cannot be before anything is trained
    folder.mkdir(parents=True, exist_ok=True)
    report = report_on(EXERCISES[number], bench)
    about = {
        "data": dataset.name,
        "source": network.name,
        "limit": limit,
        "train": len(dataset.train),
        "test": len(dataset.test),
    }
    write(bench, report, about)
    picture = report.save_picture(folder / "picture.png")
    for caption, header, rows in report.tables:
        say()
        say(caption)
        print_table(header, rows)
    for sentence in report.answer:
        say(f"- {sentence}")
    for line in where_they_ran(read_runs(folder)):
        say(line)
    say(f"Tables and answer: {folder}/answer.md, picture: {picture}, records: {folder}/")


def _exercise_runs(jobs, measured):
    from shared.exercises.bench import train_runs

    train_runs(jobs, say, measured)


def _measure(name, job):
    from shared.exercises.measurements import measure_features

    measure_features(name, job)
