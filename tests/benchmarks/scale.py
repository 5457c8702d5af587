"""How far it goes: what a cluster adds to a run, and what several devices add to a step.

    uv run python -m tests.benchmarks.scale                 # goes on where it stopped
    uv run python -m tests.benchmarks.scale --rounds 1 --runs 3 --steps 2 --out /tmp/scale.json          # a quick try

A round measures everything once, one after the other, and is written to --out turn by turn; so whatever else the machine does meets
all of it. Every line says the load of the machine at its time: how many processes wanted to compute in the minute before, these
included. README's section is made of it by shared/book/scale.py.
"""

import argparse
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from shared.files import write_rows
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.networks.source import MINI_FILE
from shared.runs.machine import cpu_name, package_versions
from shared.runs.portable import packed_images, packed_source
from shared.runs.record import read_runs
from shared.threads import usable_cores

from .__main__ import ROOT, some_images
from .namespaces import bytes_sent, enter, line_of, loopback_up, without

RECORD = ROOT / "shared" / "results" / "scale.json"
FEW = 2  # runs of the turn that is taken off, to see what a further run costs
DEVICES = (1, 2, 4)
GIGABIT = 1e9
PATIENCE = 300  # seconds for what takes some twenty
# (network, size, global batch, share of --steps); the first of each is also measured in the parts that devices get of it
NETWORKS = (("drawings", 64, 32, 4.0), ("resnet18", 224, 8, 1.0))
LINE = ("resnet18", 32, 16, 1.0)  # little to compute: what is asked is how long the gradients take on a line


def environment(**more) -> dict:
    """One thread for every process, so that one of them computes as fast beside others as alone, while there are cores."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **more}


@contextlib.contextmanager
def started(*commands: tuple[list, dict]):
    """Processes of `commands` (a command and its environment), which end with the `with`. What they print is shown if it fails."""
    with tempfile.TemporaryFile("w+") as log:
        processes = [subprocess.Popen(list(map(str, c)), env=e, stdout=log, stderr=log) for c, e in commands]
        try:
            yield processes
        except BaseException:
            log.seek(0)
            print(log.read()[-3000:], file=sys.stderr)
            raise
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.wait()


# --- many runs ---


def said_by(command: list, env: dict):
    """[(seconds since the beginning, line)] of what `command` says, seconds in all, processor seconds of its own process."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(list(map(str, command)), env=env, stdout=subprocess.PIPE, stderr=errors, text=True)
        lines = [(time.perf_counter() - began, line) for line in process.stdout]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{' '.join(map(str, command))}: {errors.read()[-3000:]}")
    return lines, time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def moments(lines: list[tuple[float, str]]) -> dict[int, tuple[float, float]]:
    """{seed: seconds at which its run began, and at which its last epoch was done}."""
    begun, ended = {}, {}
    for when, line in lines:
        if found := re.match(r"finetune +torch +seed (\d+)  (lr|epoch 1/1)", line):
            (begun if found[2] == "lr" else ended)[int(found[1])] = when
    return {seed: (begun[seed], ended[seed]) for seed in sorted(begun, key=begun.get)}


def gaps_of(times: dict[int, tuple[float, float]], worker_of: dict[int, object]) -> list[float]:
    """Seconds from the end of each run to the begin of the next one of the same worker."""
    last, gaps = {}, []
    for seed, (begun, ended) in times.items():
        if (worker := worker_of[seed]) in last:
            gaps.append(begun - last[worker])
        last[worker] = ended
    return gaps


