"""Take networks elsewhere: `hotdog export`, `hotdog networks`."""

from pathlib import Path
from typing import Annotated

import typer

from shared.command.app import app
from shared.command.console import say
from shared.command.options import SourceOption, Unset
from shared.errors import UserError
from shared.images.views import MEAN, STD
from shared.networks.reading import load_source
from shared.runs.exporting import SAMPLES, Exported, export
from shared.runs.opened import trained_source
from shared.runs.record import read_run


@app.command(name="export")
def export_network(
    to: Annotated[Path, typer.Option(help="File to write: .params (Gluon), .pth, .safetensors (PyTorch) or .onnx.")],
    run: Annotated[Path, typer.Option(help="Folder of a finished run.", **Unset)] = None,
    source: SourceOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there already.")] = False,
):
    """Write a trained or a source network as a file that Gluon, torchvision or onnxruntime opens by itself."""
    if (run is None) == (source is None):
        raise UserError("give either --run, the folder of a finished run, or --source, a source network")
    if run:
        record = read_run(run)
        network, size = trained_source(record), record.experiment["size"]
    else:
        network = load_source(source)
        size = 64 if source == "mini" else 224
    exported = export(network, to, size, overwrite)
    architecture = network.architecture
    labels = f" ({', '.join(network.classes)})" if network.classes and len(network.classes) <= 10 else ""
    say(
        f"{to}: {architecture.name}, {architecture.classes} classes{labels}, {len(network.tensors)} tensors, "
        f"{to.stat().st_size / 1e6:.1f} MB"
    )
    for file in exported.beside:
        say(f"{file}: {'the class labels' if file.suffix == '.json' else 'the network, which its zoo lacks'}")
    say(_what_was_checked(exported, size))
    mean, std = (", ".join(f"{value:g}" for value in values.ravel()) for values in (MEAN, STD))
    say(f"images: float32 (N, 3, {size}, {size}), RGB from 0 to 1, less ({mean}), divided by ({std}). To open it:")
    for line in exported.opening:
        say(f"    {line}")


def _what_was_checked(exported: Exported, size: int) -> str:
    """One sentence: what the written file gave when it was read again, and by how much."""
    apart = f"on {SAMPLES} drawn images of {size} px no probability is more than {max(exported.differences.values()):.1g} apart"
    if exported.file.suffix != ".onnx":
        return f"Read again, every tensor has its bits, and in Gluon and PyTorch, before and after, {apart}."
    if "onnxruntime" in exported.differences:
        return f"Read again in onnxruntime, beside Gluon and PyTorch, {apart}."
    return f"In Gluon and PyTorch {apart}; the file was not run, for the package onnxruntime is not installed."
