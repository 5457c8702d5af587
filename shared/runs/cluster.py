"""Many runs on a cluster: jobs handed to a Dask scheduler, records and weights brought home to --out.

Every job is a task under a name made of all that makes the job what it is, and the scheduler is told to keep it whoever comes and
goes (a Dask "published dataset"). So a client that went away finds its jobs again by giving the same command, and nothing is
trained twice.
"""

import contextlib
import hashlib
import json
import math
import queue
import time
import uuid
from dataclasses import asdict
from pathlib import Path

from shared.errors import UserError, printable, reason_of
from shared.files import locked, new_folder, user_path, write_text
from shared.images.folders import BUILT_IN
from shared.images.splits import Dataset
from shared.networks.reading import KNOWN
from shared.networks.source import Source
from shared.runs import worker
from shared.runs.frameworks import NAMES
from shared.runs.job import Job
from shared.runs.portable import packed_images, packed_source
from shared.runs.processes import PATIENCE
from shared.runs.record import read_runs
from shared.version import VERSION

PREFIX = "hotdog-"  # of all that is kept on a cluster for us
JOBS = f"{PREFIX}job-"
RETRIES = 2  # of a job whose process was killed; Dask itself tries a job again whose worker dies
LOOK_AGAIN = 0.1  # seconds


def run_on_cluster(client, work: str, jobs: list[Job], dataset: Dataset, source: Source, say, progress=None) -> int:
    """Have `jobs`, all on the same images and source network, carried out by the cluster. Returns the exit code.

    work: what is done with a job, one of shared.command.serve.WORK. say(line, error): prints what the workers say. progress(what,
    done, of how many). The runs lie in the jobs' `out` afterwards as if they had been made here. A KeyboardInterrupt leaves them
    to the cluster.
    """
    out = jobs[0].out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    topic = f"{JOBS}{_token(out)}"
    asked = queue.Queue()

    def hear(event):
        _, said = event
        if "line" in said:
            say(said["line"], said.get("error", False))
        elif "lacks" in said:
            asked.put(said)

    client.subscribe_topic(topic, hear)
    waiting = _submitted(client, work, jobs, dataset, source, out, topic)
    contents = {
        "images": (dataset.fingerprint, packed_images, dataset),
        "source": (source.fingerprint, packed_source, source),
    }
    codes, sent, lookout = [], {}, _Lookout(client, say)
    while waiting:
        if progress:
            progress("runs", len(codes), len(jobs))
        with contextlib.suppress(queue.Empty):
            _send(client, contents, sent, asked.get(timeout=LOOK_AGAIN)["lacks"])
        for name, (job, future) in list(waiting.items()):
            if future.done():
                del waiting[name]
                codes.append(_brought_home(future, job, out, say))
                _unpublish(client, name)
        lookout.look(waiting)
    for name in sent:
        _unpublish(client, name)
    _forget_what_is_home(client, out)
    client.unsubscribe_topic(topic)
    return 2 if 2 in codes else 1 if any(codes) else 0


def _submitted(client, work, jobs, dataset, source, out, topic):
    """{name: (job, future)}: those the cluster has already from an earlier call, the others given to it now."""
    known, waiting = set(client.list_datasets()), {}
    for job in jobs:
        task = _task(work, job, dataset, source, out, topic)
        name = hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest()[:16]
        name = f"{_prefix(out)}{job.framework}-{name}"
        future = client.get_dataset(name, default=None) if name in known else None
        if future is not None and future.status in ("cancelled", "lost", "error"):
            _unpublish(client, name)
            future = None
        if future is None:
            resources = {job.framework: 1, worker.JOB: 1}
            future = client.submit(worker.carry_out, task, key=name, resources=resources, retries=RETRIES, pure=False)
            client.publish_dataset(future, name=name, override=True)
        waiting[name] = job, future
    return waiting


def _prefix(out):
    """What the names of all jobs begin with whose runs belong into `out`."""
    return f"{JOBS}{_token(out)[:8]}-"


def _forget_what_is_home(client, out):
    """Take off the cluster what came to its end while no client asked, and left its run in `out` itself."""
    for name, future in _kept(client, _prefix(out)).items():
        if future.status == "finished" and not future.result()["files"]:
            _unpublish(client, name)


def _unpublish(client, name):
    with contextlib.suppress(KeyError):  # a worker has done it, or another client
        client.unpublish_dataset(name)


def _task(work, job, dataset, source, out, topic):
    """All that a worker is told, in JSON's types."""
    described = asdict(job)
    del described["out"], described["resume"]
    for field, known in (("data", BUILT_IN), ("source", KNOWN)):
        if described[field] not in known:
            described[field] = str(user_path(described[field]).resolve())
    return {
        "version": VERSION,
        "work": work,
        "job": described,
        "images": dataset.fingerprint,
        "source": source.fingerprint,
        "source name": source.name,
        "out": str(out),
        "token": _token(out),
        "topic": topic,
    }


def _token(out: Path) -> str:
    """The text by which a worker knows that it sees this very folder. It stays, so that the same jobs have the same names."""
    path = out / worker.TOKEN
    if not path.is_file():
        write_text(path, uuid.uuid4().hex)
    return path.read_text(encoding="utf-8")


