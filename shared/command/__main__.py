"""Entry point of the `hotdog` command: `python -m shared.command` is the same."""

import os
import sys

from shared.command import (  # noqa: F401 (each adds its subcommands)
    cluster,
    compare,
    exercise,
    export,
    look,
    photograph,
    run,
    score,
    use,
)
from shared.command.app import app
from shared.errors import guarded
from shared.files import user_path


def main():
    """Run the command and exit with its code: 0, 1 for a failed run, 2 for wrong use, 130 where it was interrupted."""
    sys.exit(guarded(_command))


def _command():
    if "WORLD_SIZE" in os.environ or "DMLC_ROLE" in os.environ:
        from shared.runs.devices import check_launch

        if sys.argv[1:2] != ["run"]:  # which has --devices, and asks for itself
            check_launch(1, ())
    return app(args=[with_home(argument) for argument in sys.argv[1:]], standalone_mode=False)


def with_home(argument: str) -> str:
    """The argument with `~` and `~name` resolved, which shells do not do everywhere (in `--data=~/pictures`, in quotes)."""
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    return option + equals + str(user_path(value)) if value.startswith("~") else argument


if __name__ == "__main__":
    main()
