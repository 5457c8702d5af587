"""Mutation testing: change one thing at a time in the code that everything else is judged by, and see whether a test notices.

    uv run --with cosmic-ray==8.7.0 python -m tests.mutation              # goes on where it stopped; --workers 2
    uv run --with cosmic-ray==8.7.0 python -m tests.mutation --again      # survivors once more, after a better test
    uv run --with cosmic-ray==8.7.0 python -m tests.mutation --module tost --list

cosmic-ray makes the mutants (mutants.py); it is not among the project's dependencies, for nothing else needs it and its eighteen
packages. It does not run them here: it changes the work tree, draws no stratified sample, and starts Python and the libraries anew
for each. Here a mutant stands in a copy of the tree, in a process of its own, forked from one that has imported libraries but
neither the project nor MXNet (warm.py). subsets.py says which tests judge a module; they have to pass unchanged. A mutant may take
four times their CPU time and fifteen seconds more. Each result is appended to OUT/mutation.jsonl at once; at the end all of them
are written to shared/results/mutation.json, where survivors carry what equivalent.json says of them.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from queue import Queue

from shared.files import write_rows
from tests.mutation.mutants import sample
from tests.mutation.subsets import TABLE

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "shared" / "results" / "mutation.json"
EQUIVALENT = Path(__file__).with_name("equivalent.json")
FIELDS = ("module", "line", "kind", "operator", "was", "now")
# Without what costs time and changes no verdict: explanations of assertions, collections of garbage, other processes.
WITHOUT = ("cacheprovider", "xdist", "unraisableexception", "threadexception")
QUIET = ["-q", "-x", "--tb=line", "--assert=plain", "-o", "addopts=", "-m", "not slow"]
QUIET += [f"-pno:{plugin}" for plugin in WITHOUT]


class Worker:
    """A copy of the tree, and a warm process in it."""

    def __init__(self, number: int):
        self.folder = Path(tempfile.mkdtemp(prefix=f"mutation-{number}-"))
        self.tree = self.folder / "tree"
        files = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
        )
        for name in filter(None, files.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.tree / name)
        shutil.copy2(Path(__file__).with_name("warm.py"), self.folder / "warm.py")
        self.process = self._warm()
        self.mutants = 0

    def _warm(self):
        one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TQDM_DISABLE")}
        return subprocess.Popen(
            [sys.executable, self.folder / "warm.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(self.folder / "errors", "w"),
            text=True,
            cwd=self.tree,
            env=os.environ | one | {"PYTHONPATH": str(self.tree), "HOTDOG_CACHE": str(self.folder / "cache")},
        )

    def test(self, module: str, seconds: int, text: str | None = None) -> dict:
        """Run the module's tests, with `text` in its place if there is one."""
        file, basetemp = self.tree / module, self.folder / "tmp"
        original, stat = file.read_bytes(), file.stat()
        shutil.rmtree(basetemp, ignore_errors=True)
        if text is not None:
            file.write_text(text, encoding="utf-8")
            self.mutants += 1  # another time each, so that no compiled file of one is taken for another's
            os.utime(file, (stat.st_atime, stat.st_mtime + 10 * self.mutants))
        job = {
            "arguments": [*QUIET, f"--basetemp={basetemp}", *TABLE[module]],
            "seconds": seconds,
            "module": module,
            "log": str(self.folder / "log"),
        }
        try:
            return (
                self._answer(job)
                or self._answer(job)
                or {"outcome": "broken", "by": "the warm process ended", "cpu": 0}
            )
        finally:
            file.write_bytes(original)
            os.utime(file, (stat.st_atime, stat.st_mtime))

    def _answer(self, job):
        """What the warm process says; None where it has ended (somebody killed it), and then there is a new one."""
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            if line := self.process.stdout.readline():
                return json.loads(line)
        except BrokenPipeError:
            pass
        self.process = self._warm()
        return None

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def read(path: Path) -> dict:
    """{key: row} of the results so far, the last of a mutant counting."""
    if not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {_key(row): row for row in rows}


def _key(row):
    return tuple(row[name] for name in ("module", "operator", "was", "now"))


