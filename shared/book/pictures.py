"""Pictures, made from records. Gluon is drawn solid and PyTorch dashed everywhere; colours tell experiments apart.

They are made to be read 700 pixels wide: seven inches with letters of nine points. `chapter_pictures` draws all of the chapter's.
"""

import io
import math
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")  # files only: works without a display
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.patches import FancyBboxPatch, Patch  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

from shared import datasets, feed, lockstep  # noqa: E402
from shared.datasets import Dataset  # noqa: E402
from shared.errors import UserError  # noqa: E402
from shared.experiments import WRONG_ROW  # noqa: E402
from shared.mini.build import drawing  # noqa: E402
from shared.mini.render import SOURCE_CLASSES  # noqa: E402
from shared.report import NAMES, title  # noqa: E402
from shared.runs import FRAMEWORKS, Run, implementation, read_probabilities, read_runs, write_atomically  # noqa: E402
from shared.sources import HOTDOG  # noqa: E402

LINES = {"gluon": "-", "torch": "--"}
# From Okabe and Ito's palette, whose colours people tell apart whatever their colour vision.
COLOURS = {
    "finetune": "#d55e00",
    "scratch": "#0072b2",
    "frozen": "#009e73",
    "hotdog-row": "#cc79a7",
}
WIDTH = 7
FONT = {"font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "legend.fontsize": 8.5}
RECORDS = Path(__file__).parent / "results"


def save_figure(figure, path: Path, dpi: int = 140):
    """Write `figure` as a PNG on white, so that it can be read on light and dark pages alike, and close it.

    The picture gets the 256 colours that suit it best: a third of the size of one in full colour.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi, facecolor="white", format="png")
    plt.close(figure)
    picture = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    write_atomically(Path(path), lambda file: picture.save(file, format="png", optimize=True))


@plt.rc_context(FONT)
def plot_run(run: Run) -> Path:
    """Write the run's `curves.png`: loss, and training and test accuracy, over its epochs. Returns the file's path."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.8), constrained_layout=True)
    epochs = [e["epoch"] for e in run.epochs]
    colour = COLOURS.get(run.experiment["name"], "black")
    draw = _line(run.framework, colour)
    left.plot(epochs, _values(run, "train_loss"), **draw)
    left.set(xlabel="epoch", ylabel="mean training loss")
    right.plot(epochs, _values(run, "test_accuracy"), label="test", **draw)
    right.plot(epochs, _values(run, "train_accuracy"), label="training", **draw | {"alpha": 0.4})
    right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1))
    right.legend(loc="lower right")
    figure.suptitle(f"{run.experiment['name']} on {run.dataset['name']}, {NAMES[run.framework]}, seed {run.seed}")
    save_figure(figure, run.folder / "curves.png")
    return run.folder / "curves.png"


