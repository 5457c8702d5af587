"""Compare: `hotdog results`, `parity`, `diverge`."""

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
    LimitOption,
    LogOption,
    OutOption,
    SourceOption,
    SplitOption,
    Unset,
    WorkersOption,
    default_source,
)
from shared.errors import UserError
from shared.files import check_target
from shared.runs.frameworks import FRAMEWORKS


@app.command()
def results(
    folders: Annotated[
        list[Path], typer.Argument(metavar="[FOLDER…]", help="Folders of runs, with what is below; default: --out.")
    ] = None,
    out: OutOption = Path("runs"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    plot: Annotated[Path, typer.Option(help="Also draw test accuracy over epochs to this PNG.", **Unset)] = None,
    html: Annotated[
        Path,
        typer.Option(help="Also write a page of all runs: tables, curves, confusion matrices, single images.", **Unset),
    ] = None,
    data: Annotated[
        list[str], typer.Option(help="With --html: where images are that the runs were tested on.", **Unset)
    ] = None,
):
    """Show the finished runs, the frameworks side by side; seeds are averaged. images/s and seeds: Gluon / PyTorch."""
    from shared.runs.record import read_runs
    from shared.runs.tables import markdown_table, results_table

    if plot and plot.suffix.lower() != ".png":
        raise UserError(f"--plot {plot}: the picture is a PNG, so name it .png")
    if data and not html:
        raise UserError("--data says where the images for --html are: give both, or none")
    if html:
        from shared.runs.results_page import plotly_script, write_page

        if html.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"--html {html}: the page is HTML, so name it .html")
        check_target(html)
        plotly_script()  # asked before the runs are read
    for folder in folders or ():
        if not folder.is_dir():
            raise UserError(f"no such folder: {folder}")
    places = folders or [out]
    every = {run.folder.resolve(): run for folder in places if folder.is_dir() for run in read_runs(folder)}
    every = sorted(every.values(), key=lambda run: run.started)
    named = ", ".join(map(str, places))
    if html and every:
        write_page(every, html, data or (), named if len(places) <= 3 else f"{len(places)} folders")
        say(f"Page: {html} ({html.stat().st_size / 1e6:.1f} MB)")
    found = [run for run in every if run.status == "finished"]
    if not found and html and every:
        say(f"None of {len(every)} runs is finished.")
        return
    if not found:
        raise UserError(f"no finished runs below {named}: make some with `hotdog run`, or name another folder")
    header, rows = results_table(found)
    if markdown:
        print(markdown_table(header, rows))
    else:
        print_table(header, rows)
        say("Gluon, PyTorch: test accuracy at epoch 0 → after the last epoch. difference: PyTorch − Gluon.")
    if plot:
        from shared.runs.curves import plot_runs

        say(f"Picture: {plot_runs(found, plot)}")


@app.command()
def parity(
    names: Annotated[
        list[str],
        typer.Argument(metavar="[EXPERIMENT…]", help="All five that are tested together unless named."),
    ] = None,
    data: DataOption = "mini",
    source: SourceOption = None,
    seeds: Annotated[int, typer.Option(help="Seeds 0 to N - 1, in both frameworks.", min=1, max=1000)] = 3,
    epochs: Annotated[int, typer.Option(**Unset)] = None,
    size: Annotated[int, typer.Option(help="Side of the crop in pixels.", **Unset)] = None,
    limit: LimitOption = None,
    split: SplitOption = None,
    device: DeviceOption = Device.auto,
    workers: WorkersOption = 0,
    draws: DrawsOption = Draws.shared,
    together: Annotated[
        bool, typer.Option("--together", help="Both frameworks at once, the cores shared out (thin networks).")
    ] = False,
    log: LogOption = None,
    cluster: ClusterOption = None,
    record: Annotated[Path, typer.Option(help="Also write what every run said to this JSON.", **Unset)] = None,
    out: OutOption = Path("runs"),
):
    """Whether both frameworks reach the same accuracy: from the runs in --out where they are, training what is missing."""
    from shared.command.launch import launch
    from shared.images.folders import load_dataset
    from shared.networks.reading import load_source
    from shared.parity import comparisons
    from shared.parity.cross_execution import cross_executions
    from shared.parity.design import FAMILY
    from shared.parity.outcomes import outcome_of
    from shared.parity.plans import note_plan
    from shared.runs.find import completed_runs
    from shared.runs.job import Job
    from shared.runs.record import read_runs
    from shared.runs.tables import where_they_ran

    for name in names or ():
        experiments.experiment(name)
    if record:
        check_target(record)
    source = source or default_source(data)
    dataset, network = load_dataset(data, limit, split=split), load_source(source)
    say_notes(network)
    preset = experiments.preset_of(network)
    chosen = [experiments.experiment(name, preset, num_epochs=epochs, size=size) for name in names or FAMILY]
    settings = {"limit": limit, "split": split, "device": device.value, "workers": workers, "out": out, "resume": True}
    settings["log"] = log and log.value
    jobs = [
        Job(e, f, seed, data, source, draws.value, **settings)
        for seed in range(seeds)
        for f in FRAMEWORKS
        for e in chosen
    ]
    for job in jobs:
        job.check(dataset, network)

    def have():
        return completed_runs(jobs, read_runs(out) if out.is_dir() else [], dataset, network)

    code, done = 0, have()
    plans = note_plan(out, chosen, range(seeds), draws.value, dataset.fingerprint, network.fingerprint, len(done))
    lacking = [job for job in jobs if job not in done]
    # One seed after the other, so that whoever stops it has whole pairs; all at once where starting takes seconds, or others do it.
    for unit in (
        [lacking] if together or cluster else [[job for job in lacking if job.seed == seed] for seed in range(seeds)]
    ):
        if unit:
            code = launch(unit, together, cluster=cluster) or code
            if code == 2:
                sys.exit(2)
    found = list(have().values())
    if not found:
        sys.exit(code or 1)
    outcomes = [outcome_of(run) for run in found]  # refuses damaged ones before they are evaluated elsewhere
    elsewhere = cross_executions(found, dataset, device.value, workers)
    outcomes = [o.with_cross_execution(elsewhere.get(run.folder)) for o, run in zip(outcomes, found, strict=True)]
    if record:  # before anything is compared: what was measured is kept, whatever comes of it
        about = comparisons.about(" ".join(["hotdog", *sys.argv[1:]]), found, plans)
        comparisons.write_record(record, about, outcomes)
    _show_verdicts(outcomes, plans)
    for line in where_they_ran(found):
        say(line)
    if record:
        say(f"Record: {record}")
    sys.exit(code)


