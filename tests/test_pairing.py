"""The two implementations are pairs: the same functions in the same order with the same arguments."""

import ast

import pytest
from helpers import ROOT

PAIRED = ("adaptation", "data", "distributed", "grad_cam", "nets", "strategies", "training")
FRAMEWORKS = ("gluon", "torch")


def public(framework, module):
    """{name: definition} of the public functions of a module, in its order."""
    tree = ast.parse((ROOT / f"{framework}_impl" / f"{module}.py").read_text(encoding="utf-8"))
    return {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")}


@pytest.mark.parametrize("module", PAIRED)
def test_same_functions_in_the_same_order_with_the_same_arguments(module):
    gluon, torch = ([(name, ast.unparse(f.args)) for name, f in public(one, module).items()] for one in FRAMEWORKS)
    assert gluon == torch
    assert gluon


@pytest.mark.parametrize("module", PAIRED)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_public_function_says_what_it_does(framework, module):
    assert [name for name, function in public(framework, module).items() if not ast.get_docstring(function)] == []
