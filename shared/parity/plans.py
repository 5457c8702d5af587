"""Which seeds were planned, and when: a second look at more seeds is allowed, and has to be seen.

A test keeps its 5 % for seeds that were fixed beforehand. Who adds seeds until there is a verdict errs more often; so every plan is
noted before its first run, in `plans.jsonl` beside the runs, and a record holds all the plans that its runs were made under.
"""

import datetime
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from shared.experiments import Experiment, completed
from shared.parity.design import ENDPOINT_EPOCHS, MARGIN

PLANS = "plans.jsonl"


@dataclass(frozen=True)
class Plan:
    """seeds: of each framework and experiment. there: how many of these runs were there already when the plan was noted.

    dataset, source: their fingerprints. margin, endpoint_epochs: as they stood in the code. noted: when, UTC.
    """

    noted: str
    experiments: list[dict]
    seeds: list[int]
    draws: str
    dataset: str
    source: str
    there: int
    margin: float = MARGIN
    endpoint_epochs: int = ENDPOINT_EPOCHS

    def key(self) -> dict:
        """What makes it another plan than one before: everything but the time and what was there."""
        return {name: value for name, value in asdict(self).items() if name not in ("noted", "there")}

    def touches(self, other: "Plan") -> bool:
        """Whether the two plans share an experiment on the same images, source network and kind of draws."""
        same = (self.dataset, self.source, self.draws) == (other.dataset, other.source, other.draws)
        return same and any(experiment in other.experiments for experiment in self.experiments)


def note_plan(
    out: Path, experiments: list[Experiment], seeds, draws: str, dataset: str, source: str, there: int
) -> list[Plan]:
    """Note a plan in `out`/plans.jsonl, unless it is there already. Returns it and those before it that concern its runs."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    plan = Plan(now, [e.as_dict() for e in experiments], list(seeds), draws, dataset, source, there)
    before = read_plans(out)
    if not any(plan.key() == one.key() for one in before):
        out.mkdir(parents=True, exist_ok=True)
        with open(out / PLANS, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(plan)) + "\n")
        before.append(plan)
    return [one for one in before if one.touches(plan)]


def read_plans(out: Path) -> list[Plan]:
    """The plans noted in `out`, the oldest first; a line that was cut off is left out."""
    try:
        lines = (Path(out) / PLANS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(plan_from(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def plan_from(record: dict) -> Plan:
    """The plan that `asdict` made `record` of."""
    known = {f.name: record[f.name] for f in fields(Plan)}
    return Plan(**known | {"experiments": [completed(e) for e in known["experiments"]]})


def plan_sentences(plans: list[Plan], there: dict[str, int] | None = None) -> list[str]:
    """What a reader of the verdicts has to know about the plans they were made under.

    there: how many seeds of each experiment have come to an end, in the framework that has fewer.
    """
    if not plans:
        return ["The seeds of these runs were not planned in writing."]
    told = [
        f"{len(p.seeds)} seed{'s' * (len(p.seeds) != 1)} on {p.noted[:10]} ({p.there} runs were there)" for p in plans
    ]
    lines = [f"Planned: {told[0]}."]
    if len(plans) > 1:
        lines = [f"Planned {len(plans)} times: {'; then '.join(told)}. A second look errs more often than 5 %."]
    planned = len(plans[-1].seeds)
    early = [f"{name} {count}" for name, count in (there or {}).items() if count < planned]
    if early:
        lines.append(f"A look before the plan is fulfilled, of {planned} seeds there are: {', '.join(early)}.")
    return lines
