"""Do two frameworks come to the same conclusions? Test accuracies over seeds, by tests made for equivalence.

    for one in compare_all([outcome_of(run) for run in read_runs(Path("runs"))]):
        print(one.experiment, one.verdict.word)

No framework is imported here: everything is NumPy arrays, numbers and run records.
"""

import statistics
from dataclasses import dataclass

from shared.errors import UserError
from shared.parity.agreement import Agreement, agreement, resampled_interval
from shared.parity.design import MARGIN, the_draws
from shared.parity.outcomes import Outcome
from shared.parity.planning import chances
from shared.parity.tost import Estimate, Verdict, estimate, verdicts
from shared.runs.frameworks import FRAMEWORKS, NAMES


@dataclass(frozen=True)
class Comparison:
    """One experiment in both frameworks.

    seeds: compared in each framework; where draws are shared they are pairs. gluon, torch: mean endpoint (see `Outcome.accuracy`),
    averaged: epochs it is the mean of. difference: torch's less Gluon's; low, high: its 90 % interval (None with a single seed).
    last: the difference after the last epoch. verdict: with Holm's correction. chances: that 1, 2 and 4 times as many new
    seeds give a verdict. resampled: 90 % interval over seeds and images. agreement: image by image. diverged: runs of each
    framework that came to no accuracy; where they are not as many in both (of a pair: not both), nothing is called equivalent.
    """

    experiment: str
    draws: str
    seeds: dict[str, tuple[int, ...]]
    gluon: float
    torch: float
    averaged: int
    difference: float
    low: float | None
    high: float | None
    last: float
    margin: float
    verdict: Verdict
    chances: tuple[float, ...]
    resampled: tuple[float, float] | None
    agreement: Agreement
    diverged: dict[str, int]


@dataclass(frozen=True)
class Groups:
    """The runs of one experiment that can be compared: of the same seeds, in one order, where draws are shared.

    diverged: how many of each framework cannot. torn: whether the frameworks differ in that; with shared draws, seed by seed.
    """

    experiment: str
    gluon: list[Outcome]
    torch: list[Outcome]
    diverged: dict[str, int]
    torn: bool

    @property
    def comparable(self) -> bool:
        return bool(self.gluon and self.torch)

    def accuracies(self) -> tuple[list[float], list[float]]:
        return [o.accuracy for o in self.gluon], [o.accuracy for o in self.torch]


def grouped(outcomes: list[Outcome], draws: str) -> Groups:
    """The comparable runs of one experiment, maybe none. Raises UserError where they are not of one kind."""
    name = outcomes[0].experiment
    ended = {f: {o.seed: o for o in outcomes if o.framework == f and not o.diverged} for f in FRAMEWORKS}
    lost = {f: {o.seed for o in outcomes if o.framework == f and o.diverged} for f in FRAMEWORKS}
    seeds = {f: sorted(ended[f]) for f in FRAMEWORKS}
    torn = len(lost["gluon"]) != len(lost["torch"])
    if draws == "shared":
        seeds = dict.fromkeys(FRAMEWORKS, sorted(set(ended["gluon"]) & set(ended["torch"])))
        torn = lost["gluon"] != lost["torch"]
    groups = {f: [ended[f][seed] for seed in seeds[f]] for f in FRAMEWORKS}
    for what, values in (
        ("epochs known", {o.averaged for f in FRAMEWORKS for o in groups[f]}),
        ("test images", {o.images for f in FRAMEWORKS for o in groups[f]}),
    ):
        if len(values) > 1:
            raise UserError(f"{name}: runs with different numbers of {what} cannot be compared: {sorted(values)}")
    return Groups(name, groups["gluon"], groups["torch"], {f: len(lost[f]) for f in FRAMEWORKS}, torn)


def compare_all(outcomes: list[Outcome], margin: float = MARGIN) -> list[Comparison]:
    """One comparison per experiment that has runs of both, in the order in which they come; all of them are tested together.

    Raises UserError where runs with shared and with own draws are mixed, and where no experiment has anything to compare.
    """
    draws = the_draws(o.draws for o in outcomes)
    names = dict.fromkeys(o.experiment for o in outcomes)
    groups = [grouped([o for o in outcomes if o.experiment == name], draws) for name in names]
    groups = [group for group in groups if group.comparable]
    if not groups:
        what = "seed" if draws == "shared" else "experiment"
        raise UserError(
            f"{', '.join(names)}: no {what} came to an end in both frameworks, so there is nothing to compare"
        )
    finest = 1 / min(o.images for o in outcomes)
    numbers = [group.accuracies() for group in groups]
    estimates = [estimate(*pair, draws, finest) for pair in numbers]
    likely = chances(numbers, draws, finest, margin)
    return [
        _comparison(group, draws, margin, found, verdict, tuple(map(float, row)))
        for group, found, verdict, row in zip(groups, estimates, verdicts(estimates, margin), likely, strict=True)
    ]