def runs_turn(workers: int, runs: int, images: Path, place: Path) -> dict:
    """`runs` short runs in PyTorch: by `hotdog run` alone (no workers), or by workers that share no storage with us."""
    mine = place / "mine"
    out, source = mine / "runs", mine / "source.safetensors"
    out.mkdir(parents=True)
    source.write_bytes(MINI_FILE.read_bytes())
    command = [sys.executable, "-m", "shared.command", "run", "finetune", "--framework", "torch", "--epochs", 1]
    command += ["--data", images, "--source", source, "--out", out, *(f"--seed={seed}" for seed in range(runs))]
    scheduler = None
    with contextlib.ExitStack() as stack:
        if workers:
            scheduler, address = stack.enter_context(cluster(workers, [images, mine], place))
            command += ["--cluster", address]
        before, computed = bytes_sent(), seconds_of(scheduler)
        lines, seconds, own = said_by(command, environment())
        sent, computed = bytes_sent() - before, seconds_of(scheduler) - computed
    times, made = moments(lines), read_runs(out)
    if len(made) != runs or any(run.status != "finished" for run in made):
        raise SystemExit(f"{runs} runs were wanted, not {[run.status for run in made]}")
    row = {
        "kind": "runs",
        "workers": workers,
        "runs": runs,
        "seconds": seconds,
        "first": min(begun for begun, _ in times.values()),
        "gaps": gaps_of(times, {run.seed: run.process["pid"] for run in made}),
        "last": seconds - max(ended for _, ended in times.values()),
        "run": [ended - begun for begun, ended in times.values()],
        "home_bytes": round(sum(f.stat().st_size for run in made for f in run.folder.iterdir()) / runs),
    }
    return row | ({"sent": sent, "client": own, "scheduler": computed} if workers else {})


def seconds_of(process) -> float:
    """Processor seconds of a process so far."""
    return sum(psutil.Process(process.pid).cpu_times()[:2]) if process else 0.0


@contextlib.contextmanager
def cluster(workers: int, hidden: list[Path], place: Path):
    """A scheduler's process, and its address once `workers` workers of one thread have joined it, which see none of `hidden`."""
    from distributed import Client

    file = place / "scheduler.json"
    common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", file]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", 0, *common]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", 1, *common]
    worker += ["--preload", "shared.runs.worker"]
    with started((scheduler, environment())) as (process,):
        while not (file.is_file() and file.read_text().endswith("}")):
            if process.poll() is not None:
                raise SystemExit("the scheduler ended")
            time.sleep(0.05)
        caches = [environment(HOTDOG_CACHE=str(place / f"cache-{i}")) for i in range(workers)]
        with started(*((without(hidden, worker), env) for env in caches)):
            address = json.loads(file.read_text())["address"]
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=120)
            yield process, address


# --- one run, several devices ---


