"""Look at a cluster: `hotdog cluster`."""

from typing import Annotated

import typer

from shared.command.app import app
from shared.command.console import print_table, say


@app.command()
def cluster(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Of a Dask scheduler, tcp://HOST:PORT.")],
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop all jobs; records keep what they have.")] = False,
):
    """Show a Dask cluster's workers and the jobs it was given with --cluster, or stop those."""
    from shared.runs.cluster import cancel_all, connected, jobs_on, workers_of

    with connected(address) as client:
        if cancel:
            say(f"stopped {cancel_all(client)} jobs")
            return
        print_table(*workers_of(client))
        for name, status in jobs_on(client).items():
            say(f"{name}  {status}")