def _show_verdicts(outcomes, plans):
    from shared.parity.accuracies import compare_all, not_compared, order_sentences, seeds_there
    from shared.parity.plans import plan_sentences
    from shared.parity.tables import AGREEMENT_NOTE, agreement_table, cross_table, verdict_notes, verdict_table

    found = compare_all(outcomes)
    print_table(*agreement_table(found))
    say(AGREEMENT_NOTE)
    print_table(*verdict_table(found))
    planned = plan_sentences(plans, seeds_there(outcomes))
    for line in verdict_notes(found) + planned + not_compared(outcomes) + order_sentences(outcomes):
        say(line)
    header, rows = cross_table(outcomes)
    if rows:
        say("The weights of each framework's runs, evaluated in the other framework on the same test images:")
        print_table(header, rows)


@app.command()
def diverge(
    names: Annotated[list[str], typer.Argument(metavar="[EXPERIMENT…]", help="finetune and scratch unless named.")] = (
        "finetune",
        "scratch",
    ),
    data: DataOption = "mini",
    source: SourceOption = None,
    steps: Annotated[int, typer.Option(help="Batches to train on, one after the other.", min=1, max=10_000)] = 24,
    lr: Annotated[float, typer.Option(help="Learning rate.", **Unset)] = None,
    batch_size: Annotated[int, typer.Option(**Unset)] = None,
    size: Annotated[int, typer.Option(help="Side of the crop in pixels.", **Unset)] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    limit: LimitOption = None,
    split: SplitOption = None,
    device: DeviceOption = Device.cpu,
    record: Annotated[Path, typer.Option(help="Also write every step to this JSON.", **Unset)] = None,
):
    """How far the frameworks part, step by step: same weights, same batches, in float32 and in float64."""
    from shared.images.folders import load_dataset
    from shared.networks.reading import load_source
    from shared.parity.divergence import diverge as measure_divergence
    from shared.parity.divergence import divergence_table, write_divergence

    source = source or default_source(data)
    overrides = {"learning_rate": lr, "batch_size": batch_size, "size": size}
    for name in names:
        experiments.experiment(name, **overrides)
    if record:
        check_target(record)
    dataset, network = load_dataset(data, limit, split=split), load_source(source)
    say_notes(network)
    chosen = [experiments.experiment(name, experiments.preset_of(network), **overrides) for name in names]
    command = " ".join(["hotdog", *sys.argv[1:]])
    found = measure_divergence(
        chosen,
        network,
        dataset,
        steps,
        seed,
        device.value,
        command,
        on_series=lambda one: say(f"{one['experiment']['name']} in {one['name']}: {steps} steps of both"),
    )
    print_table(*divergence_table(found))
    say(
        "Steps: the gap between the two losses (nats). Weights: their distance as a share of the way they were trained."
    )
    if record:
        write_divergence(record, found)
        say(f"Record: {record}")
