"""chapter.md as a Jupyter notebook, one per framework.

Three kinds of Python code stand in the chapter, told apart by the line above the fence:

- `**Gluon**, [path](path)` or `**PyTorch**, [path](path)`: quoted from an implementation. The notebook's cells define what its own
  framework's file holds, so that an edited cell is what runs: before the first quote from a file, a cell with the rest of it.
  A pair without paths imports the implementations; a notebook needs no such import and leaves it out.
- `[path](path)`: quoted from shared/, which is imported. It stays text.
- no such line: code that uses the functions. It becomes a cell as it is.

What stands between `<!-- not in the notebook -->` and `<!-- end -->` is left out.
"""

import ast
import hashlib
import os
import re
from pathlib import Path

from shared.book.quotes import ROOT, lines_of, name_of
from shared.errors import UserError
from shared.files import write_text
from shared.runs.frameworks import NAMES

CHAPTER = ROOT / "chapter.md"
COG_MARKER = re.compile(r"^<!-- \[\[\[.*?\]\]\] -->\n", re.MULTILINE | re.DOTALL)
LEFT_OUT = re.compile(r"^<!-- not in the notebook -->\n.*?^<!-- end -->\n", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(
    rf"(?:^(?:\*\*(?P<name>{'|'.join(NAMES.values())})\*\*(?:, \[`(?P<file>.+)`\]\(.+\))?|(?P<shared>\[`.+`\]\(.+\)))\n\n)?"
    r"^```python\n(?P<code>(?:.*\n)*?)```$",
    re.MULTILINE,
)
LINK = re.compile(r"""(\]\(|\b(?:src|href)=")([^)\s"#]+)""")


def write_notebook(framework: str, folder: Path) -> Path:
    """Write the chapter in `framework` to `folder`/chapter-FRAMEWORK.ipynb, and return that path.

    Raises UserError where a notebook lies there whose cells somebody has changed, and where there is no chapter.md.
    """
    import jupytext

    notebook = chapter_notebook(framework, folder)
    path = folder / f"chapter-{framework}.ipynb"
    refuse_changed(path)
    write_text(path, jupytext.writes(notebook, fmt="ipynb"))
    return path


def refuse_changed(path: Path):
    """Raise UserError where a notebook lies at `path` whose cells somebody has changed."""
    if path.exists() and not _as_made(path):
        raise UserError(f"{path} has changed cells: move it away, or name another folder with --out")


def chapter_notebook(framework: str, folder: Path = ROOT / "notebooks"):
    """The chapter in `framework` (gluon or torch) as an nbformat notebook without outputs, its links as seen from `folder`.

    Raises UserError where there is no chapter.md, as in an installed wheel.
    """
    import jupytext

    if not CHAPTER.is_file():
        raise UserError(f"no such file: {CHAPTER} (notebooks are made of it; run this in a clone of the project)")
    title, text = COG_MARKER.sub("", LEFT_OUT.sub("", CHAPTER.read_text(encoding="utf-8"))).split("\n", 1)
    text = f"{title}\n\n{_about(framework, folder)}\n{_in_one_framework(text, framework)}"
    notebook = jupytext.reads(text, fmt={"extension": ".md", "split_at_heading": True})
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"chapter-{number}"
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(lambda match: match[1] + _seen_from(folder, match[2]), cell.source.strip())
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "hotdog": _digest(notebook),
    }
    return notebook


def _about(framework, folder):
    path, root = (os.path.relpath(p, ROOT) for p in (folder, os.path.commonpath([ROOT, folder.resolve()])))
    return f"""\
**This is the chapter as a notebook, in {NAMES[framework]}**, made from chapter.md by `uv run hotdog notebook`. Open it with

```
uv run jupyter lab --notebook-dir {root} {path}/chapter-{framework}.ipynb
```

in the project's folder and run the cells from top to bottom. The functions are defined here, not imported: change one, run its cell
and those below again, and see what it does.
"""


def _in_one_framework(text, framework):
    """`text` in jupytext's Markdown: of each pair the half of `framework`, with the rest of its file before the first of each."""
    quotes, begun = [m for m in PYTHON.finditer(text) if m["file"]], set()
    quoted = {}
    for match in quotes:
        quoted.setdefault(match["file"], set()).update(name_of(node) for node in ast.parse(match["code"]).body)

    def rest(file):
        if file in begun:
            return ""
        begun.add(file)
        # What a file imports from another that this notebook defines has to be what the notebook defines.
        imports = _imports(file, quoted)
        before = "".join(rest(other) for other in dict.fromkeys(imports.values()))
        code = _rest(file, quoted.get(file, set()), imports)
        return f"{before}The rest of [`{file}`]({file}):\n\n```python\n{code}\n```\n\n" if code else before

    def convert(match):
        name, file, shared, code = match["name"], match["file"], match["shared"], match["code"]
        if shared:
            return f"<!-- #region -->\n{match[0]}\n<!-- #endregion -->"
        if not name:
            return match[0]
        if name != NAMES[framework]:
            return ""
        if not file:
            return "*(Not in this notebook: the cells below define them.)*"
        package = rest(str(Path(file).with_name("__init__.py")))
        return f"{package}{rest(file)}From [`{file}`]({file}):\n\n```python\n{code}```"

    return PYTHON.sub(convert, text)


def _imports(file, quoted):
    """{line: file} of the import statements of `file` that take from another of the `quoted` files what that one's rest defines."""
    modules = {other.removesuffix(".py").replace("/", "."): other for other in quoted}
    return {
        node.lineno: modules[node.module]
        for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        and node.module in modules
        and not {alias.name for alias in node.names} & quoted[modules[node.module]]
    }


def _rest(file, quoted, imports):
    """The source of `file` without its docstring, the functions, classes and constants called `quoted`, and the lines `imports`."""
    text = (ROOT / file).read_text(encoding="utf-8")
    tree, lines = ast.parse(text), text.splitlines()
    left_out = [node for node in tree.body if name_of(node) in quoted or node.lineno in imports]
    left_out += tree.body[:1] if ast.get_docstring(tree) is not None else []
    for node in left_out:
        place = lines_of(node)
        lines[place] = [""] * (place.stop - place.start)
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).strip()


def _seen_from(folder, target):
    """A link of the chapter as seen from `folder`; whatever is no file of the project stays as it is."""
    return Path(os.path.relpath(ROOT / target, folder)).as_posix() if (ROOT / target).exists() else target


def _digest(notebook):
    return hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()[:16]


def _as_made(path):
    import jupytext

    try:
        notebook = jupytext.read(path, fmt="ipynb")
        return notebook.metadata.get("hotdog") == _digest(notebook)
    except Exception:  # no notebook at all: not made here
        return False
