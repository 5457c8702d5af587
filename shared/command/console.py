"""What the command prints on."""

from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

console = Console()
# A log has no width of its own; tables stay whole there.
if not console.is_terminal:
    console = Console(width=160, highlight=False)


def say(line: str):
    """Print one line as it is, however long."""
    console.print(line, markup=False, soft_wrap=True)


def print_table(header, rows):
    """Print a table on the console."""
    table = Table()
    for name in header:  # names of files may be long, and hold what rich takes for markup
        table.add_column(escape(name), overflow="fold")
    for line in rows:
        table.add_row(*map(escape, line))
    console.print(table)


@contextmanager
def progress_bar():
    """A function (what is done, how far, of how many or None) that moves a bar on a terminal, one for each thing that is done.

    A log gets a line where something begins that takes long.
    """
    begun = {}
    if not console.is_terminal:

        def tell(what, done, total):
            if begun.setdefault(what, done) == done and not what.startswith("checking"):
                say(f"{what} …")

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:

        def move(what, done, total):
            if what not in begun:
                begun[what] = bars.add_task(what, total=total)
            bars.update(begun[what], completed=done, total=total)

        yield move
