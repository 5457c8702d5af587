"""How every picture here looks: colours, lines, letters, and the file it ends in.

Figures are made without pyplot: no window system is looked for, no figure is kept in a list of open ones.
"""

import io
from pathlib import Path

from PIL import Image

from shared.files import write_atomically

LINES = {"gluon": "-", "torch": "--"}
HATCHES = {"gluon": "", "torch": "///"}
# From Okabe and Ito's palette, whose colours people tell apart whatever their colour vision.
COLOURS = {
    "finetune": "#d55e00",
    "scratch": "#0072b2",
    "frozen": "#009e73",
    "frozen-locked": "#56b4e9",
    "hotdog-row": "#cc79a7",
}
# Other ways to transfer: more than people tell apart by colour alone, so look at the table beside the picture.
COLOURS |= {
    "partial": "#332288",
    "gradual": "#88ccee",
    "head-first": "#44aa99",
    "discriminative": "#117733",
    "warmup-cosine": "#999933",
    "smoothed": "#ddcc77",
    "adamw": "#cc6677",
    "clipped": "#882255",
    "mixup": "#aa4499",
    "cutmix": "#7f7f7f",
    "augmented": "#8c564b",
    "dropout-head": "#e7298a",
    "balanced": "#1f78b4",
}
WIDTH = 7  # inches
FONT = {"font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "legend.fontsize": 8.5}


def new_figure(width: float, height: float):
    """An empty matplotlib Figure of `width` by `height` inches, whose parts make room for each other."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure, path: Path, dpi: int = 140):
    """Write `figure` as a PNG on white, so that it can be read on light and dark pages alike.

    The picture gets the 256 colours that suit it best: a third of the size of one in full colour.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi, facecolor="white", format="png")
    picture = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    write_atomically(Path(path), lambda file: picture.save(file, format="png", optimize=True))
