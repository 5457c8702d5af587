"""The mutants: where a module can be changed, in what way, and a stratified sample of that.

The operators are cosmic-ray's; it changes one place and leaves the rest of a text as it is. Three more are made here, because
cosmic-ray has none that takes something away: a statement, a keyword argument, what a function returns. Annotations are left
alone, since nothing reads them.
"""

import ast
import random
import warnings
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# cosmic-ray's operators by kind, which the sample is drawn over; a place in the text has one of each kind at most.
KINDS = {
    "arithmetic": ("ReplaceBinaryOperator", "ReplaceUnaryOperator"),
    "comparison": ("ReplaceComparisonOperator",),
    "logic": ("ReplaceAndWithOr", "ReplaceOrWithAnd", "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue"),
    "number": ("NumberReplacer",),
    "flow": ("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop", "ExceptionReplacer"),
    "decorator": ("RemoveDecorator",),
}
# Between these Python sees no difference for small numbers and for texts that a program spells out.
ALIKE = ("Eq_Is", "NotEq_IsNot", "Is_Eq", "IsNot_NotEq")
FEWEST = 10  # mutants of a module


@dataclass(frozen=True)
class Mutant:
    """A module (a path) with one change. line: from 1, the first that differs; was, now: the lines that differ, stripped."""

    module: str
    line: int
    kind: str
    operator: str
    was: str
    now: str
    text: str

    @property
    def key(self) -> tuple:
        """What tells it from other mutants, whatever the line: it stays when something is changed above it."""
        return self.module, self.operator, self.was, self.now


def sample(root: Path, modules, size: int, seed: int) -> tuple[list[Mutant], dict[str, int]]:
    """`size` mutants of `modules`, and how many places each module has: {module: places}.

    Of each module a share as its places have of all (FEWEST at least), drawn over the kinds of change in turn; of a place one
    change. A module's mutants depend on the seed and on its own text alone, apart from how many they are.
    """
    places = {module: _places(root / module) for module in modules}
    count = {module: sum(map(len, kinds.values())) for module, kinds in places.items()}
    found = []
    for module, kinds in places.items():
        wanted = max(FEWEST, round(size * count[module] / sum(count.values())))
        rng = random.Random(f"{seed} {module}")
        order = {kind: rng.sample(list(options), len(options)) for kind, options in sorted(kinds.items())}
        source, seen = (root / module).read_text(encoding="utf-8"), set()
        while wanted and any(order.values()):
            for kind, waiting in order.items():
                if not waiting or not wanted:
                    continue
                operator, make = rng.choice(kinds[kind][waiting.pop()])
                mutant = _mutant(module, kind, operator, source, make(source))
                if mutant and mutant.key not in seen:
                    seen.add(mutant.key)
                    found.append(mutant)
                    wanted -= 1
    return found, count


def _mutant(module, kind, operator, source, text):
    """The mutant with this text, or None where it is no Python or the same program."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if text is None or ast.dump(ast.parse(text)) == ast.dump(ast.parse(source)):
                return None
            compile(text, module, "exec")
    except SyntaxError:
        return None
    before, after = source.splitlines(), text.splitlines()
    first = next(i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    same = 0
    while same < min(len(before), len(after)) - first and before[-1 - same] == after[-1 - same]:
        same += 1
    was, now = (" ".join(" ".join(lines[first : len(lines) - same]).split()) for lines in (before, after))
    return Mutant(module, first + 1, kind, operator, was, now, text)


def _places(path: Path) -> dict:
    """{kind: {place: [(operator, function from the text to the changed text)]}}"""
    source = path.read_text(encoding="utf-8")
    tree, lines = ast.parse(source), source.splitlines(keepends=True)
    found = defaultdict(lambda: defaultdict(list))
    annotations = _annotations(tree)
    for kind, name, operator, occurrence, place in _cosmic_rays(source):
        if not any(start <= place <= end for start, end in annotations):
            found[kind][place].append((name, _changed_by(operator, occurrence)))
    for kind, start, end, new in _own(tree, lines):
        found[kind][start].append((kind, lambda text, s=start, e=end, new=new: _spliced(text, s, e, new)))
    return found


def _cosmic_rays(source):
    """(kind, operator, its object, which of its occurrences, place) of all that cosmic-ray can change."""
    nodes = list(_nodes(_parsed(source)))
    for kind, operators in KINDS.items():
        for name, operator in _operators().items():
            if name.startswith(operators):
                occurrence = 0
                for node in nodes:
                    for start, _ in operator.mutation_positions(node):
                        yield kind, name, operator, occurrence, start
                        occurrence += 1


@cache
def _operators():
    from cosmic_ray import plugins

    names = [name.removeprefix("core/") for name in plugins.operator_names()]
    return {
        n: plugins.get_operator(f"core/{n}")()
        for n in sorted(names)
        if not n.startswith("Variable") and not n.endswith(ALIKE)
    }


def _parsed(source):
    from cosmic_ray.ast import get_ast

    return get_ast(source)


def _nodes(node):
    """All nodes, in the order in which cosmic-ray counts."""
    yield node
    for child in getattr(node, "children", ()):
        yield from _nodes(child)


def _changed_by(operator, occurrence):
    def changed(source):
        from cosmic_ray.mutating import mutate_code

        return mutate_code(source, operator, occurrence)

    return changed


def _annotations(tree):
    """(start, end) of all annotations: (line, column in characters) as parso counts."""
    found = []
    for node in ast.walk(tree):
        for it in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if it is not None:
                found.append(((it.lineno, it.col_offset), (it.end_lineno, it.end_col_offset)))
    return found


def _own(tree, lines):
    """(kind, start, end, what stands there instead) of what is taken away."""
    for node in ast.walk(tree):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Delete) and not docstring:
            yield "statement", _start(node), _end(node), "pass"
        if isinstance(node, ast.Return) and node.value is not None:
            yield "return", _start(node), _end(node), "return None"
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg:
                    (line, column), rest = _end(keyword), lines[keyword.end_lineno - 1].encode()
                    comma = rest[column:].lstrip().startswith(b",")
                    yield "keyword", _start(keyword), (line, rest.index(b",", column) + 1 if comma else column), ""


def _start(node):
    return node.lineno, node.col_offset


def _end(node):
    return node.end_lineno, node.end_col_offset


def _spliced(text, start, end, new):
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    before = b"".join(lines[: start[0] - 1]) + lines[start[0] - 1][: start[1]]
    after = lines[end[0] - 1][end[1] :] + b"".join(lines[end[0] :])
    return (before + new.encode() + after).decode()
