"""Options that several subcommands take."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from shared.runs.frameworks import FRAMEWORKS
from shared.version import DISTRIBUTION, VERSION


class Framework(str, Enum):
    gluon = "gluon"
    torch = "torch"
    both = "both"

    @property
    def names(self) -> list[str]:
        return list(FRAMEWORKS) if self is Framework.both else [self.value]


class Device(str, Enum):
    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"


class Precision(str, Enum):
    fp32 = "fp32"
    tf32 = "tf32"
    bf16 = "bf16"


class Draws(str, Enum):
    shared = "shared"
    own = "own"


class Log(str, Enum):
    tensorboard = "tensorboard"


DrawsOption = Annotated[
    Draws,
    typer.Option(
        help="Random numbers: shared by both frameworks, so that runs with one seed are a pair; or each framework's own."
    ),
]
FrameworkOption = Annotated[Framework, typer.Option(help="Which implementation.")]
DATA_HELP = (
    "mini (drawn), hotdog (d2l's archive), a folder {train,test}/<class>/ (or val, valid, validation), "
    "a folder <class>/ or a CSV file of file,class (both with --split)."
)
DataOption = Annotated[str, typer.Option(help=DATA_HELP)]
SplitOption = Annotated[
    float,
    typer.Option(
        help="Images without test images: test on this share of every class, the same ones every time.",
        show_default=False,
    ),
]
SourceOption = Annotated[
    str,
    typer.Option(
        help="mini, imagenet (MXNet's resnet18_v2), torchvision (its resnet18) or a .pth, .params, .safetensors file. "
        "Default: mini for the drawn images, imagenet for others.",
        show_default=False,
    ),
]
OutOption = Annotated[Path, typer.Option(help="Folder of the run records.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: the GPU where the framework can use it.")]
LimitOption = Annotated[int, typer.Option(help="Use at most N images of each split.", show_default=False)]
WorkersOption = Annotated[
    int, typer.Option(help="Threads (gluon) or processes (torch) that load images.", min=0, max=1024)
]
CacheOption = Annotated[
    int,
    typer.Option(help="Main memory for decoded images and test batches, in MiB. Changes no number.", min=0, max=2**20),
]
SeedOption = Annotated[list[int], typer.Option(help="Give it again to run several.", min=0, max=2**32 - 1)]
ClusterOption = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS|local",
        help="Have the runs made by the workers of this Dask scheduler (tcp://HOST:PORT), or of one that is started here.",
        show_default=False,
    ),
]
LogOption = Annotated[
    Log,
    typer.Option(help="Also write event files into the runs' folders, for TensorBoard to show.", show_default=False),
]
Unset = {"show_default": False}


def default_source(data: str) -> str:
    """The source network for images `data` when none is named."""
    return "mini" if data == "mini" else "imagenet"


def _show_version(wanted: bool):
    if wanted:
        print(f"{DISTRIBUTION} {VERSION}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_show_version)
]
RunOption = Annotated[list[Path], typer.Option("--run", help="Folder of a finished run; give it again for more.")]
