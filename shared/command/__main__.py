"""Entry point of the `hotdog` command: `python -m shared.command` is the same."""

import sys

from shared.command import compare, export, look, run, use  # noqa: F401 (each adds its subcommands)
from shared.command.app import app
from shared.errors import guarded


def main():
    """Run the command and exit with its code: 0, 1 for a failed run, 2 for wrong use, 130 where it was interrupted."""
    sys.exit(guarded(lambda: app(standalone_mode=False)))


if __name__ == "__main__":
    main()