def _send(client, contents, sent, lacks):
    """Put images or source network where every worker can fetch them: once.

    A worker that waits asks again, and again they are sent: the one that held them may be gone, or another client that had sent the
    same may have taken them off.
    """
    fingerprint, pack, what = contents[lacks]
    name = f"{PREFIX}{lacks}-{fingerprint}"
    if time.monotonic() - sent.get(name, -math.inf) > worker.ASK_AGAIN:
        future = client.scatter(pack(what), hash=False)
        client.publish_dataset(future, name=name, override=True)
        sent[name] = time.monotonic()


def _brought_home(future, job, out, say) -> int:
    """Put what a finished task gave into `out`, once. Returns its exit code."""
    if future.status == "cancelled":
        say(f"hotdog: {job.experiment.name} {job.framework} seed {job.seed} was stopped: hotdog cluster --cancel", True)
        return 1
    try:
        result = future.result()
    except Exception as error:  # whatever the cluster says of a task that it gave up
        say(
            f"hotdog: {job.experiment.name} {job.framework} seed {job.seed}: {type(error).__name__}: {reason_of(error)}",
            True,
        )
        return 1
    with locked(out / "cluster"):
        for folder, files in result["files"].items():
            _keep(out, folder, files)
    return result["code"]


def _keep(out, folder, files):
    if any(Path(name).name != name for name in (folder, *files)):
        raise UserError(f"a worker sent a file that is called {printable(folder)}/{printable(max(files, key=len))}")
    record = json.loads(files["run.json"])
    same, stem = (record["process"], record["started"]), folder.rpartition("-")[0]
    if any((run.process, run.started) == same for run in read_runs(out, f"{stem}-*")):
        return  # brought home before, by a client that went away at that moment

    def fill(place):
        for name, content in files.items():
            (place / name).write_bytes(content)

    new_folder(out, stem, fill)


class _Lookout:
    """Says, once each, for which framework the cluster has no worker."""

    def __init__(self, client, say):
        self.client, self.say, self.said, self.next = client, say, set(), 0.0

    def look(self, waiting):
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + 5
        needed = {job.framework for job, _ in waiting.values()}
        there = {name for w in self.client.scheduler_info(n_workers=-1)["workers"].values() for name in w["resources"]}
        for framework in sorted(needed - there - self.said):
            self.said.add(framework)
            self.say(
                f"waiting for a worker with {NAMES[framework]}; start one with: dask worker {self.client.scheduler.address} "
                "--nthreads CORES --preload shared.runs.worker",
                False,
            )


def workers_of(client) -> tuple[list[str], list[list[str]]]:
    """Header and lines of a table of the cluster's workers: where each is, its frameworks, threads, and jobs given to it."""
    header = ["worker", "host", "frameworks", "threads", "jobs"]
    given = client.processing()
    lines = []
    for address, about in client.scheduler_info(n_workers=-1)["workers"].items():
        frameworks = (
            ", ".join(NAMES[name] for name in NAMES if name in about["resources"]) or "none (--preload is missing)"
        )
        lines.append([address, about["host"], frameworks, str(about["nthreads"]), str(len(given.get(address, ())))])
    return header, lines


def jobs_on(client) -> dict[str, str]:
    """{name: state} of all jobs that the cluster keeps: waiting, under way, or finished and not fetched yet."""
    words = {"pending": "waiting or under way"}
    return {name: words.get(future.status, future.status) for name, future in _kept(client, JOBS).items()}


def _kept(client, prefix):
    """{name: future} of the jobs that the cluster keeps, each of which has heard of its state."""
    names = sorted(name for name in client.list_datasets() if name.startswith(prefix))
    futures = {name: client.get_dataset(name, default=None) for name in names}
    futures = {name: future for name, future in futures.items() if future is not None}  # not taken off meanwhile
    end = time.monotonic() + 1
    while time.monotonic() < end and any(future.status == "pending" for future in futures.values()):
        time.sleep(LOOK_AGAIN)
    return futures


def cancel_all(client) -> tuple[int, int]:
    """Stop all jobs that are not finished; what is under way keeps its record. Returns how many, and how many stay.

    What is finished and not at home stays until it is fetched: such a run is nowhere else.
    """
    jobs = _kept(client, JOBS)
    stopped = {name: future for name, future in jobs.items() if future.status != "finished"}
    client.cancel(list(stopped.values()), force=True)  # all at once, or a worker would begin with the next one
    stay = [name for name in jobs if name not in stopped and not _is_home(client, jobs[name])]
    for name in client.list_datasets():
        if name.startswith(PREFIX) and name not in stay:
            _unpublish(client, name)
    return len(stopped), len(stay)


def _is_home(client, future) -> bool:
    """Whether a finished job has left its run in the client's own storage. Asked of the worker: the run may be large."""
    with contextlib.suppress(Exception):  # the worker may be gone, or busy
        return client.submit(worker.is_home, future, pure=False).result(timeout=2 * PATIENCE)
    return False
