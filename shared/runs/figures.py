"""How every picture here looks: colours, lines, letters, and the file it ends in."""

import io
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from PIL import Image

from shared.files import write_atomically

matplotlib.use("Agg")  # files only: works without a display

LINES = {"gluon": "-", "torch": "--"}
# From Okabe and Ito's palette, whose colours people tell apart whatever their colour vision.
COLOURS = {
    "finetune": "#d55e00",
    "scratch": "#0072b2",
    "frozen": "#009e73",
    "frozen-locked": "#56b4e9",
    "hotdog-row": "#cc79a7",
}
WIDTH = 7
FONT = {"font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "legend.fontsize": 8.5}


def save_figure(figure, path: Path, dpi: int = 140):
    """Write `figure` as a PNG on white, so that it can be read on light and dark pages alike, and close it.

    The picture gets the 256 colours that suit it best: a third of the size of one in full colour.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi, facecolor="white", format="png")
    plt.close(figure)
    picture = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    write_atomically(Path(path), lambda file: picture.save(file, format="png", optimize=True))


HATCHES = {"gluon": "", "torch": "///"}
