"""Take networks elsewhere: `hotdog export`, `hotdog networks`."""

from pathlib import Path
from typing import Annotated

import typer

from shared.command.app import app
from shared.command.console import print_table, say, say_notes
from shared.command.options import Unset
from shared.errors import UserError


@app.command(name="export")
def export_network(
    to: Annotated[Path, typer.Option(help="File to write: .params (Gluon), .pth, .safetensors (PyTorch) or .onnx.")],
    run: Annotated[Path, typer.Option(help="Folder of a finished run.", **Unset)] = None,
    source: Annotated[str, typer.Option(help="mini, imagenet, torchvision or a file of weights.", **Unset)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there already.")] = False,
):
    """Write a trained or a source network as a file that Gluon, torchvision or onnxruntime opens by itself."""
    from shared.images.views import MEAN, STD
    from shared.networks.reading import load_source
    from shared.runs.exporting import export
    from shared.runs.opened import trained_source
    from shared.runs.record import read_run

    if (run is None) == (source is None):
        raise UserError("give either --run, the folder of a finished run, or --source, a source network")
    if run:
        record = read_run(run)
        network, size = trained_source(record), record.experiment["size"]
    else:
        network = load_source(source)
        size = 64 if source == "mini" else 224
    say_notes(network)
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


def _what_was_checked(exported, size: int) -> str:
    """One sentence: what the written file gave when it was read again, and how far frameworks are apart on it."""
    from shared.runs.exporting import SAMPLES

    apart = f"apart by at most {max(exported.differences.values()):.1g} on {SAMPLES} drawn images of {size} px"
    if exported.file.suffix != ".onnx":
        return f"Read again, every tensor has its bits; the probabilities of Gluon and PyTorch are {apart}."
    if "onnxruntime" in exported.differences:
        return f"Run in onnxruntime, its probabilities and those of Gluon and PyTorch are {apart}."
    return f"The probabilities of Gluon and PyTorch are {apart}; the file was not run: onnxruntime is not installed."


@app.command()
def networks(
    measure: Annotated[bool, typer.Option("--measure", help="Measure again what the zoos share (a minute).")] = False,
    record: Annotated[Path, typer.Option(help="With --measure: also write it to this file.", **Unset)] = None,
):
    """Which networks can be read, trained and exported, and why the others of the two zoos cannot."""
    from shared.networks.architecture import family
    from shared.networks.formats import readable
    from shared.parity import families
    from shared.runs.exporting import ENDINGS
    from shared.runs.machine import package_versions

    if record and not measure:
        raise UserError("--record goes with --measure: it writes what was measured now")
    rows = [[name, *_where_it_is(architecture)] for name, architecture in family().items()]
    print_table(["read, trained, exported", "MXNet's model zoo", "torchvision", "beside an exported file"], rows)
    say("Thinner and wider ones too, with any number of blocks in each of their four stages.")
    say(f"Files that are read: {readable()}; that are written: {', '.join(ENDINGS)}.")
    if measure:
        pairs, versions = families.measure(), package_versions()
    else:
        pairs, versions = (families.recorded()[key] for key in ("pairs", "versions"))
    if record:
        families.record(pairs, versions, record)
    versions = ", ".join(f"{name} {versions[name]}" for name in ("mxnet", "torch", "torchvision"))
    found = [[row["gluon"], row["torchvision"], families.verdict(row)] for row in pairs]
    say("")
    say(f"What the two zoos share, with random tensors of the one put into the other, in their order ({versions}):")
    print_table(["MXNet's model zoo", "torchvision", "is"], found)
    for line in families.OTHERS:
        say(line)


def _where_it_is(architecture) -> list[str]:
    from shared.networks.writing import TORCH_ENDINGS, in_gluon, in_torchvision
    from shared.runs.exporting import module_text

    name, depth = architecture.name, architecture.name.partition("_")[0]
    gluon = name if in_gluon(architecture) else f"no (GluonCV: {name})"
    torchs = depth if in_torchvision(architecture) else "no"
    endings = [e for e in (".params", *TORCH_ENDINGS) if module_text(architecture, e)]
    return [gluon, torchs, f"{name}.py with {', '.join(endings)}" if endings else ""]