def cells_of(devices: int, steps: int) -> list[dict]:
    """What `devices` devices train; one alone also trains the parts that several would get."""
    batches = [(n, size, batch // part, share) for n, size, batch, share in NETWORKS for part in DEVICES]
    if devices > 1:
        batches = [(n, size, batch, share) for n, size, batch, share in NETWORKS]
    return [
        {"network": n, "size": size, "batch": batch, "steps": max(3, round(steps * share))}
        for n, size, batch, share in batches
    ]


def steps_turn(engine: str, devices: int, cells: list[dict]) -> list[dict]:
    """Time `cells` on `devices` devices: processes by gloo, contexts of one process, or processes by a kvstore and its server."""
    if engine == "dist_sync" and len(cells) > 1:  # a kvstore's keys are those of one network
        return [row for cell in cells for row in steps_turn(engine, devices, [cell])]
    request = {"engine": engine, "devices": devices, "cells": cells}
    port = free_port()
    if engine == "gloo":
        ranks = [(request | {"rank": rank, "address": f"tcp://127.0.0.1:{port}"}, {}) for rank in range(devices)]
    elif engine == "contexts":
        ranks = [(request, {})]
    else:
        known = {"DMLC_PS_ROOT_URI": "127.0.0.1", "DMLC_PS_ROOT_PORT": str(port), "DMLC_NUM_SERVER": "1"}
        known |= {"DMLC_NUM_WORKER": str(devices), "DMLC_NODE_HOST": "127.0.0.1"}
        ranks = [(request, known | {"DMLC_ROLE": role}) for role in ("scheduler", "server", *["worker"] * devices)]
    command = [sys.executable, "-m", "tests.benchmarks.devices"]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        answers = [open(Path(folder) / str(i), "w+") for i in range(len(ranks))]
        processes = [
            subprocess.Popen([*command, json.dumps(r)], env=environment(**more), stdout=answer, stderr=errors, cwd=ROOT)
            for (r, more), answer in zip(ranks, answers, strict=True)
        ]
        try:
            for process in processes:
                process.wait(PATIENCE)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        for answer in answers:
            answer.seek(0)
        said = [line for answer in answers for line in answer if line.startswith('{"cells"')]
        if len(said) != 1:
            errors.seek(0)
            raise SystemExit(f"{engine}, {devices} devices: {errors.read()[-3000:]}")
    found = json.loads(said[0])
    rows = [
        {"kind": "steps", "engine": engine, "devices": devices, **cell, **measured}
        for cell, measured in zip(cells, found["cells"], strict=True)
    ]
    return rows + ([{"kind": "hop", "seconds": found["hop"]}] if found["hop"] else [])


def line_turn(engine: str, devices: int, steps: int) -> list[dict]:
    """The same on a line of 1 Gbit/s for every device, and for a server; no rows where the system cannot imitate one."""
    network, size, batch, share = LINE
    cells = [{"network": network, "size": size, "batch": batch, "steps": max(3, round(steps * share))}]
    # All devices share this loopback: as many lines in one. A kvstore's only server has one line for all of them.
    with line_of(GIGABIT * (devices if engine == "gloo" else 1)) as slow:
        return (
            [row | {"line": GIGABIT} for row in steps_turn(engine, devices, cells) if row["kind"] == "steps"]
            if slow
            else []
        )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def turns(arguments, images: Path):
    """{name: what measures it} of all that a round measures, in its order."""
    every = {}

    def runs(workers, count):
        with tempfile.TemporaryDirectory() as place:
            return [runs_turn(workers, count, images, Path(place))]

    for workers, count in (
        (0, FEW),
        (0, arguments.runs),
        (1, FEW),
        (1, arguments.runs),
        (2, arguments.runs),
        (4, arguments.runs),
    ):
        every[f"{count} runs, {workers} workers"] = lambda w=workers, c=count: runs(w, c)
    for engine in ("gloo", "contexts", "dist_sync"):
        for devices in DEVICES[engine == "dist_sync" :]:  # a kvstore's only worker would be the only context
            cells = cells_of(devices, arguments.steps)
            every[f"{engine}, {devices} devices"] = lambda e=engine, d=devices, c=cells: steps_turn(e, d, c)
    for engine in ("gloo", "dist_sync"):
        every[f"{engine} on a line"] = lambda e=engine: line_turn(e, 2, arguments.steps)
    return every


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--runs", type=int, default=8, help="short runs of a turn")
    parser.add_argument("--images", type=int, default=64, help="drawings that each is trained on")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--only", default="", help="turns whose name has this in it")
    parser.add_argument("--out", type=Path, default=RECORD)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        enter("tests.benchmarks.scale", sys.argv[1:])
    loopback_up()
    record = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.is_file() else {"rows": []}
    rows = record.pop("rows")
    mini, source = load_dataset("mini"), load_source("mini")
    about = {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "versions": package_versions(),
        "images": arguments.images,
        "images_bytes": len(packed_images(mini)),
        "source_bytes": len(packed_source(source)),
    }
    if rows and record.get("about") != about:
        raise SystemExit(f"{arguments.out} was measured elsewhere or on other images: name another --out")
    with tempfile.TemporaryDirectory() as temporary:
        images = some_images("mini", arguments.images, Path(temporary) / "images")
        for number in range(1, arguments.rounds + 1):
            for name, measure in turns(arguments, images).items():
                if arguments.only not in name or any(row["round"] == number and row["turn"] == name for row in rows):
                    continue
                began = time.perf_counter()
                found = measure()
                load = round(os.getloadavg()[0], 2)
                rows += [{"round": number, "turn": name, "load": load} | rounded(row) for row in found]
                write_rows(arguments.out, {"about": about}, "rows", rows)
                print(f"round {number}: {name}: {time.perf_counter() - began:.0f} s", flush=True)


def rounded(row: dict) -> dict:
    """A row with six digits behind the point."""
    shorter = {list: lambda value: [round(v, 6) for v in value], float: lambda value: round(value, 6)}
    return {key: shorter.get(type(value), lambda value: value)(value) for key, value in row.items()}


if __name__ == "__main__":
    main()
