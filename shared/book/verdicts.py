"""What README.md and chapter.md say about the two frameworks' agreement, from the records in `results/`."""

from pathlib import Path

from shared.book.recorded import recorded_by
from shared.networks.source import HOTDOG
from shared.parity.accuracies import compare_all, order_sentences, seeds_there
from shared.parity.comparisons import read_record
from shared.parity.design import MARGIN
from shared.parity.outcomes import outcome_of
from shared.parity.plans import plan_from, plan_sentences
from shared.parity.tables import AGREEMENT_NOTE, agreement_table, cross_table, verdict_notes, verdict_table
from shared.runs.find import COMPLETE
from shared.runs.frameworks import FRAMEWORKS
from shared.runs.record import read_runs
from shared.runs.tables import markdown_table, plural

RECORDS = Path(__file__).parent.parent / "results"


def compared(name: str) -> tuple[dict, list]:
    """(what a record says about its runs, their outcomes): of `results/name.json`, or of the runs below `results/name`.

    Only experiments that both frameworks have run.
    """
    file = RECORDS / f"{name}.json"
    if file.is_file():
        about, outcomes = read_record(file)
    else:
        about = {}
        outcomes = [
            outcome_of(run)
            for run in read_runs(RECORDS / name)
            if run.status in COMPLETE and run.source["row_label"] in (None, HOTDOG)
        ]
    both = set.intersection(*({o.experiment for o in outcomes if o.framework == f} for f in FRAMEWORKS))
    return about, [o for o in outcomes if o.experiment in both]


def equivalence(name: str) -> str:
    """Whether the frameworks reach the same accuracy: verdicts over the runs of `compared(name)`, and their plans."""
    about, outcomes = compared(name)
    found = compare_all(outcomes)
    plans = [plan_from(plan) for plan in about.get("plans", [])]
    lines = verdict_notes(found) + plan_sentences(plans, seeds_there(outcomes))
    if len(found) > 1:
        lines += order_sentences(outcomes)
    return "\n\n".join([markdown_table(*verdict_table(found)), *lines])


def likeness(name: str) -> str:
    """How alike predictions are, of two seeds of one framework and of the two frameworks; and of weights run in the other one."""
    _, outcomes = compared(name)
    parts = [markdown_table(*agreement_table(compare_all(outcomes))), AGREEMENT_NOTE]
    header, rows = cross_table(outcomes)
    if rows:
        parts += [
            "The weights of each framework's runs, evaluated in the other framework on the same test images:",
            markdown_table(header, rows),
        ]
    return "\n\n".join(parts)


# Records of pairs, in the order in which README shows them: file, and what the images are.
PAIRS = {
    "pairs-drawings": "the drawings",
    "pairs-photographs-96": "the photographs at 96 pixels",
    "pairs-photographs-224": "the photographs at 224 pixels",
}


def _recorded_pairs():
    return {name: what for name, what in PAIRS.items() if (RECORDS / f"{name}.json").is_file()}


def decided() -> str:
    """One line for each record of pairs: what its runs decide, on what, at which margin; and what is not recorded."""
    lines = []
    for name, what in _recorded_pairs().items():
        _, outcomes = compared(name)
        verdicts, seeds = {}, seeds_there(outcomes)
        for c in compare_all(outcomes):
            verdicts.setdefault(c.verdict.word, []).append(f"`{c.experiment}` ({plural(seeds[c.experiment], 'pair')})")
        told = "; ".join(f"{verdict} {', '.join(names)}" for verdict, names in verdicts.items())
        lines.append(f"- **On {what}**, at ± {100 * MARGIN:g} points: {told}.")
    absent = [what for name, what in PAIRS.items() if name not in _recorded_pairs()]
    if absent:
        lines.append(f"- Not recorded yet: pairs on {' and on '.join(absent)}.")
    return "\n".join(lines)


def pairs() -> str:
    """Every record of pairs: what it was made on, how alike the predictions are, and the verdicts."""
    parts = []
    for name, what in _recorded_pairs().items():
        about, _ = compared(name)
        head = f"**Pairs on {what}** (`{about['command']}`). {recorded_by(name)}"
        parts += [head, likeness(name), equivalence(name)]
    return "\n\n".join(parts)
