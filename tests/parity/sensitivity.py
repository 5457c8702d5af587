"""How small a fault is seen? Faults that only training shows, planted in one framework, and what pairs of runs say of them.

    cd tests && python -m parity.sensitivity --seeds 10            trains what is missing, writes results/sensitivity.json
    cd tests && python -m parity.sensitivity --table               prints the table of the recorded runs

Every fault is trained with in one framework, with shared and with own draws, on the drawings; the other framework's runs, and both
frameworks' without a fault, are those of the first row. It can be stopped and goes on where it was: a run that is there is not made
again. 180 runs of about 10 s each with the defaults, so run it in the background, `nice`.
"""

import argparse
import itertools
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from shared.experiments import experiment
from shared.images.draws import DRAWS
from shared.images.folders import load_dataset
from shared.networks.reading import load_source
from shared.parity import comparisons
from shared.parity.agreement import likeness
from shared.parity.design import LEVEL
from shared.parity.outcomes import outcome_of
from shared.parity.tost import estimate, p_values
from shared.runs.find import completed_runs
from shared.runs.frameworks import FRAMEWORKS, NAMES
from shared.runs.job import Job
from shared.runs.processes import run_in_processes
from shared.runs.record import read_runs
from shared.runs.tables import markdown_table

from . import faults
from .faults import GLUON_TRAINING, RESNET_V2, TORCH_DATA, TORCH_TRAINING
from .planting import fault, planted

RECORD = Path(__file__).parents[2] / "shared" / "results" / "sensitivity.json"
NONE = "no fault"
PAIRS, MARGINS = (3, 5, 10), (0.03, 0.01)

MULTIPLE = "groups.setdefault(rate_multiple(name, experiment), [])"
OF_OUTPUT = 'groups.setdefault({} if name.startswith("output.") else rate_multiple(name, experiment), [])'
# The same images of every run get another class: 20 of 1,000.
NOISE = """
    from dataclasses import replace

    count = len(split)
    wrong = set(torch.randperm(count, generator=torch.Generator().manual_seed(0))[: count // 50].tolist())
    classes = 1 + max(split.labels)
    split = replace(split, labels=tuple((y + (i in wrong)) % classes for i, y in enumerate(split.labels)))
    sampler = EpochOrder(seed, len(split))
"""

KNOWN = {known.name: known for known in faults.FAULTS}

# rung 12: none of these has to be seen by the verdicts; what sees each is in faults.py, and here is measured what does not.
FAULTS = (
    fault("output layer at 8 times the rate", TORCH_TRAINING, 12, "", MULTIPLE, OF_OUTPUT.format(8.0)),
    fault("output layer at 12 times the rate", TORCH_TRAINING, 12, "", MULTIPLE, OF_OUTPUT.format(12.0)),
    fault(
        "no weight decay on biases and scales", TORCH_TRAINING, 12, "",
        *(text for edit in KNOWN["weight decay skips biases and scales"].edits for text in edit),
    ),
    fault(
        "no mirroring", TORCH_DATA, 12, "",
        "            v2.RandomHorizontalFlip(),\n", "",
        "horizontal_flip(pixels) if drawn.mirrored else pixels", "pixels",
    ),
    fault(
        "short last batch averaged as if it were full", GLUON_TRAINING, 12, "",
        *KNOWN["short batch averaged as if it were full"].edits[0],
    ),
    fault(
        "batch normalisation's momentum 0.9 for 0.1", RESNET_V2, 12, "",
        "\nfrom torch import nn\n",
        "\nfrom functools import partial\n\nfrom torch import nn\n\nhasty = partial(nn.BatchNorm2d, momentum=0.9)\n",
        "= nn.BatchNorm2d(", "= hasty(",
    ),
    fault(
        "another class for 2 % of the training images", TORCH_DATA, 12, "",
        "\n    sampler = EpochOrder(seed, len(split))\n", NOISE,
    ),
)  # fmt: skip


def framework_of(one) -> str:
    """The framework in which a fault is planted."""
    return one.file.split("_")[0]


def jobs_of(name: str, framework: str, draws: str, out: Path, seeds: int, data: str, epochs=None) -> list[Job]:
    """The runs of one framework with the fault `name` (or none), in a folder of their own."""
    folder = out / name.replace(" ", "-").replace("%", "percent").replace("'", "")
    chosen = experiment("finetune", "mini", num_epochs=epochs)
    return [
        Job(chosen, framework, seed, data, "mini", draws, device="cpu", out=folder, resume=True)
        for seed in range(seeds)
    ]


def train(one, jobs: list[Job]):
    """Carry out `jobs` with a fault planted, or with none; for a process of its own."""
    from shared.command.launch import carry_out

    if one is None:
        carry_out(jobs, bars=False)
        return
    with planted(one):
        carry_out(jobs, bars=False)


def units(out: Path, seeds: int, data: str, epochs=None) -> list[tuple]:
    """(fault or None, framework, draws, its jobs): shared draws first, since those decide; no fault before all others."""
    return [
        (one, f, draws, jobs_of(NONE if one is None else one.name, f, draws, out, seeds, data, epochs))
        for draws in DRAWS
        for one in (None, *FAULTS)
        for f in (FRAMEWORKS if one is None else [framework_of(one)])
    ]


