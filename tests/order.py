"""How the project's files import each other, read from their text: rooms, circles, names made up at run time, lengths.

Nothing is imported to find out. Imports inside of functions count as much as those at the top.
"""

import ast
import functools
import graphlib
import io
import tokenize
from pathlib import Path

# From the top down: a file imports from its own room and from those above it. A room is a package or a few single files.
ROOMS = (
    # the ground floor, open to all
    (
        "shared.errors",
        "shared.files",
        "shared.epochs",
        "shared.threads",
        "shared.streams",
        "shared.version",
        "shared.parts",
    )
    + ("shared.device", "shared.nvidia", "shared.cuda_driver"),
    ("shared.images",),
    ("shared.networks",),
    ("shared.strategies", "shared.experiments"),
    ("gluon_impl",),
    ("torch_impl",),
    ("shared.runs",),
    ("shared.parity",),
    ("shared.exercises",),
    ("shared.book",),
    ("shared.webapp",),
    ("shared.command",),
)
# Two rooms on one floor: neither looks at the other.
APART = ({"gluon_impl", "torch_impl"},)
FRAMEWORKS = {"mxnet", "torch", "torchvision", "d2l", "gluon_impl", "torch_impl"}
# Imports by a name that is put together at run time: file: what it can import, and why it may.
BY_NAME = {
    # The one place that knows a framework by its name.
    "shared/runs/frameworks.py": ("gluon_impl", "torch_impl"),
}
IMPORTERS = {"import_module", "__import__", "spec_from_file_location", "run_module", "run_path", "find_spec"}
# Files that are longer than `code_limit` says, and why.
LONG = {
    "tests/bad_inputs.py": "a row for each bad input: data",
    "tests/test_survivors.py": "a check for each mutant that got past the others: a list",
    "tests/parity/faults.py": "a table of planted faults: data",
}


@functools.cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def product(root: Path) -> dict[str, Path]:
    """{module name: file} of everything that is installed; a package goes by its own name."""
    files = {}
    for top in ("shared", "gluon_impl", "torch_impl"):
        for file in sorted((root / top).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


def room_of(module: str) -> int | None:
    """The number of the room that a module belongs to, from the top; None for one that belongs to none."""
    for number, names in enumerate(ROOMS):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return number
    return None


def imports(file: Path, module: str, nodes=None) -> set[str]:
    """Full names of what `file` imports, anywhere in it (or in `nodes`): modules, and names that may be modules."""
    tree = parsed(file)
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(tree) if nodes is None else nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def graph(root: Path) -> dict[str, set[str]]:
    """{module: the product's own modules that importing it can import}; imports by name too (`BY_NAME`)."""
    files = product(root)
    edges = {}
    for module, file in files.items():
        found = imports(file, module)
        for top in BY_NAME.get(file.relative_to(root).as_posix(), ()):
            found |= {other for other in files if other.split(".")[0] == top}
        # importing a.b.c imports a and a.b first
        found |= {name.rsplit(".", level)[0] for name in [*found, module] for level in range(1, name.count(".") + 1)}
        edges[module] = {name for name in found if name in files and name != module and not _above(name, module)}
    return edges


def _above(package, module):
    # What is in a package may import from it what stands in the files beside; an __init__ that imports nothing is no circle.
    return module.startswith(f"{package}.") and package == "shared"


def upward(root: Path) -> list[str]:
    """Imports from a room below, or from the room across; and files that are in no room."""
    found = [f"{name} is in no room" for name in product(root) if name != "shared" and room_of(name) is None]
    for module, others in graph(root).items():
        own = room_of(module)
        for other in sorted(others):
            room = room_of(other)
            if own is None or room is None:
                continue
            across = any({module.split(".")[0], other.split(".")[0]} == pair for pair in APART)
            if room > own or across:
                found.append(f"{module} imports {other}")
    return found


def circle(root: Path) -> list[str]:
    """The modules of one circle of imports, in its order; none where there is no circle."""
    try:
        graphlib.TopologicalSorter(graph(root)).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def by_name(root: Path) -> set[str]:
    """Files that import something by a name made up at run time."""
    found = set()
    for file in product(root).values():
        for node in ast.walk(parsed(file)):
            called = getattr(node, "id", getattr(node, "attr", getattr(node, "name", None)))
            if called in IMPORTERS and isinstance(node, ast.Name | ast.Attribute | ast.alias):
                found.add(file.relative_to(root).as_posix())
    return found


def at_module_level(tree):
    """All nodes that run when the module is imported: not those inside of functions."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += list(ast.iter_child_nodes(node))


def frameworks_at_module_level(root: Path) -> list[str]:
    """Files of shared/ that load a framework when they are imported."""
    found = []
    for module, file in product(root).items():
        if module.split(".")[0] == "shared":
            tops = {name.split(".")[0] for name in imports(file, module, at_module_level)}
            found += [f"{module} imports {name}" for name in sorted(tops & FRAMEWORKS)]
    return found


def from_tests(root: Path) -> list[str]:
    """Files of the product that import something of tests/."""
    names = {"tests", *(path.stem for path in (root / "tests").iterdir() if path.suffix in ("", ".py"))}
    found = []
    for module, file in product(root).items():
        found += [f"{module} imports {name}" for name in sorted(imports(file, module)) if name.split(".")[0] in names]
    return found


def more_than_a_docstring(root: Path) -> list[str]:
    """The `__init__.py` files of shared/ that hold anything but a docstring, or none."""
    found = []
    for file in sorted((root / "shared").rglob("*.py")):
        if file.name == "__init__.py":
            tree = parsed(file)
            if len(tree.body) != 1 or not ast.get_docstring(tree):
                found.append(file.relative_to(root).as_posix())
    return found


def code_lines(file: Path) -> int:
    """Lines of `file` that hold code: no blank ones, no comments, no docstrings."""
    text = file.read_text(encoding="utf-8")
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in nothing:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def code_limit(file: Path) -> int:
    """How many lines of code a file may have. Tests stand by themselves, so that a file of them is read one by one."""
    return 350 if file.name.startswith("test_") else 300


def long_files(root: Path) -> dict[str, int]:
    """{file: lines of code} of those that have too many, tests included."""
    files = [*product(root).values(), *sorted((root / "tests").rglob("*.py"))]
    counted = {file: code_lines(file) for file in files}
    return {file.relative_to(root).as_posix(): lines for file, lines in counted.items() if lines > code_limit(file)}
