"""What the command needs before it does anything: what is missing is said, and nothing is loaded that is not used."""

import subprocess
import sys

import click
import pytest
import typer.main
from helpers import ROOT, hotdog

from shared.command import __main__  # noqa: F401 (adds the subcommands)
from shared.command.app import app
from shared.errors import guarded


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = list(commands(typer.main.get_command(app)))
REQUIRED = [(path, command, p) for path, command in COMMANDS for p in command.params if p.required]


@pytest.mark.parametrize(("path", "command", "missing"), REQUIRED, ids=lambda value: getattr(value, "name", None))
def test_every_required_argument_is_asked_for_by_name(path, command, missing, capsys):
    arguments = list(path)
    for parameter in command.params:
        if parameter.required and parameter is not missing:
            arguments += ["1"] if parameter.param_type_name == "argument" else [parameter.opts[0], "x"]
    assert guarded(lambda: app(args=arguments, standalone_mode=False)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    name = missing.make_metavar(None) if missing.param_type_name == "argument" else missing.opts[0]
    assert "Missing" in line and name.strip("[]") in line


def test_there_are_required_arguments():
    assert {".".join(path) for path, *_ in REQUIRED} >= {"run", "predict", "evaluate", "exercise"}


def test_help_is_plain_and_whole():
    done = hotdog("--help", env={"COLUMNS": "60"})
    assert done.returncode == 0
    assert "╭" not in done.stdout and "\\[" not in done.stdout and "...\n" not in done.stdout.split("Options", 1)[1]
    assert max(map(len, done.stdout.splitlines())) <= 60


# What takes long to load, and what only some commands need.
HEAVY = {"mxnet", "torch", "torchvision", "scipy", "sklearn", "statsmodels", "pandas", "matplotlib", "d2l", "IPython"}


@pytest.mark.parametrize("arguments", (["--help"], ["run", "--nosuch"], ["evaluate", "--run", "x"]))
def test_help_and_refusals_load_nothing_heavy(arguments):
    code = (
        "import sys; from shared.command.__main__ import main; sys.argv[1:] = sys.argv[1:]\n"
        "try: main()\nexcept SystemExit: pass\nprint('loaded', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "shared.command.use" in loaded
    assert not loaded & HEAVY
