"""The `hotdog` command itself; the files beside this one give it its subcommands."""

import typer

app = typer.Typer(
    help="Hot dog recognition by fine-tuning, in MXNet Gluon and in PyTorch.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
mini_app = typer.Typer(help="The drawn images and their source network.")
app.add_typer(mini_app, name="mini")
data_app = typer.Typer(help="Look at the images.")
app.add_typer(data_app, name="data")
