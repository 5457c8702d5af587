"""Does bf16 cost accuracy? PyTorch in bf16 against PyTorch in float32, runs paired by seed with shared draws.

    uv run python -m tests.benchmarks.precision                                    # the drawings; goes on where it stopped
    uv run python -m tests.benchmarks.precision --data hotdog --source FILE --size 96 --seeds 5 --name photographs-96

Experiments, seeds, endpoint and margin are fixed here and in shared/parity/design.py; the table: shared/book/precision.py.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from shared.experiments import preset_of
from shared.files import write_rows
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.runs.record import read_runs

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ("finetune", "frozen", "frozen-locked", "hotdog-row")
SEEDS = 10
PRECISIONS = ("fp32", "bf16")


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.precision", description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="mini")
    parser.add_argument("--source", default="mini")
    parser.add_argument("--size", type=int)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--name", default="drawings")
    parser.add_argument("--experiments", nargs="+", default=list(EXPERIMENTS))
    a = parser.parse_args()
    out = Path("runs") / f"precision-{a.name}"
    size = ["--size", str(a.size)] if a.size else []
    for seed in range(a.seeds):  # one seed after the other, so that whoever stops it has whole pairs
        for precision in PRECISIONS:
            common = ["--framework", "torch", "--data", a.data, "--source", a.source, "--seed", str(seed), *size]
            told = ["--precision", precision, "--out", str(out), "--resume"]
            command = [sys.executable, "-m", "shared.command", "run", *a.experiments, *common, *told]
            subprocess.run(command, check=True, cwd=Path.cwd())
    runs = [run for run in read_runs(out) if run.status == "finished"]
    rows = [
        {
            "experiment": run.experiment["name"] if not run.experiment["lock_batch_norm"] else "frozen-locked",
            "precision": run.device["precision"],
            "seed": run.seed,
            "accuracies": [round(epoch["test_accuracy"], 6) for epoch in run.epochs],
            "images_per_second": round(run.images_per_second, 2),
        }
        for run in runs
    ]
    dataset, some = load_dataset(a.data), runs[0]
    about = {
        "data": {"name": dataset.name, "train": len(dataset.train), "test": len(dataset.test)},
        "size": some.experiment["size"],
        "source": some.source["name"],
        "preset": preset_of(load_source(a.source)),
        "cpu": some.device["cpu"],
        "cores": some.device["cores"],
        "threads": sorted({run.device["threads"] for run in runs}),
        "versions": some.versions,
    }
    write_rows(ROOT / "shared" / "results" / f"precision-{a.name}.json", {"about": about}, "rows", rows)


if __name__ == "__main__":
    main()
