"""The way to a Dask scheduler: one at an address, or one that is started in this process."""

import contextlib
import logging
import socket
import urllib.parse

from shared.errors import UserError, reason_of
from shared.runs import worker
from shared.threads import usable_cores
from shared.version import DISTRIBUTION

LOCAL = "local"


@contextlib.contextmanager
def connected(address: str, frameworks=("gluon", "torch")):
    """A Dask client of the scheduler at `address`; `local` starts one here, with a worker for each of `frameworks`.

    Raises UserError where Dask is not installed and where no scheduler answers.
    """
    try:
        import distributed
    except ImportError:
        raise UserError(
            f"--cluster needs Dask: uv sync --extra cluster, or pip install '{DISTRIBUTION}[cluster]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a worker that comes or goes is no error of ours
    with contextlib.ExitStack() as stack:
        try:
            if address == LOCAL:
                address = stack.enter_context(_local(distributed, frameworks))
            _knock(distributed, address)
            client = stack.enter_context(distributed.Client(address, timeout=10, set_as_default=False))
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise UserError(
                f"no Dask scheduler answers at {address} ({reason_of(error)}): give tcp://HOST:PORT or local"
            ) from None
        yield client


def _knock(distributed, address):
    """Raise OSError or ValueError where nobody listens or we have no certificate: Dask's client would end with a traceback."""
    if isinstance(address, str):
        place = urllib.parse.urlsplit(address if "://" in address else f"tcp://{address}")
        if place.scheme not in ("tcp", "tls") or not place.port:
            raise ValueError("no address of a scheduler")
        if place.scheme == "tls" and not distributed.Security().get_connection_args("client").get("ssl_context"):
            raise ValueError("no certificate is set for tls: SECURITY.md says how")
        socket.create_connection((place.hostname, place.port), timeout=10).close()


def _local(distributed, frameworks):
    """A cluster in this very process, which nobody else can reach: what trains has processes of its own anyway."""
    threads = max(1, usable_cores() // len(frameworks))
    # Without a dashboard Dask still serves "I am well" at its address.
    own = {"protocol": "inproc", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    quiet = {"silence_logs": "CRITICAL", "memory_limit": 0, "nthreads": threads}
    workers = {
        framework: {"cls": distributed.Worker, "options": own | quiet | {"resources": {framework: 1, worker.JOB: 1}}}
        for framework in frameworks
    }
    return distributed.SpecCluster(workers, {"cls": distributed.Scheduler, "options": own}, silence_logs="CRITICAL")


def interrupted_line(address: str) -> str:
    """What to say where the client is interrupted."""
    if address == LOCAL:
        return ""
    return (
        f"hotdog: {address} goes on with the jobs; the same command (run: with --resume) fetches them, "
        f"`hotdog cluster {address} --cancel` stops them"
    )
