"""Pictures, made from records. Gluon is drawn solid and PyTorch dashed everywhere; colours tell experiments apart.

They are made to be read 700 pixels wide: seven inches with letters of nine points. `chapter_pictures` draws all of the chapter's.
"""

from pathlib import Path

import matplotlib
from PIL import Image

from shared.book.diagrams import plot_divergence, plot_fine_tuning
from shared.book.quotes import RECORDS
from shared.book.scale import plot_scale
from shared.errors import UserError, printable
from shared.exercises.bench import recorded
from shared.exercises.index import EXERCISES
from shared.exercises.report import report_on
from shared.experiments import WRONG_ROW
from shared.images.folders import load_dataset
from shared.images.mini.drawings import drawing
from shared.images.mini.render import SOURCE_CLASSES
from shared.images.splits import Dataset
from shared.images.views import resized_side, unnormalised
from shared.networks.reading import load_source
from shared.networks.source import HOTDOG
from shared.parity.divergence import read_divergence
from shared.runs.curves import plot_runs
from shared.runs.figures import FONT, WIDTH, new_figure, save_figure
from shared.runs.frameworks import FRAMEWORKS, NAMES, implementation
from shared.runs.record import Run, read_probabilities, read_runs

MOST_ROWS = 50  # of a contact sheet; matplotlib draws up to 65,535 pixels


@matplotlib.rc_context(FONT)
def contact_sheet(dataset: Dataset, path: Path, count: int = 8) -> Path:
    """Write the first `count` training images of every class as one picture, a class a row. Returns `path`.

    Of more than MOST_ROWS classes the first ones are shown.
    """
    rows = min(len(dataset.classes), MOST_ROWS)
    figure = new_figure(WIDTH / 8 * count, 1.05 * rows)
    panels = figure.subplots(rows, count, squeeze=False)
    for label, (name, row) in enumerate(zip(dataset.classes[:rows], panels, strict=True)):
        chosen = [n for n, y in zip(dataset.train.names, dataset.train.labels, strict=True) if y == label]
        for panel in row:
            panel.set_axis_off()
        for panel, file in zip(row, chosen, strict=False):
            with Image.open(dataset.train.folder / file) as image:
                image = image.convert("RGB")
            image.thumbnail((256, 256))
            panel.imshow(image)
        row[0].set_title(printable(name), loc="left", parse_math=False)
    save_figure(figure, path, dpi=110)
    return path


@matplotlib.rc_context(FONT)
def plot_augmentations(dataset: Dataset, path: Path, position: int, size: int = 64, count: int = 8) -> Path:
    """Write what both frameworks' transforms make of the training image at `position` as one picture. Returns `path`.

    Above the image itself and each framework's test view, below `count` training views of each; all of `size` pixels.
    """
    figure = new_figure(WIDTH, 3.2)
    panels = figure.subplots(3, count, squeeze=False)
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
    side = resized_side(size)
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