def measure(out: Path, seeds: int, record: Path, data: str = "mini", epochs=None) -> int:
    """Train what is missing, unit by unit, and write the record after each. Returns the exit code."""
    dataset, source = load_dataset(data), load_source("mini")
    code = 0
    for one, framework, _, jobs in units(out, seeds, data, epochs):
        done = _done(jobs, dataset, source)
        lacking = [job for job in jobs if job not in done]
        if lacking:
            code = run_in_processes(train, {framework: (one, lacking)}) or code
            write(out, seeds, record, dataset, source, data, epochs)
    write(out, seeds, record, dataset, source, data, epochs)
    return code


def _done(jobs, dataset, source):
    folder = jobs[0].out
    return completed_runs(jobs, read_runs(folder) if folder.is_dir() else [], dataset, source)


def write(out, seeds, record, dataset, source, data, epochs):
    """The outcomes so far, each under its fault's name, with the probabilities of the last epoch only."""
    found, outcomes = [], []
    for one, _, _, jobs in units(out, seeds, data, epochs):
        for run in _done(jobs, dataset, source).values():
            o = outcome_of(run)
            found.append(run)
            if o.probabilities is not None:
                o = replace(o, probabilities=o.probabilities[-1:], correct=o.correct[-1:])
            outcomes.append(replace(o, experiment=NONE if one is None else one.name))
    if found:
        command = f"cd tests && python -m parity.sensitivity --seeds {seeds}"
        comparisons.write_record(record, comparisons.about(command, found, []), outcomes)


def table(record: Path = RECORD) -> str:
    """What became of every fault, as Markdown: a table for shared draws, one for own ones."""
    _, outcomes = comparisons.read_record(record)
    return "\n\n".join(
        f"With {draws} draws:\n\n{markdown_table(*rows_of([o for o in outcomes if o.draws == draws]))}"
        for draws in DRAWS
        if any(o.draws == draws for o in outcomes)
    )


def rows_of(outcomes: list) -> tuple[list[str], list[list[str]]]:
    """Header and rows, one per fault: the difference it makes, how alike predictions are, and which verdict so many pairs give."""
    header = ["fault", "in", "difference (90 % interval)", "same prediction"]
    header += [f"at ± {margin:g}: {', '.join(map(str, PAIRS))} pairs" for margin in MARGINS]
    by = {(o.experiment, o.framework, o.seed): o for o in outcomes}
    rows = []
    for name in dict.fromkeys(o.experiment for o in outcomes):
        frameworks = {o.framework for o in outcomes if o.experiment == name}
        faulty = None if name == NONE else frameworks.pop()
        sides = {f: NONE if f != faulty else name for f in FRAMEWORKS}
        seeds = sorted({s for e, f, s in by if e == name and all((sides[g], g, s) in by for g in FRAMEWORKS)})
        pairs = [tuple(by[sides[f], f, seed] for f in FRAMEWORKS) for seed in seeds]
        lost = sum(any(o.diverged for o in pair) for pair in pairs)
        pairs = [pair for pair in pairs if not any(o.diverged for o in pair)]
        row = [name, "–" if faulty is None else NAMES[faulty], *_difference(pairs, lost)]
        rows.append(row + [", ".join(verdict_of(pairs, n, margin) for n in PAIRS) for margin in MARGINS])
    return header, rows


def _difference(pairs, lost):
    diverged = f"; {lost} diverged" * bool(lost)
    if len(pairs) < 2:
        return ["–" + diverged, "–"]
    found = _estimate(pairs)
    low, high = found.interval()
    return [f"{found.difference:+.3f} ({low:+.3f} to {high:+.3f})" + diverged, f"{likeness(pairs).same:.1%}"]


def _estimate(pairs):
    gluon, torch = zip(*pairs, strict=True)
    numbers = ([o.accuracy for o in side] for side in (gluon, torch))
    return estimate(*numbers, gluon[0].draws, 1 / gluon[0].images)


def verdict_of(pairs: list[tuple], count: int, margin: float, most: int = 200) -> str:
    """The verdict that `count` of the pairs give most often, and how often: over all choices of so many of them, or `most` of them.

    `different` is a fault that is seen, `equivalent` one that is missed.
    """
    if len(pairs) < count:
        return "–"
    choices = list(itertools.combinations(pairs, count))
    if len(choices) > most:
        rng = np.random.default_rng(0)
        choices = [choices[i] for i in rng.choice(len(choices), most, replace=False)]
    words = Counter(_word(_estimate(list(chosen)), margin) for chosen in choices)
    word, times = words.most_common(1)[0]
    return word if times == len(choices) else f"{word} {times / len(choices):.0%}"


def _word(found, margin):
    equivalent, different = p_values([found], margin)
    return "equivalent" if equivalent < LEVEL else "different" if different < LEVEL else "undecided"


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=max(PAIRS))
    parser.add_argument("--out", type=Path, default=Path("../runs/sensitivity"))
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--data", default="mini")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--table", action="store_true", help="only print the table of the record")
    options = parser.parse_args(arguments)
    code = 0 if options.table else measure(options.out, options.seeds, options.record, options.data, options.epochs)
    print(table(options.record))
    return code


if __name__ == "__main__":
    sys.exit(main())
