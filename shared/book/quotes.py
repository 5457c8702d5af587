"""What README.md and chapter.md quote of the code. Tables from the records: recorded.py.

`uv run cog -r README.md chapter.md` puts it all in; a test fails when a file is stale.
"""

import ast
import textwrap
from pathlib import Path

from shared.runs.frameworks import NAMES

ROOT = Path(__file__).parent.parent.parent
RECORDS = ROOT / "shared" / "results"
ROOMS = {"gluon": "gluon_impl", "torch": "torch_impl"}


def name_of(node: ast.stmt) -> str | None:
    """The name that a statement defines: a function's, a class's or a constant's."""
    if isinstance(node, ast.Assign):
        return getattr(node.targets[0], "id", None)
    return getattr(node, "name", None)


def lines_of(node: ast.stmt) -> slice:
    """The lines of a file in which a statement stands, its decorators with it."""
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    return slice(first - 1, node.end_lineno)


def source_of(file: str, *names: str) -> str:
    """The source of the functions, classes, constants or methods (`Class.method`) `names` of `file`, a path from the root.

    Without names: all of it. Raises KeyError for a name that is not there.
    """
    text = (ROOT / file).read_text(encoding="utf-8")
    if not names:
        return text.strip()
    lines, sources = text.splitlines(), {}

    def collect(nodes, prefix=""):
        for node in nodes:
            if name := name_of(node):
                sources[prefix + name] = textwrap.dedent("\n".join(lines[lines_of(node)]))
            if isinstance(node, ast.ClassDef):
                collect(node.body, f"{node.name}.")

    collect(ast.parse(text).body)
    return "\n\n\n".join(sources[name] for name in names)


def quote(file: str, *names: str) -> str:
    """A Markdown block with the source of `names` in `file`, below the file's path."""
    return f"[`{file}`]({file})\n\n```python\n{source_of(file, *names)}\n```"


def pair(module: str, *names: str) -> str:
    """The source of `names` in both implementations' `module`: Gluon first, then PyTorch."""
    return "\n\n".join(f"**{NAMES[f]}**, {quote(f'{room}/{module}.py', *names)}" for f, room in ROOMS.items())
