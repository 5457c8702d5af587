"""What bf16 costs: the table from `results/precision-*.json` (made by `python -m tests.benchmarks.precision`).

bf16 and float32 runs of one seed share their draws: they are a pair. Two one-sided paired t-tests, Holm's correction over the
experiments of the table, endpoint and margin as everywhere (shared/parity/design.py).
"""

import json
from pathlib import Path
from statistics import fmean, median

from shared.book.quotes import RECORDS
from shared.book.recorded import machine
from shared.parity.design import ENDPOINT_EPOCHS, LEVEL, MARGIN
from shared.parity.tost import estimate, holm
from shared.runs.tables import markdown_table


def paired(rows: list[dict]) -> dict[str, list[tuple[dict, dict]]]:
    """{experiment: [(float32 run, bf16 run), …]}, the pairs that are whole, by seed."""
    by = {(row["experiment"], row["precision"], row["seed"]): row for row in rows}
    found = {}
    for experiment, precision, seed in sorted(by):
        if precision == "fp32" and (experiment, "bf16", seed) in by:
            found.setdefault(experiment, []).append((by[experiment, "fp32", seed], by[experiment, "bf16", seed]))
    return found


def endpoint(row: dict) -> float:
    """Mean test accuracy of the last three epochs."""
    return fmean(row["accuracies"][1:][-ENDPOINT_EPOCHS:])


def verdicts(pairs: dict[str, list], finest: float, margin: float = MARGIN) -> dict[str, tuple[str, float]]:
    """{experiment: (equivalent or undecided, Holm's p)}."""
    estimates = [
        estimate([endpoint(a) for a, _ in group], [endpoint(b) for _, b in group], "shared", finest)
        for group in pairs.values()
    ]
    adjusted = holm([1.0 if e is None else float(e.p_equivalent(margin)) for e in estimates])
    words = ["equivalent" if p < LEVEL else "undecided" for p in adjusted]
    return dict(zip(pairs, zip(words, map(float, adjusted), strict=True), strict=True))


def precision_table(name: str, folder: Path = RECORDS) -> str:
    """Markdown: per experiment the endpoint in float32 and in bf16, the verdict, and how many times as fast bf16 was."""
    record = json.loads((folder / f"precision-{name}.json").read_text(encoding="utf-8"))
    about, pairs = record["about"], paired(record["rows"])
    finest = 1 / about["data"]["test"]
    said = verdicts(pairs, finest)
    rows = []
    for experiment, group in pairs.items():
        low, high = (
            estimate([endpoint(a) for a, _ in group], [endpoint(b) for _, b in group], "shared", finest).interval()
            if len(group) > 1
            else (float("nan"),) * 2
        )
        exact, rounded = (fmean(endpoint(pair[i]) for pair in group) for i in (0, 1))
        word, p = said[experiment]
        speed = median(b["images_per_second"] / a["images_per_second"] for a, b in group)
        interval = f"{rounded - exact:+.3f} ({low:+.3f} to {high:+.3f})"
        rows.append(
            [
                experiment,
                str(len(group)),
                f"{exact:.3f}",
                f"{rounded:.3f}",
                interval,
                f"{word} (p {p:.2g})",
                f"{speed:.2f}",
            ]
        )
    header = ["experiment", "pairs", "fp32", "bf16", "difference (90 % interval)", f"verdict at ± {MARGIN:g}", "speed"]
    data = about["data"]
    note = (
        f"PyTorch in bf16 against PyTorch in float32, {data['train']} training and {data['test']} test images at {about['size']} "
        f"pixels, source network {about['source']}; mean test accuracy of the last {ENDPOINT_EPOCHS} epochs. *speed*: images per "
        "second in training, bf16 as a multiple of float32 (median of the pairs). "
        + machine({"cores": about["cores"], "cpu": about["cpu"]}, about["versions"])
    )
    return f"{markdown_table(header, rows)}\n\n{note}"
