"""What the command prints on."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console()
# A log has no width of its own; tables stay whole there.
if not console.is_terminal:
    console = Console(width=160, highlight=False)


def say(line: str):
    """Print one line as it is, however long."""
    console.print(line, markup=False, soft_wrap=True)


def say_notes(source):
    """Print what was changed or left out when `source` was read, a line each."""
    for note in source.notes:
        say(f"{source.name}: {note}")


def print_table(header, rows):
    """Print a table on the console."""
    table = Table()
    for name in header:  # names of files may be long, and hold what rich takes for markup
        table.add_column(escape(name), overflow="fold")
    for line in rows:
        table.add_row(*map(escape, line))
    console.print(table)
