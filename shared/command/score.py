"""Choose a source network before training: `hotdog score`."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from shared.command.app import app
from shared.command.console import print_table, progress_bar, say, say_notes
from shared.command.options import (
    Device,
    DeviceOption,
    Framework,
    FrameworkOption,
    LimitOption,
    Unset,
    default_source,
)


@app.command()
def score(
    data: Annotated[
        str,
        typer.Option(
            help="mini (drawn), hotdog, a folder {train,test}/<class>/ (train is used) or <class>/, or a CSV."
        ),
    ] = "mini",
    source: Annotated[
        list[str],
        typer.Option(help="A source network as `hotdog run --source` takes it; give it again for more.", **Unset),
    ] = (),
    framework: FrameworkOption = Framework.both,
    size: Annotated[
        int, typer.Option(help="Side of the crop in pixels, for all; default: what each is fine-tuned with.", **Unset)
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images at a time.", min=1, max=100_000)] = 32,
    limit: LimitOption = None,
    device: DeviceOption = Device.auto,
):
    """Rank source networks for images with labels before any training, by LogME and LEEP: higher is better."""
    from shared.images.folders import load_training_images
    from shared.networks.reading import load_source
    from shared.runs.processes import run_in_processes
    from shared.runs.scoring import measure_sources, ranked, score_table, size_for, verdict

    sources = list(dict.fromkeys(source or [default_source(data)]))
    for spec in sources:
        network = load_source(spec)
        size_for(network, size)  # refuses a size that cannot be
        say_notes(network)
    with progress_bar() as progress:
        name, classes, split = load_training_images(data, limit, progress)
    settings = {"size": size, "batch_size": batch_size, "device": device.value}
    say(f"{len(split)} images of {name}, {len(classes)} classes; sources: {', '.join(sources)} …")
    with tempfile.TemporaryDirectory() as folder:
        files = {f: Path(folder) / f"{f}.json" for f in framework.names}
        parts = {f: (f, sources, split, len(classes), settings, file) for f, file in files.items()}
        if code := run_in_processes(measure_sources, parts, together=True):
            sys.exit(code)
        scores = ranked({f: json.loads(file.read_text(encoding="utf-8")) for f, file in files.items()})
    print_table(*score_table(scores))
    say(
        "LogME: evidence for a linear layer on the source's features; LEEP: what the source's own classes say of the labels."
    )
    for sentence in verdict(scores, len(split)):
        say(sentence)
