"""What the command prints on: single lines, and tables that fit the console."""

import contextlib
import functools
import os
import sys
import textwrap

from shared.errors import printable
from shared.streams import PLAINER

LOG_WIDTH = 160  # a log has no width of its own
LEAST = 20  # a console that says it is narrower is written on as if it were this wide


@functools.cache
def _console():
    from rich.console import Console  # here, so that --help and a refusal need not wait for it

    plain = {"highlight": False, "emoji": False, "markup": False}
    console = Console(**plain)
    if console.is_terminal:
        return console
    columns = os.environ.get("COLUMNS", "")
    return Console(width=int(columns) if columns.isdecimal() else LOG_WIDTH, **plain)


def __getattr__(name):
    if name == "console":  # rich's console, for what it does beyond lines and tables: a progress bar
        return _console()
    raise AttributeError(name)


def say_notes(source):
    """Print what was changed or left out when `source` was read, a line each."""
    for note in source.notes:
        say(f"{source.name}: {note}")


def say(line: str = ""):
    """Print one line, however long; what is no printable character in it as its escape."""
    _console().print(printable(line), soft_wrap=True)


def print_table(header: list[str], rows: list[list[str]]):
    """Print a table so that no word and no number is split, whatever the console's width.

    It is printed whole where it fits, else with its cells wrapped at spaces, else as a block of lines for each row. An empty
    first cell stands for the one above it.
    """
    header, *rows = [[_shown(cell) for cell in row] for row in [header, *rows]]
    room = max(_console().width, LEAST)
    widths = column_widths([header, *rows], room)
    if widths is None:
        for line in blocks(header, rows, room):
            say(line)
        return
    from rich.table import Table
    from rich.text import Text

    wrapped = any(_cells(cell) > width for row in rows for cell, width in zip(row, widths, strict=True))
    table = Table(show_lines=wrapped)
    for name, width in zip(header, widths, strict=True):
        table.add_column(Text(name), width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    _console().print(table, width=room, crop=False)


def print_report(report):
    """Print a shared.runs.answers.Report: its tables under their captions, its lines, and the files it wrote."""
    for caption, header, rows in report.tables:
        say(caption)
        print_table(header, rows)
    for line in report.lines:
        say(line)
    if report.files:
        say(f"Report: {', '.join(map(str, report.files))}")


@contextlib.contextmanager
def progress_bar():
    """A function (what is done, how far, of how many or None) that moves a bar on a terminal, one for each thing that is done.

    A log gets a line where something begins that takes long.
    """
    begun = {}
    if not _console().is_terminal:

        def tell(what, done, total):
            if begun.setdefault(what, done) == done and not what.startswith("checking"):
                say(f"{what} …")

        yield tell
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(), transient=True) as bars:

        def move(what, done, total):
            if what not in begun:
                begun[what] = bars.add_task(what, total=total)
            bars.update(begun[what], completed=done, total=total)

        yield move


def column_widths(lines: list[list[str]], room: int) -> list[int] | None:
    """How many cells each column of a table in a frame of `room` cells gets, or None where a word would have to be split.

    What there is beyond the longest words goes to the columns whose cells are wrapped into most lines.
    """
    columns = list(zip(*lines, strict=True))
    whole = [max(map(_cells, column)) for column in columns]
    widths = [max(_cells(word) for cell in column for word in cell.split() or [""]) for column in columns]
    left = room - 1 - sum(width + 3 for width in widths)
    if left < 0:
        return None
    heights = [_height(column, width) for column, width in zip(columns, widths, strict=True)]
    while left and max(heights) > 1:
        i = heights.index(max(heights))
        options = range(widths[i] + 1, min(whole[i], widths[i] + left) + 1)
        wider = next((width for width in options if _height(columns[i], width) < heights[i]), None)
        if wider is None:
            heights[i] = 0  # as it is
        else:
            left -= wider - widths[i]
            widths[i], heights[i] = wider, _height(columns[i], wider)
    return widths


def _height(column, width):
    return max(len(textwrap.wrap(cell, width, break_on_hyphens=False)) for cell in column)


def blocks(header: list[str], rows: list[list[str]], room: int) -> list[str]:
    """The lines of a table that is too wide for `room` cells: `name  value` for each filled cell, an empty line after each row."""
    lines, first = [], ""
    names = max(map(_cells, header))
    indent = names + 2 if names + 2 <= room // 2 else 2
    for row in rows:
        first = row[0] or first
        for name, cell in zip(header, [first, *row[1:]], strict=True):
            if not cell:
                continue
            start = name + " " * (indent - _cells(name)) if indent > 2 else f"{name}\n{' ' * indent}"
            text = textwrap.wrap(cell, room - indent, break_long_words=False, break_on_hyphens=False)
            lines += (start + f"\n{' ' * indent}".join(text)).split("\n")
        lines.append("")
    return lines


def _shown(text):
    """`text` as this console will show it, so that it is measured with its escapes."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return printable(text).encode(encoding, PLAINER).decode(encoding)


def _cells(text):
    from rich.cells import cell_len

    return cell_len(text)
