"""Try trained networks on a photograph: `hotdog app`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from shared.command.app import app
from shared.command.console import progress_bar, say
from shared.command.options import OutOption, Unset


@app.command("app")
def local_page(
    runs: Annotated[
        list[Path], typer.Argument(metavar="[RUN…]", help="Folders of finished runs. Default: the newest in --out.")
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            help="The source network of the runs, if it is a file of yours: what it sees is shown too.", **Unset
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Of 127.0.0.1; 0 takes any that is free.", min=0, max=65535)] = 7860,
    out: OutOption = Path("runs"),
):
    """A page on this machine: drop a photograph, see what both frameworks' networks say of it, and which pixels mattered."""
    from shared.webapp.choice import named, newest, sources_of
    from shared.webapp.networks import Networks, warm_up
    from shared.webapp.page import check_installed, make_page, temporary_folder
    from shared.webapp.server import ending_politely, free_socket, serve

    check_installed()
    choices = named(runs) if runs else newest(out)
    with free_socket(port) as one:
        if not choices:
            choices = _trained_default(out)
        sources = sources_of(choices, source)
        say(f"opening {choices[0].name} …")
        with ending_politely(), temporary_folder() as folder, Networks() as networks:
            page = make_page(choices, sources, networks, folder)
            warm_up(networks, choices[0].runs, sources)
            serve(page, one, lambda: say(f"http://{one.getsockname()[0]}:{one.getsockname()[1]} (Ctrl-C ends it)"))


def _trained_default(out):
    """Fine-tune on the drawings in both frameworks, as nothing is there yet."""
    from shared.command.launch import launch
    from shared.experiments import experiment, preset_of
    from shared.images.folders import load_dataset
    from shared.networks.reading import load_source
    from shared.runs.frameworks import FRAMEWORKS
    from shared.runs.job import Job
    from shared.webapp.choice import newest

    say(f"There is no finished run in {out}/ yet: fine-tuning on the drawings first.")
    with progress_bar() as progress:
        load_dataset("mini", progress=progress)
    tuned = experiment("finetune", preset_of(load_source("mini")))
    code = launch([Job(tuned, f, 0, "mini", "mini", out=out) for f in FRAMEWORKS], together=True)
    choices = newest(out)
    if code or not choices:
        sys.exit(code or 1)
    return choices
