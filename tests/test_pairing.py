"""The two implementations are pairs, and the rooms do not look at each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAIRED = ("data", "nets", "training")


def public(path):
    """Public functions of a module in order, each with its argument names and defaults."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: ([a.arg for a in node.args.args], [ast.unparse(d) for d in node.args.defaults])
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


@pytest.mark.parametrize("module", PAIRED)
def test_same_functions_in_the_same_order_with_the_same_arguments(module):
    gluon, torch = (public(ROOT / f"{f}_impl" / f"{module}.py") for f in ("gluon", "torch"))
    assert list(gluon.items()) == list(torch.items())
    assert gluon


@pytest.mark.parametrize("module", PAIRED)
def test_every_public_function_says_what_it_does(module):
    for framework in ("gluon", "torch"):
        tree = ast.parse((ROOT / f"{framework}_impl" / f"{module}.py").read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{framework}_impl.{module}.{node.name}"


def imports(nodes):
    """Top-level package names imported by `nodes`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_shared_imports_no_framework_at_module_level():
    files = sorted((ROOT / "shared").rglob("*.py"))
    assert len(files) > 5
    for file in files:
        found = set(imports(ast.parse(file.read_text(encoding="utf-8")).body))
        assert not found & {"mxnet", "torch", "torchvision", "gluon_impl", "torch_impl", "d2l"}, file


@pytest.mark.parametrize(
    ("room", "foreign"),
    [("gluon_impl", {"torch", "torchvision", "torch_impl"}), ("torch_impl", {"mxnet", "gluon_impl"})],
)
def test_neither_implementation_imports_the_other(room, foreign):
    for file in sorted((ROOT / room).rglob("*.py")):
        assert not set(imports(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))) & foreign, file