@matplotlib.rc_context(FONT)
def source_drawings(path: Path, columns: int = 8) -> Path:
    """Write two rows of the drawings that the embedded source network was trained on, one of a class each. Returns `path`."""
    first = [HOTDOG, WRONG_ROW]
    others = [name for name in SOURCE_CLASSES if name not in first]
    chosen = first + others[:: len(others) // (2 * columns - 2)][: 2 * columns - 2]
    figure = new_figure(WIDTH, 2.2)
    panels = figure.subplots(2, columns)
    _picture_row(panels.flat, [drawing("source", "train", name, 0) for name in chosen], chosen)
    save_figure(figure, path, dpi=110)
    return path


@matplotlib.rc_context(FONT)
def feature_maps(dataset: Dataset, path: Path, position: int, size: int = 64, each: int = 7) -> Path:
    """Write what the stages of the embedded source network make of one training image: a stage a row. Returns `path`.

    each: the channels of a stage that answer most, by their mean, the strongest first. As PyTorch computes them; Gluon's are the
    same to seven digits (rung 3 of the ladder).
    """
    import torch

    nets, data = implementation("torch", "nets"), implementation("torch", "data")
    net = nets.pretrained_net(load_source("mini")).eval()
    image = data.image_folder(dataset.train, data.test_augs(size))[position][0]
    stages = {"layer1": "first stage", "layer2": "second", "layer3": "third", "layer4": "fourth"}
    found = {}
    for name in stages:
        part = net.features.get_submodule(name)
        part.register_forward_hook(lambda module, given, output, name=name: found.__setitem__(name, output[0].relu()))
    with torch.no_grad():
        net(image[None])
    figure = new_figure(WIDTH, 3.7)
    panels = figure.subplots(len(stages), each + 1)
    for panel in panels.flat:
        panel.set_axis_off()
    panels[0, 0].imshow(_pixels(image))
    for row, (name, title) in zip(panels, stages.items(), strict=True):
        maps = found[name]
        strongest = maps.mean(dim=(1, 2)).argsort(descending=True)[:each]
        for panel, channel in zip(row[1:], strongest, strict=True):
            panel.imshow(maps[channel].numpy(), cmap="magma", interpolation="nearest")
        _, height, width = maps.shape
        row[1].set_title(" ", pad=3)  # keeps the height that the words need, which reach over the next columns
        said = f"{title}: {len(maps)} channels of {height} × {width}"
        row[1].text(0, 1.05, said, transform=row[1].transAxes, in_layout=False)
    panels[0, 0].set_title("the image", loc="left", pad=3)
    save_figure(figure, path, dpi=110)
    return path


@matplotlib.rc_context(FONT)
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
    figure = new_figure(WIDTH, 2.5)
    panels = figure.subplots(2, 2 * each)
    for row, chosen in zip(panels, (right, wrong), strict=True):
        images = [Image.open(dataset.test.folder / name).convert("RGB") for name in chosen]
        captions = ["\n".join(f"{NAMES[f]} {named[f][name]:.2f}" for f in FRAMEWORKS) for name in chosen]
        _picture_row(row[: len(chosen)], images, captions)
        for panel in row[len(chosen) :]:
            panel.set_axis_off()
    save_figure(figure, path, dpi=110)
    return path


def _pixels(view):
    """A framework's normalised (3, H, W) tensor -> (H, W, 3) of 0 to 1."""
    array = view.asnumpy() if hasattr(view, "asnumpy") else view.numpy()
    return unnormalised(array)


def chapter_pictures(out: Path) -> list[Path]:
    """Write all of the chapter's pictures into `out`, from the records and the drawn images. Returns their paths.

    Raises UserError where the records are not: only a checkout of the project has them.
    """
    if not RECORDS.is_dir():
        raise UserError(
            f"there are no records in {RECORDS}: this needs a checkout of the project, not only the package"
        )
    mini = load_dataset("mini")
    found = [run for run in read_runs(RECORDS / "seeds") if run.status == "finished"]
    divergence = read_divergence(RECORDS / "divergence.json")
    tuned = [run for run in found if run.experiment["name"] == "finetune" and run.seed == 0]
    return [
        plot_fine_tuning(out / "fine-tuning.png"),
        contact_sheet(mini, out / "contact-sheet.png"),
        source_drawings(out / "source-drawings.png"),
        feature_maps(mini, out / "feature-maps.png", position=4),
        predictions(tuned, mini, out / "predictions.png"),
        plot_augmentations(mini, out / "augmentations.png", position=4),
        plot_runs(found, out / "curves.png"),
        plot_divergence(divergence, out / "where-they-part.png"),
        plot_scale(out / "scale.png"),
        *(
            report_on(exercise, recorded(RECORDS / "exercises" / f"exercise-{number}-mini")).save_picture(
                out / f"exercise-{number}.png"
            )
            for number, exercise in EXERCISES.items()
        ),
    ]
