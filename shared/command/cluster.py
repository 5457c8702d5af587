"""Look at a cluster: `hotdog cluster`."""

from typing import Annotated

import typer

from shared.command.app import app
from shared.command.console import print_table, say


@app.command()
def cluster(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Of a Dask scheduler, tcp://HOST:PORT.")],
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Stop all jobs that are not finished; records keep what they have.")
    ] = False,
):
    """Show a Dask cluster's workers and the jobs it was given with --cluster, or stop those."""
    from shared.runs.cluster import cancel_all, jobs_on, workers_of
    from shared.runs.scheduler import connected
    from shared.runs.tables import plural

    with connected(address) as client:
        if cancel:
            stopped, finished = cancel_all(client)
            say(f"stopped {plural(stopped, 'job')}")
            if finished:
                say(
                    f"finished, and kept until the command that gave them fetches what they made: {plural(finished, 'job')}"
                )
            return
        print_table(*workers_of(client))
        for name, status in jobs_on(client).items():
            say(f"{name}  {status}")
