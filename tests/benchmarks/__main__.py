"""How fast: the book's own code, ours, and the bare training step.

    uv run python -m tests.benchmarks --data hotdog                          # goes on where it stopped
    uv run python -m tests.benchmarks --images 8 --rounds 1 --size 64 --out /tmp/speed.json          # a quick try

Contestants of one kind of work are processes that live side by side, and one after the other takes a turn on the same images while
the others wait; so whatever else the machine does meets all of them alike. Every turn is written to --out at once. Ended early
(Ctrl-C, --minutes), the same command goes on with the rounds that are missing. What a contestant does: contestants.py.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared.files import write_rows
from shared.images.folders import load_dataset
from shared.images.splits import stratified
from shared.runs.machine import cpu_name, package_versions
from shared.runs.processes import KEEP_MEMORY
from shared.threads import usable_cores

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "shared" / "results" / "speed.json"
WORKS = ("finetune", "frozen", "evaluation", "frozen-locked")
CONTESTANTS = ("book", "book with our threads", "ours", "ceiling", "ours in bf16")
OURS = ("OMP_NUM_THREADS", *KEEP_MEMORY)  # what our processes are started with, and the book's are not


def environment(contestant: str) -> dict:
    """The environment of a contestant: the book's as it is where nobody has set anything, ours as `run_in_processes` makes it."""
    plain = {name: value for name, value in os.environ.items() if name not in OURS}
    plain["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [plain.get("PYTHONPATH")])])
    if contestant == "book":
        return plain
    threads = {"OMP_NUM_THREADS": str(usable_cores())}
    return plain | threads if contestant == "book with our threads" else plain | threads | KEEP_MEMORY


class Contestant:
    """A process that has warmed up and waits for its turn."""

    def __init__(self, request: dict):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.contestants", json.dumps(request | {"began": time.time()})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if request.get("quiet", True) else None,
            cwd=ROOT,
            env=environment(request["contestant"]),
            text=True,
        )
        self.warm_up = self._answer()

    def turn(self) -> dict:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a contestant ended: {self.process.stderr.read()[-2000:]}")
        return json.loads(line)

    def end(self):
        self.process.kill()
        self.process.communicate()


def cells(arguments) -> list[dict]:
    """Every kind of work, those first that matter most: (framework, work, batch)."""
    return [
        {"framework": framework, "work": work, "batch": batch}
        for batch in arguments.batch
        for work in arguments.work
        for framework in arguments.framework
    ]


def contestants_of(framework: str, work: str) -> tuple[str, ...]:
    """Who can do it: the book knows no locked batch normalisation; bf16 is PyTorch's alone (MXNet's AMP does nothing here)."""
    left_out = ["book", "book with our threads"] if work == "frozen-locked" else []
    if framework == "gluon" or work in ("evaluation", "frozen-locked"):
        left_out.append("ours in bf16")
    return tuple(c for c in CONTESTANTS if c not in left_out)


def some_images(data: str, count: int, folder: Path) -> Path:
    """Links to `count` training images of `data`, as folders of classes that any image folder reads."""
    dataset = load_dataset(data)
    for split in ("train", "test"):
        part = dataset.train if split == "train" else dataset.test
        for number, i in enumerate(stratified(part, min(count, len(part)))):
            link = (
                folder / split / dataset.classes[part.labels[i]] / f"{number:05d}{Path(part.names[i]).suffix.lower()}"
            )
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((part.folder / part.names[i]).resolve())
    return folder


def measure(cell, rows, arguments, images, save, over):
    """Turn by turn, until each contestant of `cell` has as many as are wanted, or `over()`."""
    own = [row for row in rows if all(row[key] == value for key, value in cell.items())]
    done = min((len(row["turns"]) for row in own), default=0)
    if done >= arguments.rounds or over():
        return
    request = cell | {"images": str(images[cell["batch"]]), "size": arguments.size}
    running = []
    try:
        for contestant in contestants_of(cell["framework"], cell["work"]):
            one = Contestant(request | {"contestant": contestant})
            running.append((contestant, one))
            row = next((r for r in own if r["contestant"] == contestant), None)
            if row is None:
                row = cell | {"contestant": contestant, "turns": []}
                own.append(row)
                rows.append(row)
            row["first_step_seconds"] = round(one.warm_up["first_step_seconds"], 2)
        for number in range(done, arguments.rounds):
            if over():
                return
            turns = {contestant: one.turn() for contestant, one in running}
            for row in own:
                told = turns[row["contestant"]]
                row["peak_mib"] = round(told["peak_mib"])
                row["turns"][number:] = [
                    [told["images"], round(told["seconds"], 3), round(told["processor_seconds"], 3)]
                ]
            save()
            speeds = ", ".join(f"{c} {t['images'] / t['seconds']:.1f}" for c, t in turns.items())
            print(f"{' '.join(map(str, cell.values()))}, round {number + 1}: {speeds} images/s", flush=True)
    finally:
        for _, one in running:
            one.end()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="mini", help="as hotdog run takes it; photographs for figures that count")
    parser.add_argument("--images", type=int, default=96, help="per turn, at least a batch")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--work", nargs="+", default=list(WORKS), choices=WORKS)
    parser.add_argument("--framework", nargs="+", default=["gluon", "torch"], choices=["gluon", "torch"])
    parser.add_argument("--minutes", type=float, default=1e9, help="begin nothing new after these")
    parser.add_argument("--out", type=Path, default=RECORD)
    arguments = parser.parse_args()
    ends = time.time() + 60 * arguments.minutes
    record = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.is_file() else {"rows": []}
    rows = record.pop("rows")
    about = {
        "data": arguments.data if arguments.data in ("mini", "hotdog") else Path(arguments.data).name,
        "size": arguments.size,
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "versions": package_versions(),
    }
    if rows and record.get("about") != about:
        raise SystemExit(f"{arguments.out} was measured elsewhere or on other images: name another --out")
    with tempfile.TemporaryDirectory() as temporary:
        images = {}
        for batch in arguments.batch:
            count = max(arguments.images // batch, 1) * batch
            images[batch] = some_images(arguments.data, count, Path(temporary) / str(batch))
        for cell in cells(arguments):
            measure(
                cell,
                rows,
                arguments,
                images,
                save=lambda: write_rows(arguments.out, {"about": about}, "rows", rows),
                over=lambda: time.time() > ends,
            )


if __name__ == "__main__":
    main()
