"""Train: the default comparison, and `hotdog run`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from click.core import ParameterSource

from shared import experiments
from shared.command.app import app
from shared.command.console import print_table, progress_bar, say, say_notes
from shared.command.options import (
    CacheOption,
    ClusterOption,
    DataOption,
    Device,
    DeviceOption,
    Draws,
    DrawsOption,
    Framework,
    FrameworkOption,
    LimitOption,
    LogOption,
    OutOption,
    Precision,
    SeedOption,
    SourceOption,
    SplitOption,
    Unset,
    VersionOption,
    WorkersOption,
    default_source,
)
from shared.errors import UserError
from shared.images.cache import CACHE_MIB
from shared.networks.rows import OTHER_ROWS
from shared.runs.frameworks import NAMES


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    framework: FrameworkOption = Framework.both,
    epochs: Annotated[int, typer.Option(**Unset)] = None,
    seed: SeedOption = (0,),
    draws: DrawsOption = Draws.shared,
    device: DeviceOption = Device.auto,
    out: OutOption = Path("runs"),
    version: VersionOption = False,
):
    """Without a command: the experiments on the drawn images, in both frameworks, and what they show."""
    if context.invoked_subcommand:
        stray = [p for p in context.params if context.get_parameter_source(p) is ParameterSource.COMMANDLINE]
        if stray:
            raise UserError(
                f"--{stray[0]} stands before {context.invoked_subcommand}; options of a command come after its name"
            )
        return

    def chosen(preset):
        every = [experiments.experiment(name, preset, num_epochs=epochs) for name in experiments.EXPERIMENTS]
        return [*every, experiments.experiment("hotdog-row", preset, num_epochs=epochs, row=experiments.WRONG_ROW)]

    say(f"The chapter's experiments on drawn images, in {' and '.join(NAMES[f] for f in framework.names)}")
    sys.exit(on_drawings("default", chosen, framework, seed, draws, device, out))


@app.command()
def strategies(
    framework: FrameworkOption = Framework.both,
    epochs: Annotated[int, typer.Option(**Unset)] = None,
    seed: SeedOption = (0,),
    device: DeviceOption = Device.auto,
    log: LogOption = None,
    cluster: ClusterOption = None,
    out: OutOption = Path("runs"),
):
    """Other ways to transfer, beside fine-tuning, on the drawn images in both frameworks: two to three minutes."""

    def chosen(preset):
        names = ["finetune", *experiments.STRATEGIES]
        names.remove("balanced")  # the drawings' classes are
        return [experiments.experiment(name, preset, num_epochs=epochs) for name in names]

    say(f"Other ways to transfer on drawn images, in {' and '.join(NAMES[f] for f in framework.names)}")
    sys.exit(on_drawings("strategies", chosen, framework, seed, Draws.shared, device, out, cluster, log))


def on_drawings(name, chosen, framework, seed, draws, device, out, cluster=None, log=None) -> int:
    """Train what `chosen(preset)` gives on the drawn images, both frameworks at once, and show it. Returns the exit code.

    name: of the folder that is made below `out`.
    """
    from shared.command.launch import launch
    from shared.files import new_folder
    from shared.images.folders import load_dataset
    from shared.networks.reading import load_source
    from shared.runs.events import check_log
    from shared.runs.job import Job
    from shared.runs.record import read_runs
    from shared.runs.tables import epochs_table, sentences

    wanted = chosen(experiments.preset_of(load_source("mini")))
    if log:
        check_log()
    with progress_bar() as progress:
        load_dataset("mini", progress=progress)  # draws the images once, before two processes want them
    folder = new_folder(out, name)
    jobs = [
        Job(e, f, s, "mini", "mini", draws.value, device=device.value, log=log and log.value, out=folder)
        for f in framework.names
        for e in wanted
        for s in seed
    ]
    if log:
        say(f"To watch: tensorboard --logdir {folder}")
    code = launch(jobs, together=True, cluster=cluster)
    found = [r for r in read_runs(folder) if r.status == "finished"]
    if found:
        from shared.runs.curves import plot_runs

        say()
        print_table(*epochs_table(found))
        for sentence in sentences(found):
            say(sentence)
        say(f"Picture of the curves: {plot_runs(found, folder / 'curves.png')}")
    say(f"Records and weights: {folder}/")
    return code


@app.command()
def run(
    names: Annotated[list[str], typer.Argument(metavar="EXPERIMENT…", help=f"Any of {', '.join(experiments.ALL)}.")],
    framework: FrameworkOption = Framework.both,
    data: DataOption = "mini",
    source: SourceOption = None,
    epochs: Annotated[int, typer.Option(**Unset)] = None,
    lr: Annotated[list[float], typer.Option(help="Learning rate; give it again to try several.", **Unset)] = None,
    head_lr_mult: Annotated[float, typer.Option(help="Rate of the output layer, in multiples.", **Unset)] = None,
    weight_decay: Annotated[float, typer.Option(**Unset)] = None,
    batch_size: Annotated[int, typer.Option(**Unset)] = None,
    size: Annotated[int, typer.Option(help="Side of the crop in pixels.", **Unset)] = None,
    row: Annotated[
        str,
        typer.Option(help="hotdog-row: label or number of the output row (934; the book prints 713).", **Unset),
    ] = None,
    other_row: Annotated[
        str, typer.Option(help=f"hotdog-row: what the other class gets: {', '.join(OTHER_ROWS)}.", **Unset)
    ] = None,
    lock_batch_norm: Annotated[
        bool, typer.Option("--lock-batch-norm", help="frozen: training normalises by the running statistics too.")
    ] = False,
    balance: Annotated[
        bool, typer.Option("--balance", help="Weigh the losses so that every class counts the same.")
    ] = False,
    keep_best: Annotated[
        bool, typer.Option("--keep-best", help="With --holdout: keep the epoch with the least held-out loss.")
    ] = False,
    patience: Annotated[
        int, typer.Option(help="With --holdout: end after so many epochs without a lower held-out loss.", **Unset)
    ] = None,
    seed: SeedOption = (0,),
    limit: LimitOption = None,
    split: SplitOption = None,
    holdout: Annotated[
        float, typer.Option(help="Test on this share of the training images instead (to choose rates).")
    ] = 0.0,
    draws: DrawsOption = Draws.shared,
    device: DeviceOption = Device.auto,
    workers: WorkersOption = 0,
    cache_mib: CacheOption = CACHE_MIB,
    devices: Annotated[
        int,
        typer.Option(
            help="Split every batch among N devices: processes or contexts here, or those of torchrun or MXNet's launcher.",
            min=1,
            max=1024,
        ),
    ] = 1,
    precision: Annotated[
        Precision,
        typer.Option(help="Compute in tf32 (GPU) or bf16 instead: faster, PyTorch only, comparable with nothing else."),
    ] = Precision.fp32,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with unfinished runs of the same job; what is finished is left.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Train on where the loss explodes, instead of ending the run.")
    ] = False,
    log: LogOption = None,
    cluster: ClusterOption = None,
    out: OutOption = Path("runs"),
):
    """Train and evaluate experiments, one process per framework, and record every run."""
    from shared.command.launch import launch
    from shared.images.folders import load_dataset
    from shared.images.splits import describe, remarks
    from shared.networks.reading import load_source
    from shared.runs.devices import check_launch, helps
    from shared.runs.find import completed_runs, refuse_changed
    from shared.runs.job import Job
    from shared.runs.record import read_runs

    overrides = {
        "num_epochs": epochs,
        "head_lr_mult": head_lr_mult,
        "weight_decay": weight_decay,
        "batch_size": batch_size,
        "size": size,
        "other_row": other_row,
        "lock_batch_norm": lock_batch_norm or None,
        "balance": balance or None,
        "keep_best": keep_best or None,
        "patience": patience,
    }
    check_launch(devices, framework.names, draws.value)
    if helps():
        sys.stdout = open(os.devnull, "w")  # one of the processes says it
    for name in names:
        experiments.experiment(name)
    if (row is not None or other_row is not None) and set(names) != {"hotdog-row"}:
        raise UserError("--row and --other-row go with the experiment hotdog-row, and with no other")
    if lock_batch_norm and set(names) != {"frozen"}:
        raise UserError("--lock-batch-norm goes with the experiment frozen, and with no other")
    source = source or default_source(data)
    with progress_bar() as progress:
        dataset = load_dataset(data, limit, holdout, split, progress)
    for line in (describe(dataset), *remarks(dataset)):
        say(line)
    network = load_source(source)
    say_notes(network)
    preset = experiments.preset_of(network)
    chosen = [
        experiments.experiment(name, preset, **overrides, learning_rate=rate, row=row)
        for name in names
        for rate in lr or [None]
    ]
    settings = {
        "limit": limit,
        "holdout": holdout,
        "split": split,
        "device": device.value,
        "workers": workers,
        "cache_mib": cache_mib,
        "devices": devices,
        "log": log and log.value,
        "precision": precision.value,
        "out": out,
    }
    jobs = [
        Job(e, f, s, data, source, draws.value, **settings, resume=resume, keep_going=keep_going)
        for f in framework.names
        for e in chosen
        for s in seed
    ]
    for job in jobs:  # all that can be refused is refused before anything is trained
        job.check(dataset, network)
    if resume:
        refuse_changed(jobs, dataset, network)
        finished = completed_runs(jobs, read_runs(out), dataset, network) if out.is_dir() else {}
        for done in finished.values():
            say(f"{done.folder} is finished already")
        jobs = [job for job in jobs if job not in finished]
    if log:
        say(f"To watch: tensorboard --logdir {out}")
    code = launch(jobs, report=True, cluster=cluster)
    say(f"Records are in {out}/; `hotdog results --out {out}` shows them side by side.")
    sys.exit(code)
