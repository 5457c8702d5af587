"""What trained networks say of single images: which files are meant, their probabilities, the table and the CSV of them."""

import csv
import glob
from pathlib import Path

import numpy as np

from shared.errors import UserError
from shared.files import write_atomically
from shared.images.checks import check_image, is_image
from shared.runs.record import Run


def image_files(named: list[str]) -> tuple[list[Path], list[str]]:
    """The image files that are meant by files, folders and patterns, each once, in the order given; folders in sorted order.

    Returns them and why others were left out, one line each: an image that cannot be read ends it only where it is named itself.
    Raises UserError for such a file, for a name that is nothing, and for a folder or pattern without images.
    """
    files, left_out = {}, []
    for name in named:
        path = Path(name).expanduser()
        if path.is_dir():
            found = _below(path)
        elif not path.exists() and glob.has_magic(name):
            matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
            if not matches:
                raise UserError(f"nothing matches {name}")
            found = [file for match in matches for file in (_below(match) if match.is_dir() else [match])]
        else:
            check_image(path)
            files[path] = True
            continue
        images = [file for file in found if is_image(file)]
        if not images:
            raise UserError(f"{name} holds no images that both frameworks read")
        if len(images) < len(found):
            left_out.append(f"{len(found) - len(images)} files of {name}: no images that both frameworks read")
        for file in images:
            try:
                check_image(file)
                files[file] = True
            except UserError as error:
                left_out.append(str(error))
    if not files:
        raise UserError(f"no image can be read: {left_out[0]}")
    return list(files), left_out


def _below(folder):
    """The files in `folder` and the folders in it, in sorted order; no hidden ones."""
    found = ((file, file.relative_to(folder).parts) for file in sorted(folder.rglob("*")) if file.is_file())
    return [file for file, parts in found if not any(part.startswith(".") for part in parts)]


def class_table(files: list[Path], predictions: list, top: int) -> tuple[list[str], list[list[str]]]:
    """Header and rows, one per image and network: every class's probability, or of more than `top` classes the most probable.

    predictions: (run, probabilities) of each network.
    """
    classes = list(dict.fromkeys(tuple(run.dataset["classes"]) for run, _ in predictions))
    whole = len(classes) == 1 and len(classes[0]) <= top
    header = ["image", "network", "most probable"] + (list(classes[0]) if whole else [])
    if not whole:
        count = min(top, max(map(len, classes)))
        header += [f"{number}." for number in range(2, count + 1)]
    rows = []
    for i, file in enumerate(files):
        for run, probabilities in predictions:
            names, p = run.dataset["classes"], probabilities[i]
            order = np.argsort(-p, kind="stable")
            if whole:
                cells = [names[order[0]], *(f"{value:.4f}" for value in p)]
            else:
                cells = [f"{names[j]} {p[j]:.4f}" for j in order[: len(header) - 2]]
            rows.append([str(file), title(run), *cells, *[""] * (len(header) - 2 - len(cells))])
    return header, rows


def title(run: Run) -> str:
    """Which network a run's is: `finetune torch seed 0`."""
    return f"{run.experiment['name']} {run.framework} seed {run.seed}"


def write_csv(path: Path, files: list[Path], predictions: list):
    """Write one line per image and network: image, run, framework, the most probable class, and every class's probability."""

    def write(new):
        with open(new, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            lines = csv.writer(file, lineterminator="\n")
            classes = predictions[0][0].dataset["classes"]
            lines.writerow(["image", "run", "framework", "class", *classes])
            for i, image in enumerate(files):
                for run, probabilities in predictions:
                    p = probabilities[i]
                    lines.writerow([image, run.folder, run.framework, classes[p.argmax()], *(f"{v:.6f}" for v in p)])

    write_atomically(path, write)
