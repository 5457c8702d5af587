"""How time and memory grow with the number of images, the batch and the pixels.

    uv run python -m tests.benchmarks.growth --data hotdog         # goes on where it stopped

Every point is `hotdog run finetune` with two epochs in a process of its own; what counts is the second epoch, and the process's
peak memory. Points of the two frameworks take turns. From the least number of images to the most there is one factor of twenty:
time should grow with it, memory should not, beyond the cache's limit.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from shared.files import write_rows
from shared.runs.machine import cpu_name, package_versions
from shared.runs.record import read_runs
from shared.threads import usable_cores

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "shared" / "results" / "growth.json"
IMAGES = [{"images": n, "batch": 32, "size": 64} for n in (100, 200, 500, 1000, 2000)]
BATCH = [{"images": 512, "batch": n, "size": 64} for n in (8, 16, 32, 64, 128, 256)]
PIXELS = [{"images": 128, "batch": 32, "size": n} for n in (64, 96, 128, 160, 224)]
POINTS = [*IMAGES, *BATCH, *PIXELS]


def measured(framework: str, point: dict, data: str, source: str) -> dict:
    """Seconds of the second epoch, and memory in MiB before the run and at its peak."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"--limit": point["images"], "--batch-size": point["batch"], "--size": point["size"], "--epochs": 2}
        common = {"--framework": framework, "--data": data, "--source": source, "--device": "cpu", "--out": folder}
        flags = [str(part) for pair in (options | common).items() for part in pair]
        command = [sys.executable, "-m", "shared.command", "run", "finetune", *flags]
        subprocess.run(command, check=True, capture_output=True)
        (run,) = read_runs(Path(folder))
    seconds = round(run.epochs[2]["seconds"], 3)
    return {"trained": run.dataset["train"], "seconds": seconds, "peak_mib": round(run.memory["peak_mib"])}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="hotdog", help="as hotdog run takes it, at least 2,000 training images")
    parser.add_argument("--source", default="imagenet")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RECORD)
    a = parser.parse_args()
    about = {"cpu": cpu_name(), "cores": usable_cores(), "versions": package_versions()}
    rows = json.loads(a.out.read_text(encoding="utf-8"))["rows"] if a.out.is_file() else []
    done = {(r["framework"], r["images"], r["batch"], r["size"], r["round"]) for r in rows}
    for number in range(a.rounds):
        for point in POINTS:
            for framework in ("gluon", "torch"):
                if (framework, *point.values(), number) in done:
                    continue
                rows.append(
                    {"framework": framework, **point, "round": number} | measured(framework, point, a.data, a.source)
                )
                write_rows(a.out, {"about": about}, "rows", rows)
                print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