def seeds_there(outcomes: list[Outcome]) -> dict[str, int]:
    """{experiment: how many seeds have come to an end, diverged ones too, in the framework that has fewer}."""
    names = dict.fromkeys(o.experiment for o in outcomes)
    return {
        name: min(sum((o.experiment, o.framework) == (name, f) for o in outcomes) for f in FRAMEWORKS) for name in names
    }


def not_compared(outcomes: list[Outcome]) -> list[str]:
    """A sentence for each experiment that `compare_all` leaves out."""
    draws, lines = the_draws(o.draws for o in outcomes), []
    for name in dict.fromkeys(o.experiment for o in outcomes):
        mine = [o for o in outcomes if o.experiment == name]
        if not grouped(mine, draws).comparable:
            per = [[o for o in mine if o.framework == f] for f in FRAMEWORKS]
            counts = [
                f"{NAMES[f]} {len(runs)} runs, {sum(o.diverged for o in runs)} diverged"
                for f, runs in zip(FRAMEWORKS, per, strict=True)
            ]
            lines.append(
                f"{name} is not compared: no {'pair' if draws == 'shared' else 'run of both'} came to an end ({'; '.join(counts)})."
            )
    return lines


def _comparison(group: Groups, draws, margin, found: Estimate | None, verdict: Verdict, likely) -> Comparison:
    gluon, torch = map(statistics.fmean, group.accuracies())
    low, high = (None, None) if found is None else map(float, found.interval())
    if group.torn and verdict.word == "equivalent":
        verdict = Verdict(verdict.p, "undecided", verdict.smallest)
    return Comparison(
        experiment=group.experiment,
        draws=draws,
        seeds={"gluon": tuple(o.seed for o in group.gluon), "torch": tuple(o.seed for o in group.torch)},
        gluon=gluon,
        torch=torch,
        averaged=group.gluon[0].averaged,
        difference=torch - gluon,
        low=low,
        high=high,
        last=statistics.fmean(o.last for o in group.torch) - statistics.fmean(o.last for o in group.gluon),
        margin=margin,
        verdict=verdict,
        chances=likely,
        resampled=resampled_interval(group.gluon, group.torch, draws),
        agreement=agreement(group.gluon, group.torch, draws),
        diverged=group.diverged,
    )


def ranking(outcomes: list[Outcome], framework: str) -> list[tuple[str, float]]:
    """(experiment, mean endpoint) of one framework, the best first; runs that diverged have none."""
    mine = [o for o in outcomes if o.framework == framework and not o.diverged]
    names = {o.experiment for o in mine}
    means = {name: statistics.fmean(o.accuracy for o in mine if o.experiment == name) for name in names}
    return sorted(means.items(), key=lambda entry: (-entry[1], entry[0]))


def decided(outcomes: list[Outcome], framework: str, better: str, worse: str) -> bool:
    """Whether `better` beats `worse` in one framework: the 90 % interval of their difference over its seeds lies above zero.

    Two experiments with the same seed share order and views where draws are shared, and are a pair then; otherwise they are not.
    """
    mine = [o for o in outcomes if o.framework == framework and not o.diverged and o.experiment in (better, worse)]
    if not mine:
        return False
    draws = the_draws(o.draws for o in mine)
    by = {name: {o.seed: o.accuracy for o in mine if o.experiment == name} for name in (better, worse)}
    if draws == "shared":
        both = sorted(set(by[better]) & set(by[worse]))
        by = {name: {seed: by[name][seed] for seed in both} for name in by}
    found = estimate(list(by[worse].values()), list(by[better].values()), draws, 1 / min(o.images for o in mine))
    return found is not None and bool(found.interval()[0] > 0)


def contradictions(outcomes: list[Outcome]) -> list[str]:
    """Pairs of experiments whose order is decided in both frameworks and is not the same, in words; empty where they agree."""
    names = list(dict.fromkeys(o.experiment for o in outcomes))
    return [
        f"{a} beats {b} in gluon, {b} beats {a} in torch"
        for a in names
        for b in names
        if decided(outcomes, "gluon", a, b) and decided(outcomes, "torch", b, a)
    ]


def order_sentences(outcomes: list[Outcome]) -> list[str]:
    """The order of the experiments in each framework, and, where there are seeds to decide, whether the frameworks contradict."""
    lines = []
    for framework in FRAMEWORKS:
        order = ", ".join(f"{name} {mean:.3f}" for name, mean in ranking(outcomes, framework))
        lines.append(f"Order in {framework}: {order}")
    if len({o.seed for o in outcomes}) == 1:
        return lines
    against = contradictions(outcomes)
    return lines + (against or ["No two experiments are decided in opposite orders by the two frameworks."])
