"""The table of mutation testing is whole, and what is taken away where cosmic-ray takes nothing away. See tests/mutation."""

import ast
import json
from pathlib import Path

import pytest
from helpers import ROOT
from mutation.mutants import _annotations, _mutant, _own, _spliced
from mutation.subsets import TABLE

JUDGED = ("shared/parity", "shared/networks")


def test_every_module_that_others_are_judged_by_has_its_tests():
    files = {str(f.relative_to(ROOT)) for room in JUDGED for f in (ROOT / room).glob("*.py")}
    files = {name for name in files if not name.endswith("__init__.py")} | {"shared/images/draws.py"}
    files |= {f"{framework}_impl/{file}.py" for framework in ("gluon", "torch") for file in ("nets", "training")}
    assert set(TABLE) == files


@pytest.mark.parametrize("module", TABLE)
def test_the_tests_of_a_module_are_there(module):
    named = [argument for argument in TABLE[module] if argument.startswith("tests/")]
    assert named
    for argument in named:
        file, _, test = argument.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert f"def {test}(" in text if test else "def test_" in text, argument


def test_mutants_named_as_equivalent_have_a_reason():
    for row in json.loads((Path(__file__).parent / "mutation" / "equivalent.json").read_text(encoding="utf-8")):
        assert row["module"] in TABLE and len(row["reason"]) > 20 and row["was"] != row["now"], row


SOURCE = '''"""Words."""
def f(a: int, é="é", *, k=1) -> int | None:
    """More words."""
    é = g(a, k=2, m=3); total = 0
    total += h(
        k=é,
    )
    return total
'''


def test_what_can_be_taken_away_is_taken_away_one_by_one():
    tree, lines = ast.parse(SOURCE), SOURCE.splitlines(keepends=True)
    made = [
        (kind, _mutant("m.py", kind, kind, SOURCE, _spliced(SOURCE, start, end, new)))
        for kind, start, end, new in _own(tree, lines)
    ]
    assert sorted((kind, m.line, m.now) for kind, m in made) == [
        ("keyword", 4, "é = g(a, k=2, ); total = 0"),
        ("keyword", 4, "é = g(a, m=3); total = 0"),
        ("keyword", 6, ""),
        ("return", 8, "return None"),
        ("statement", 4, "pass; total = 0"),
        ("statement", 4, "é = g(a, k=2, m=3); pass"),
        ("statement", 5, "pass"),
    ]
    assert len(_annotations(tree)) == 2


def test_what_is_no_python_or_the_same_program_is_no_mutant():
    assert _mutant("m.py", "", "", "a = 1\n", "a = = 1\n") is None
    assert _mutant("m.py", "", "", "a = 1\n", "a  =  1\n") is None
    assert _mutant("m.py", "", "", "a = 1\n", "a = 2\n").was == "a = 1"