def carry_out(mutants: list, workers: int, path: Path):
    """Test `mutants`, each module's own tests first, and append the results to `path`."""
    idle, lock, limits = Queue(), threading.Lock(), {}
    made = [Worker(i) for i in range(workers)]
    for worker in made:
        idle.put(worker)

    def limit(worker, module):
        if module not in limits:
            found = worker.test(module, 600)
            fine = found["outcome"] == "survived"
            limits[module] = round(4 * found["cpu"]) + 15 if fine else None
            told = (
                f"take {found['cpu']} s of CPU" if fine else f"do not pass unchanged: {found}\n{worker.log()[-3000:]}"
            )
            print(f"{module}: its tests {told}", flush=True)
        return limits[module]

    def one(mutant):
        worker = idle.get()
        try:
            seconds = limit(worker, mutant.module)
            if seconds is None:
                return
            found = worker.test(mutant.module, seconds, mutant.text)
            row = {name: getattr(mutant, name) for name in FIELDS} | found
            with lock, path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(
                f"{row['outcome']:9s} {row['cpu']:5.1f} s {row['module']}:{row['line']} {row['operator']}", flush=True
            )
        finally:
            idle.put(worker)

    try:
        with ThreadPoolExecutor(workers) as pool:
            waiting = [pool.submit(one, mutant) for mutant in mutants]
            try:
                for done in waiting:
                    done.result()
            except BaseException:  # stopped: those in flight come to their end, the rest is for the next time
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        for worker in made:
            worker.close()


def summary(rows: list[dict]) -> dict:
    """How many were killed, ran out of time, are equivalent, survived; and the share noticed of those that are not equivalent."""
    count = {word: sum(r["outcome"] == word for r in rows) for word in ("killed", "timeout", "equivalent", "survived")}
    noticed, judged = count["killed"] + count["timeout"], len(rows) - count["equivalent"]
    return count | {"noticed": round(noticed / judged, 4) if judged else None}


def write(rows: list[dict], places: dict, seed: int):
    """The record: a summary, by module too, and a row per mutant; survivors named in equivalent.json carry the reason."""
    reasons = {_key(row): row["reason"] for row in json.loads(EQUIVALENT.read_text(encoding="utf-8"))}
    rows = [dict(row) for row in rows]
    for row in rows:
        if row["outcome"] == "survived" and _key(row) in reasons:
            row |= {"outcome": "equivalent", "by": reasons[_key(row)]}
    head = {
        "about": {
            "command": "python -m tests.mutation",
            "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seed": seed,
            "mutants": len(rows),
            "places": sum(places.values()),
        },
        "summary": summary(rows),
        "modules": {
            module: {"places": count, **summary([row for row in rows if row["module"] == module])}
            for module, count in places.items()
        },
    }
    write_rows(
        RECORD, head, "mutants", [{k: v for k, v in row.items() if k not in ("seconds", "kind")} for row in rows]
    )
    print(json.dumps(head["summary"]))


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=360, help="mutants in the sample, about (360)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--workers", type=int, default=1, help="mutants at a time, each with a copy of the tree (1)")
    parser.add_argument("--module", default="", help="only modules with this in their path; writes no record")
    parser.add_argument("--again", action="store_true", help="test the survivors once more")
    parser.add_argument("--list", action="store_true", help="print the mutants of the sample, and what became of them")
    parser.add_argument("--out", type=Path, default=ROOT / "runs", help="where results are collected (runs)")
    wanted = parser.parse_args()

    mutants, places = sample(ROOT, TABLE, wanted.size, wanted.seed)
    path = wanted.out / "mutation.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = read(path)
    chosen = [m for m in mutants if wanted.module in m.module]
    if wanted.list:
        for m in chosen:
            print(
                f"{known.get(m.key, {}).get('outcome', 'open'):9s} {m.module}:{m.line} {m.operator}\n  - {m.was}\n  + {m.now}"
            )
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.nice(15)
    again = ("survived", "broken") if wanted.again else ("broken",)
    carry_out([m for m in chosen if known.get(m.key, {"outcome": "broken"})["outcome"] in again], wanted.workers, path)
    known = read(path)
    if not wanted.module:
        missing = [m for m in mutants if known.get(m.key, {"outcome": "broken"})["outcome"] == "broken"]
        if missing:
            raise SystemExit(
                f"{len(missing)} mutants are not judged, in {', '.join(sorted({m.module for m in missing}))}: no record"
            )
        write([known[m.key] | {"line": m.line} for m in mutants], places, wanted.seed)


if __name__ == "__main__":
    main()
