"""Runs that are there already: those that an experiment asks for, those that are missing, twins."""

import json

from shared.experiments import Experiment
from shared.networks.source import Source
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import Run, read_runs


def matching(
    found: list[Run], experiments: list[Experiment], dataset: str, source: Source, seeds, device: str = "auto"
) -> dict:
    """{(experiment name, framework, seed): run} of the finished runs that are exactly these experiments; the latest of each.

    dataset: its fingerprint. A row is the same by its label and by its number. device: `cpu` or `gpu` for runs made on one only.
    """

    def numbered(experiment, row):
        return json.loads(json.dumps(experiment | {"row": row}))

    wanted = {e.name: numbered(e.as_dict(), None if e.row is None else source.row(e.row)) for e in experiments}
    return {
        (run.experiment["name"], run.framework, run.seed): run
        for run in found
        if run.status == "finished"
        and (run.folder / "test_probabilities.csv").is_file()
        and numbered(run.experiment, run.source["row"]) == wanted.get(run.experiment["name"])
        and (run.dataset["fingerprint"], run.source["fingerprint"]) == (dataset, source.fingerprint)
        and run.seed in seeds
        and device in ("auto", "gpu" if run.device["gpu"] else "cpu")
    }


def missing(have: dict, experiments: list[Experiment], seeds, together: bool = False) -> list:
    """The runs that `matching` did not find, as [([framework], [(experiment name, seed)])], a whole seed before the next.

    together: frameworks that lack the same runs come in one entry.
    """
    wanted = [(e.name, seed) for seed in seeds for e in experiments]
    lacking = {f: [(name, seed) for name, seed in wanted if (name, f, seed) not in have] for f in FRAMEWORKS}
    if together and len({tuple(plan) for plan in lacking.values()}) == 1:
        groups = [(list(FRAMEWORKS), lacking[FRAMEWORKS[0]])]
    else:
        groups = [([framework], plan) for framework, plan in lacking.items()]
    return [(frameworks, plan) for frameworks, plan in groups if plan]


def with_twins(chosen: list[Run]) -> list[Run]:
    """The runs, each followed by its twin: same experiment, data, source and seed, other framework, in the folder beside it.

    Where a twin is among `chosen` already, none is added.
    """

    def twin(a, b):
        return (a.key(), a.seed) == (b.key(), b.seed) and a.framework != b.framework

    paired = []
    for one in chosen:
        paired.append(one)
        if not any(twin(one, other) for other in chosen):
            files = sorted(one.folder.resolve().parent.glob("*/weights.safetensors"))
            folders = {file.parent for file in files}
            beside = [r for r in read_runs(one.folder.resolve().parent) if r.folder in folders]
            paired += [other for other in beside if twin(one, other)][-1:]
    return paired
