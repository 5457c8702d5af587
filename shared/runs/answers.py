"""What a run answers, image by image: confusion matrix, precision, recall and F1 per class, AUC, and the images it gets wrong.

report = write_report(run, dataset.test)     # at the end of a run: its report.png and report.csv, and what to print
"""

import csv
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from shared.errors import printable, reason_of
from shared.files import write_atomically
from shared.images.splits import Split
from shared.runs.record import Run, read_probabilities

FEW = 10  # classes whose confusion matrix can be printed; of more, the worst this many
SHOWN = 12  # images on the contact sheet


@dataclass(frozen=True)
class Report:
    """What is printed about predictions: `tables` as (caption, header, rows), then `lines`; and the files that were written."""

    tables: list[tuple[str, list[str], list[list[str]]]]
    lines: list[str]
    files: list[Path]


def write_report(run: Run, split: Split) -> Report:
    """Report on a finished run's test images: `report.csv` and `report.png` in its folder, and what to print.

    split: the images that it was tested on. Reads what the run recorded, so it can be repeated at any time. A file that cannot be
    written is said, not raised: the run is over and recorded by then. Raises UserError where the run's probabilities are damaged.
    """
    _, labels, probabilities = read_probabilities(run)
    return report_on(tuple(run.dataset["classes"]), split, labels, probabilities, run.folder / "report")


def report_on(classes: tuple[str, ...], split: Split, labels, probabilities, stem: Path) -> Report:
    """Report on predictions: labels (N,) class indices, probabilities (N, classes), for the images of `split` in its order.

    stem: where the files go, less their endings .csv and .png.
    """
    if not np.isfinite(probabilities).all():
        return Report([], ["No report: the network's probabilities are no numbers, so its training diverged."], [])
    predicted = probabilities.argmax(axis=1)
    matrix, scores, auc = measures(labels, predicted, probabilities)
    tables = [_scores_table(classes, scores), _confusion_table(classes, matrix)]
    wrong = int((predicted != labels).sum())
    lines = [f"AUC {auc:.4f}."] if auc is not None else []
    lines += [f"{wrong} of {len(labels)} images are wrong."]
    files = []
    for ending, write in (
        (".csv", lambda path: write_atomically(path, lambda new: _write_scores(new, classes, scores, matrix))),
        (".png", lambda path: _draw(path, classes, split, labels, predicted, probabilities)),
    ):
        path = stem.with_name(stem.name + ending)
        try:
            write(path)
            files.append(path)
        except OSError as error:
            lines.append(f"{path} could not be written: {reason_of(error)}")
    return Report(tables, lines, files)


def measures(labels, predicted, probabilities) -> tuple[np.ndarray, np.ndarray, float | None]:
    """Confusion matrix, scores per class, and AUC; all three as scikit-learn computes them.

    matrix (classes, classes): row = the right class, column = the predicted one. scores (classes, 4): precision, recall, F1, number
    of images; NaN where there is nothing to divide by. AUC: area under the ROC curve, for two classes that both occur, else None.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

    every = range(probabilities.shape[1])
    scores = precision_recall_fscore_support(labels, predicted, labels=every, zero_division=np.nan)
    two = len(every) == 2 and len(set(labels.tolist())) == 2
    auc = float(roc_auc_score(labels, probabilities[:, 1])) if two else None
    return confusion_matrix(labels, predicted, labels=every), np.stack(scores, axis=1), auc


def _scores_table(classes, scores):
    order = list(range(len(classes)))
    caption = "Per class: of the images called so, the share that is (precision); of those that are, the share called so (recall)."
    if len(order) > FEW:
        worst = np.argsort(np.nan_to_num(scores[:, 2]), kind="stable")[:FEW]
        caption += f" The {FEW} of {len(order)} classes with the lowest F1, and the mean of all."
        order = worst.tolist()
    rows = [[classes[i], *map(_share, scores[i, :3]), str(int(scores[i, 3]))] for i in order]
    valid = [column[~np.isnan(column)] for column in scores[:, :3].T]
    means = [_share(column.mean() if len(column) else math.nan) for column in valid]
    return (
        caption,
        ["class", "precision", "recall", "F1", "images"],
        [*rows, ["mean", *means, str(int(scores[:, 3].sum()))]],
    )


def _confusion_table(classes, matrix):
    if len(classes) <= FEW:
        rows = [[name, *map(str, row)] for name, row in zip(classes, matrix.tolist(), strict=True)]
        return "Confusion matrix: images of each class (lines) by what they were called.", ["", *classes], rows
    pairs = matrix * (1 - np.eye(len(classes), dtype=matrix.dtype))
    most = [divmod(int(i), len(classes)) for i in np.argsort(-pairs, axis=None, kind="stable")[:FEW]]
    rows = [[classes[i], classes[j], str(pairs[i, j])] for i, j in most if pairs[i, j]]
    return f"The {FEW} most frequent confusions; the whole matrix is in report.csv.", ["is", "called", "images"], rows


def _share(value):
    return "–" if math.isnan(value) else f"{value:.3f}"


def _write_scores(path, classes, scores, matrix):
    with open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["class", "images", "precision", "recall", "F1", *(f"called {name}" for name in classes)])
        for name, (*shares, images), row in zip(classes, scores.tolist(), matrix.tolist(), strict=True):
            lines.writerow([name, int(images), *("" if math.isnan(s) else f"{s:.6f}" for s in shares), *row])


def most_confident_errors(labels, predicted, probabilities, count: int = SHOWN) -> np.ndarray:
    """Positions of the wrong images, those first whose wrong class is thought most probable.

    Where no image is wrong: of the right ones whose class is thought least probable.
    """
    sure = probabilities[np.arange(len(labels)), predicted]
    wrong = np.flatnonzero(predicted != labels)
    if len(wrong):
        return wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    return np.argsort(sure, kind="stable")[:count]


def _draw(path, classes, split, labels, predicted, probabilities):
    import matplotlib.pyplot as plt

    from shared.runs.figures import FONT, WIDTH, save_figure

    chosen = most_confident_errors(labels, predicted, probabilities)
    columns = min(4, len(chosen))
    lines = math.ceil(len(chosen) / columns)
    files = [file for file, _ in split.items]
    # A class may be called a$b$, or in letters that the font has not: they become boxes.
    with plt.rc_context(FONT | {"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        figure, panels = plt.subplots(
            lines, columns, figsize=(WIDTH, 0.4 + 2.3 * lines), squeeze=False, constrained_layout=True
        )
        for panel in panels.flat:
            panel.set_axis_off()
        for panel, i in zip(panels.flat, chosen, strict=False):
            panel.imshow(_thumbnail(files[i]))
            called = f"called {classes[predicted[i]]} {probabilities[i, predicted[i]]:.3f}"
            panel.set_title("\n".join(map(_short, (split.names[i], f"is {classes[labels[i]]}", called))), fontsize=7)
        wrong = int((predicted != labels).sum())
        what = (
            f"{len(chosen)} of {wrong} wrong images, the surest first" if wrong else "No image is wrong. The least sure"
        )
        figure.suptitle(what)
        save_figure(figure, path)


def _short(text, most=32):
    text = printable(text)
    return text if len(text) <= most else f"…{text[-most + 1 :]}"


def _thumbnail(file):
    try:
        with Image.open(file) as image:
            image = image.convert("RGB")
            image.thumbnail((256, 256))
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError):  # gone or changed since it was read
        return np.full((8, 8, 3), 200, dtype=np.uint8)