@plt.rc_context(FONT)
def plot_runs(runs: list[Run], path: Path) -> Path:
    """Write test accuracy over epochs of several runs as one picture, one panel per experiment. Returns `path`.

    Of several seeds: their mean, in a band of one standard deviation up and down.
    """
    groups = {}
    for run in runs:
        groups.setdefault(title(run), {f: [] for f in FRAMEWORKS})[run.framework].append(run)
    columns = min(3, len(groups))
    rows = math.ceil(len(groups) / columns)
    spare = rows * columns > len(groups)  # an empty panel takes the legend
    figure, panels = plt.subplots(
        rows,
        columns,
        figsize=(WIDTH, 2.2 * rows + 0.5 * (not spare)),
        sharey=True,
        constrained_layout=True,
        squeeze=False,
    )
    for panel, (name, group) in zip(panels.flat, groups.items(), strict=False):
        for framework in (f for f in FRAMEWORKS if group[f]):
            _curve(panel, framework, group[framework])
        panel.set(title=name, xlabel="epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
    for row in panels:
        row[0].set_ylabel("test accuracy")
    _legend(
        figure, panels.flat[len(groups) :], max(len(found) for group in groups.values() for found in group.values())
    )
    save_figure(figure, path)
    return path


def _curve(panel, framework, found):
    """Test accuracy of runs of one experiment in one framework."""
    length = max(len(run.epochs) for run in found)
    values = np.full((len(found), length), np.nan)
    for row, run in zip(values, found, strict=True):
        row[: len(run.epochs)] = _values(run, "test_accuracy")
    colour = COLOURS.get(found[0].experiment["name"], "black")
    values = np.ma.masked_invalid(values)
    middle = values.mean(axis=0)
    panel.plot(range(length), middle, **_line(framework, colour))
    if len(found) > 1:
        spread = values.std(axis=0, ddof=1)
        panel.fill_between(range(length), middle - spread, middle + spread, **_band(framework, colour))


def _line(framework, colour):
    face = {"gluon": colour, "torch": "white"}[framework]
    shape = {"linestyle": LINES[framework], "linewidth": 1.3, "marker": "o", "markersize": 3.5}
    return {"color": colour, "markerfacecolor": face, **shape}


def _band(framework, colour):
    # Filled for one and hatched for the other: both can be seen where they overlap.
    if framework == "gluon":
        return {"facecolor": colour, "edgecolor": "none", "alpha": 0.25}
    return {"facecolor": "none", "edgecolor": colour, "linewidth": 0.5, "hatch": "////", "alpha": 0.45}


def _legend(figure, spare, seeds):
    """What the lines and bands of `seeds` runs stand for: in the last of the `spare` panels, else below the others."""
    grey = "#444444"
    handles = [Line2D([], [], **_line(f, grey)) for f in FRAMEWORKS]
    if seeds > 1:
        handles = [(Patch(**_band(f, grey)), line) for f, line in zip(FRAMEWORKS, handles, strict=True)]
    legend = {"handles": handles, "labels": [NAMES[f] for f in FRAMEWORKS], "frameon": False, "handlelength": 4}
    if seeds > 1:
        legend["title"] = f"mean of {seeds} seeds\n± one standard deviation"
    for panel in spare:
        panel.set_axis_off()
    if len(spare):
        spare[-1].legend(loc="center", handleheight=1.8, labelspacing=1, **legend)
    else:
        figure.legend(loc="outside lower center", ncols=2, **legend)


@plt.rc_context(FONT)
def contact_sheet(dataset: Dataset, path: Path, count: int = 8) -> Path:
    """Write the first `count` training images of every class as one picture, a class a row. Returns `path`."""
    rows = len(dataset.classes)
    figure, panels = plt.subplots(
        rows, count, figsize=(WIDTH / 8 * count, 1.05 * rows), constrained_layout=True, squeeze=False
    )
    for label, (name, row) in enumerate(zip(dataset.classes, panels, strict=True)):
        chosen = [n for n, y in zip(dataset.train.names, dataset.train.labels, strict=True) if y == label]
        for panel in row:
            panel.set_axis_off()
        for panel, file in zip(row, chosen, strict=False):
            with Image.open(dataset.train.folder / file) as image:
                panel.imshow(image.convert("RGB"))
        row[0].set_title(name, loc="left")
    save_figure(figure, path, dpi=110)
    return path


@plt.rc_context(FONT)
def plot_augmentations(dataset: Dataset, path: Path, position: int, size: int = 64, count: int = 8) -> Path:
    """Write what both frameworks' transforms make of the training image at `position` as one picture. Returns `path`.

    Above the image itself and each framework's test view, below `count` training views of each; all of `size` pixels.
    """
    figure, panels = plt.subplots(3, count, figsize=(WIDTH, 3.2), constrained_layout=True, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    with Image.open(dataset.train.folder / dataset.train.names[position]) as image:
        panels[0, 0].imshow(image.convert("RGB"))
    panels[0, 0].set_title("the image", loc="left")
    for row, framework in enumerate(FRAMEWORKS, 1):
        data = implementation(framework, "data")
        implementation(framework, "training").seed_everything(0)
        tested, trained = (data.image_folder(dataset.train, augs(size)) for augs in (data.test_augs, data.train_augs))
        panels[0, row].imshow(_pixels(tested[position][0]))
        panels[0, row].set_title(f"{NAMES[framework]}, test", loc="left")
        for panel in panels[row]:
            panel.imshow(_pixels(trained[position][0]))
        panels[row, 0].set_title(f"{NAMES[framework]}, training", loc="left")
    side = datasets.resized_side(size)
    said = f"""Test: squashed to {side} × {side} pixels, the
centre of {size} × {size} cut out.
Training: a random region of 8 to 100 % of the area,
scaled to {size} × {size}, mirrored half of the time.
The two draw different random numbers, from the
same distribution."""
    panels[0, 3].text(
        0.1, 1, said, transform=panels[0, 3].transAxes, verticalalignment="top", linespacing=1.3, in_layout=False
    )
    save_figure(figure, path, dpi=110)
    return path


def _picture_row(panels, images, captions):
    """Images side by side, each below its caption."""
    for panel, image, caption in zip(panels, images, captions, strict=True):
        panel.imshow(image)
        panel.set_title(caption, fontsize=7.5, pad=3)
        panel.set_axis_off()


@plt.rc_context(FONT)
def source_drawings(path: Path, columns: int = 8) -> Path:
    """Write two rows of the drawings that the embedded source network was trained on, one of a class each. Returns `path`."""
    first = [HOTDOG, WRONG_ROW]
    others = [name for name in SOURCE_CLASSES if name not in first]
    chosen = first + others[:: len(others) // (2 * columns - 2)][: 2 * columns - 2]
    figure, panels = plt.subplots(2, columns, figsize=(WIDTH, 2.2), constrained_layout=True)
    _picture_row(panels.flat, [drawing("source", "train", name, 0) for name in chosen], chosen)
    save_figure(figure, path, dpi=110)
    return path


@plt.rc_context(FONT)
def predictions(found: list[Run], dataset: Dataset, path: Path, each: int = 4) -> Path:
    """Write test images of `dataset` with the probability of a hot dog that a Gluon and a PyTorch run give them. Returns `path`.

    found: one run of each framework. Above, `each` images of both classes that both runs are surest of and right; below, those
    that both get wrong, the surest first.
    """
    named = {}
    for run in found:
        names, labels, p = read_probabilities(run)
        named[run.framework] = dict(zip(names, p[:, dataset.hotdog_slot], strict=True))
    right, wrong = [], []
    for label in (dataset.hotdog_slot, 1 - dataset.hotdog_slot):
        own = [n for n, y in zip(names, labels, strict=True) if y == label]
        # the probability of the image's own class, in the framework that gives it less, or more
        sure = {n: [named[f][n] if label == dataset.hotdog_slot else 1 - named[f][n] for f in FRAMEWORKS] for n in own}
        right += sorted(own, key=lambda n: -min(sure[n]))[:each]  # noqa: B023 (used at once)
        wrong += [n for n in sorted(own, key=lambda n: max(sure[n])) if max(sure[n]) < 0.5][:each]  # noqa: B023
    figure, panels = plt.subplots(2, 2 * each, figsize=(WIDTH, 2.5), constrained_layout=True)
    for row, chosen in zip(panels, (right, wrong), strict=True):
        images = [Image.open(dataset.test.folder / name).convert("RGB") for name in chosen]
        captions = ["\n".join(f"{NAMES[f]} {named[f][name]:.2f}" for f in FRAMEWORKS) for name in chosen]
        _picture_row(row[: len(chosen)], images, captions)
        for panel in row[len(chosen) :]:
            panel.set_axis_off()
    save_figure(figure, path, dpi=110)
    return path


@plt.rc_context(FONT)
def plot_fine_tuning(path: Path) -> Path:
    """Write fine-tuning's four steps as a diagram: what is copied from the source network, and what is new. Returns `path`."""
    figure, panel = plt.subplots(figsize=(WIDTH, 2.9), constrained_layout=True)
    panel.set(xlim=(0, 10), ylim=(0, 4.2))
    panel.set_axis_off()
    old, new = "#dddddd", "#f3c9a5"

    def box(x, y, text, colour):
        style = {"boxstyle": "round,pad=0.02,rounding_size=0.08", "facecolor": colour, "edgecolor": "#444444"}
        panel.add_patch(FancyBboxPatch((x, y), 3, 0.7, **style))
        panel.text(x + 1.5, y + 0.35, text, ha="center", va="center")

    def arrow(start, end, **style):
        panel.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#444444", **style})

    for x, heading, data in ((0.2, "1. source network", "source images"), (6.8, "2. target network", "target images")):
        panel.text(x + 1.5, 4, heading, ha="center", va="center", fontweight="bold")
        panel.text(x + 1.5, 0.1, data, ha="center", va="center")
        for y in (0.3, 1.5, 2.6):
            arrow((x + 1.5, y), (x + 1.5, y + 0.35))
        box(x, 0.7, "features: early layers", old)
        box(x, 1.85, "features: late layers", old)
    box(0.2, 3, "output layer: source classes", old)
    box(6.8, 3, "3. new output layer", new)
    for y in (1.05, 2.2):
        arrow((3.3, y), (6.7, y))
        panel.text(5, y + 0.15, "copied", ha="center")
    arrow((3.3, 3.35), (6.7, 3.35), linestyle=":")
    panel.text(5, 3.5, "stays behind\n(hotdog-row: but one row)", ha="center")
    panel.text(5, 0.1, "4. train all of the target network", ha="center", va="center")
    save_figure(figure, path, dpi=110)
    return path


def _pixels(view):
    """A framework's normalised (3, H, W) tensor -> (H, W, 3) of 0 to 1."""
    array = view.asnumpy() if hasattr(view, "asnumpy") else view.numpy()
    return np.clip(array * feed.STD + feed.MEAN, 0, 1).transpose(1, 2, 0)


# The series of a lockstep record: label, colour (of no experiment), marker.
ARITHMETIC = {
    "float32": ("float32", "#e69f00", "o"),
    "float64": ("float64", "#56b4e9", "s"),
    "float64, rates exact": ("float64, rate and decay that float32 holds exactly", "black", "^"),
}
EPSILONS = {2.0**-23: "float32", 2.0**-52: "float64"}
NOTHING = 1e-17  # where no difference at all is drawn on a logarithmic axis


@plt.rc_context(FONT)
def plot_divergence(record: dict, path: Path) -> Path:
    """Write how far two frameworks in lockstep are apart after every step, from a record of shared.lockstep. Returns `path`.

    One column per experiment; above the gap between the losses, below the distance of the weights.
    """
    series = record["series"]
    names = list(dict.fromkeys(one["experiment"]["name"] for one in series))
    figure, panels = plt.subplots(
        2, len(names), figsize=(WIDTH, 5.6), sharex=True, sharey="row", constrained_layout=True, squeeze=False
    )
    for column, name in zip(panels.T, names, strict=True):
        own = [one for one in series if one["experiment"]["name"] == name]
        column[0].set_title(f"{name}, learning rate {own[0]['experiment']['learning_rate']:g}")
        for panel, key in zip(column, ("loss_gap", "way"), strict=True):
            for one in own:
                values = [math.nan if step[key] is None else max(step[key], NOTHING) for step in one["steps"]]
                label, colour, marker = ARITHMETIC[one["name"]]
                steps = [step["step"] for step in one["steps"]]
                panel.semilogy(steps, values, color=colour, marker=marker, markersize=3, linewidth=1.2, label=label)
            panel.grid(alpha=0.3)
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        column[1].set_xlabel("step")
    powers = range(-15, 1, 3)
    ticks, labels = [10.0**p for p in powers], [f"$10^{{{p}}}$" for p in powers]
    panels[0, 0].set(yticks=[NOTHING, *ticks], yticklabels=["0", *labels], ylim=(NOTHING / 3, 30))
    panels[1, 0].set(yticks=ticks, yticklabels=labels, ylim=(1e-16, 30))
    for epsilon, dtype in EPSILONS.items():
        _mark(panels[0], epsilon, f"ε of {dtype}")
    _mark(panels[1], 1, "as far apart as they have moved")
    panels[0, 0].set_ylabel("difference of the two losses")
    panels[1, 0].set_ylabel("distance of the two sets of weights,\nas a share of how far they have moved")
    figure.legend(handles=panels[0, 0].lines[: len(own)], loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)
    return path


def _mark(row, height, text):
    """A thin line across the panels of a row, with a word on it in the one where it is in nobody's way."""
    for panel in row:
        panel.axhline(height, color="#777777", linestyle=":", linewidth=0.8)
    panel = row[0] if height == 1 else row[-1]
    panel.text(
        0.98, height, text, color="#777777", fontsize=8, transform=panel.get_yaxis_transform(), ha="right", va="top"
    )


def chapter_pictures(out: Path) -> list[Path]:
    """Write all of the chapter's pictures into `out`, from the records and the drawn images. Returns their paths.

    Raises UserError where the records are not: only a checkout of the project has them.
    """
    if not RECORDS.is_dir():
        raise UserError(
            f"there are no records in {RECORDS}: this needs a checkout of the project, not only the package"
        )
    mini = datasets.load_dataset("mini")
    found = [run for run in read_runs(RECORDS / "seeds") if run.status == "finished"]
    divergence = lockstep.read_record(RECORDS / "divergence.json")
    from shared import exercises  # they draw with what is above

    tuned = [run for run in found if run.experiment["name"] == "finetune" and run.seed == 0]
    return [
        plot_fine_tuning(out / "fine-tuning.png"),
        contact_sheet(mini, out / "contact-sheet.png"),
        source_drawings(out / "source-drawings.png"),
        predictions(tuned, mini, out / "predictions.png"),
        plot_augmentations(mini, out / "augmentations.png", position=4),
        plot_runs(found, out / "curves.png"),
        plot_divergence(divergence, out / "where-they-part.png"),
        *(
            exercise(exercises.recorded(RECORDS / "exercises" / f"exercise-{n}-mini")).save_picture(
                out / f"exercise-{n}.png"
            )
            for n, exercise in exercises.EXERCISES.items()
        ),
    ]


def _values(run, key):
    return [float("nan") if e[key] is None else e[key] for e in run.epochs]
