"""An exercise as a lab report: what was measured, as tables, as an answer in words, and as a picture.

An exercise is a file with a `TITLE` and four functions: `measure(bench)` trains what is needed and returns a frozen dataclass of
numbers; `tables(numbers)`, `answer(numbers)` (a list of sentences) and `draw(figure, numbers)` say what these are.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from shared.exercises.bench import SETTINGS, Bench
from shared.files import new_folder, write_text
from shared.runs.figures import HATCHES, new_figure, save_figure
from shared.runs.frameworks import NAMES
from shared.runs.tables import markdown_table


class Table(NamedTuple):
    """A table: what it shows, its header, its lines."""

    caption: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Report:
    """An exercise (its module) and the numbers that it measured."""

    exercise: ModuleType
    numbers: Any

    @property
    def title(self) -> str:
        return self.exercise.TITLE

    @property
    def tables(self) -> list[Table]:
        return self.exercise.tables(self.numbers)

    @property
    def answer(self) -> list[str]:
        return self.exercise.answer(self.numbers)

    def save_picture(self, path: Path) -> Path:
        """Write the picture as a PNG. Returns `path`."""
        figure = new_figure(8, 4)
        self.exercise.draw(figure, self.numbers)
        save_figure(figure, path)
        return path

    def tables_in_markdown(self) -> str:
        """The tables, each below its caption."""
        return "\n\n".join(f"{caption}\n\n{markdown_table(header, rows)}" for caption, header, rows in self.tables)

    def answer_in_markdown(self) -> str:
        """The answer, a sentence a list item."""
        return "\n".join(f"- {sentence}" for sentence in self.answer)

    def markdown(self) -> str:
        """The tables and the answer."""
        return f"{self.tables_in_markdown()}\n\n{self.answer_in_markdown()}"


def report_on(exercise: ModuleType, bench: Bench) -> Report:
    """Carry out `exercise`, one of EXERCISES, on `bench`."""
    return Report(exercise, exercise.measure(bench))


def write(bench: Bench, report: Report, about: dict):
    """Keep the report as `answer.md`, and as `exercise.json` what `recorded` needs, with `about` what was asked for.

    An answer that other settings gave is moved to `earlier-1`, `earlier-2` …, its picture with it.
    """
    settings = json.dumps(about | {name: getattr(bench, name) for name in SETTINGS}, indent=1) + "\n"
    file = bench.folder / "exercise.json"
    if file.is_file() and file.read_bytes() != settings.encode():
        earlier = new_folder(bench.folder, "earlier")
        for name in ("exercise.json", "answer.md", "picture.png"):
            if (bench.folder / name).is_file():
                (bench.folder / name).rename(earlier / name)
    write_text(file, settings)
    write_text(bench.folder / "answer.md", f"# {report.title}\n\n{report.markdown()}\n")


# --- what the pictures share ---


def mark(panel, height: float, text: str):
    """A dotted line across the panel at `height`, and its name at the left end."""
    panel.axhline(height, color="black", linewidth=0.8, linestyle=":")
    panel.annotate(text, (0.01, height), (2, 2), ("axes fraction", "data"), "offset points", fontsize=8)


def framework_patches(frameworks: list[str]) -> list:
    """What the hatching of bars stands for, for a legend."""
    from matplotlib.patches import Patch

    return [Patch(facecolor="#7f7f7f", edgecolor="white", hatch=HATCHES[f], label=NAMES[f]) for f in frameworks]
