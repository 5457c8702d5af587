"""The `hotdog` command itself; the files beside this one give it its subcommands."""

import click
import typer
import typer.core

# Plain help: it reads well on any console and in a log, and is there in a third of the time.
typer.core.rich = None


class _Command(typer.core.TyperCommand):
    """A subcommand that is not begun while something it needs is missing."""

    def invoke(self, context):
        # click since 8.2 takes the None that this typer gives every option for a value, and finds nothing missing.
        for parameter in self.params:
            if parameter.required and context.params.get(parameter.name) in (None, ()):
                raise click.MissingParameter(ctx=context, param=parameter)
        return super().invoke(context)

    def get_short_help_str(self, limit=45):
        return super().get_short_help_str(limit=200)  # whole: it is wrapped, not cut


class _App(typer.Typer):
    def __init__(self, help):
        super().__init__(help=help, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

    def command(self, name=None, **options):
        return super().command(name, cls=_Command, **options)


app = _App("Hot dog recognition by fine-tuning, in MXNet Gluon and in PyTorch.")
mini_app = _App("The drawn images and their source network.")
app.add_typer(mini_app, name="mini")
data_app = _App("Look at the images.")
app.add_typer(data_app, name="data")
