"""Look: `hotdog doctor`, `data show`, `mini build`, `pictures`, `notebook`, `book`."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from shared.command.app import app, data_app, mini_app
from shared.command.console import print_table, progress_bar, say
from shared.command.options import DATA_HELP, Framework, FrameworkOption, SplitOption, Unset


@app.command()
def doctor():
    """What is installed, what works, which device and how many threads each framework will use, and why."""
    from shared.files import is_filled
    from shared.images.folders import cache_folder
    from shared.runs.frameworks import FRAMEWORKS, NAMES
    from shared.runs.machine import asked_alone, cpu_name, distributions, system_libraries

    rows = [["processor", cpu_name(), ""]]
    rows += [[name, version, "install the project again" * (version == "missing")] for name, version in distributions()]
    rows += [[name, "missing" if advice else "there", advice] for name, advice in system_libraries()]
    healthy = True
    for framework in FRAMEWORKS:
        facts = asked_alone(framework)
        if "error" in facts:
            healthy = False
            rows.append([NAMES[framework], "does not work", facts["error"]])
        else:
            rows.append([f"{framework} device", facts["device"], facts["reason"]])
            rows.append([f"{framework} threads", str(facts["threads"]), f"of {facts['cores']} cores"])
    cache = cache_folder()
    rows.append(["hotdog archive", "there" if is_filled(cache / "hotdog") else "not downloaded", str(cache)])
    print_table(["what", "is", "verdict"], rows)
    sys.exit(0 if healthy else 1)


@mini_app.command("build")
def mini_build(
    out: Annotated[Path, typer.Option(help="The file to write; --source takes it.")] = Path("source.safetensors"),
):
    """Draw the source images and train the source network on them, from nothing (minutes on two cores)."""
    from shared.files import write_atomically
    from shared.images.mini.drawings import write_source
    from shared.runs.pretrain import pretrain, save

    with tempfile.TemporaryDirectory() as scratch:
        say("drawing the source images …")
        write_source(Path(scratch) / "source")
        tensors, facts = pretrain(Path(scratch) / "source", log=say)
    write_atomically(out, lambda path: save(tensors, facts, path))
    say(
        f"{out}: {len(facts['classes'])} classes, {facts['top1']:.3f} of the held-out drawings right, "
        f"{out.stat().st_size / 1e6:.2f} MB, {facts['seconds']:.0f} s of training"
    )


@data_app.command("show")
def data_show(
    data: Annotated[str, typer.Argument(help=DATA_HELP)] = "mini",
    split: SplitOption = None,
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("contact-sheet.png"),
    count: Annotated[int, typer.Option(help="Images of each class.", min=1, max=64)] = 8,
):
    """Say which images there are and write a contact sheet: the first training images of every class."""
    from shared.book.pictures import contact_sheet
    from shared.images.folders import load_dataset
    from shared.images.splits import describe, remarks

    with progress_bar() as progress:
        dataset = load_dataset(data, split=split, progress=progress)
    for line in (describe(dataset), *remarks(dataset)):
        say(line)
    say(f"Contact sheet: {contact_sheet(dataset, out, count)}")


@app.command()
def pictures(
    out: Annotated[
        Path, typer.Option(help="Folder of the pictures; default: where README and chapter look.", **Unset)
    ] = None,
):
    """Draw the chapter's pictures, from the records in shared/results and the drawn images."""
    from shared.book.pictures import RECORDS, chapter_pictures

    for path in chapter_pictures(out or RECORDS / "pictures"):
        say(str(path))


@app.command()
def notebook(
    framework: FrameworkOption = Framework.both,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("notebooks"),
):
    """Write the chapter as a Jupyter notebook per framework, whose cells define the functions that the chapter quotes."""
    from shared.book.notebook import write_notebook

    for name in framework.names:
        say(f"Notebook: {write_notebook(name, out)}")


@app.command()
def book(out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("book")):
    """Build the chapter as a page that any browser opens from the file system: both frameworks side by side, search, contents."""
    from shared.book.site import write_site

    say(f"Page: {write_site(out)}")
