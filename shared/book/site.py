"""chapter.md as a page: a folder that any browser opens from the file system, without a network.

Zensical builds it (contents, search, copy buttons, light and dark). What is done here is to say in its Markdown what the chapter
says in plain Markdown: a quote from Gluon with its twin from PyTorch is three tabs, links to code lead to pages of that code, line
by line, and the exercises' tables are folded. Style and scripts that the theme lacks lie in `page/`.
"""

import ast
import html
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from shared.book.notebook import CHAPTER, COG_MARKER, PYTHON, refuse_changed, write_notebook
from shared.book.quotes import ROOT, name_of
from shared.book.side_by_side import side_by_side
from shared.errors import FailedRun, UserError, reason_of
from shared.files import check_replaceable, replace_folder
from shared.runs.frameworks import FRAMEWORKS, NAMES

PAGE = Path(__file__).parent / "page"
NOT_IN_NOTEBOOK = re.compile(r"^<!-- (?:not in the notebook|end) -->\n", re.MULTILINE)
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
TABLE = re.compile(r"(?:^(?P<caption>[^\n|<#`-][^\n]*)\n\n)?(?P<table>(?:^\|.*\|\n)+)", re.MULTILINE)
DETAILS = re.compile(r"^<details>.*?^</details>\n", re.MULTILINE | re.DOTALL)
# Where the builder would load from the network what searching needs on a page that comes from the file system.
FOREIGN_WORKER = "https://unpkg.com/iframe-worker/shim"
SIDE_BY_SIDE = "side by side"

CONFIG = """\
[project]
site_name = "Hot dog, twice"
site_description = "Fine-tuning, in MXNet Gluon and in PyTorch: the chapter beside its code"
docs_dir = "docs"
site_dir = "site"
use_directory_urls = false
nav = [{ "Fine-tuning: hot dog or not" = "index.md" }]
extra_css = ["page/pair.css"]
extra_javascript = ["page/page.js"]

[project.theme]
font = false
features = ["content.code.copy", "content.tabs.link", "search.highlight", "toc.follow", "navigation.top"]

[[project.theme.palette]]
media = "(prefers-color-scheme)"
toggle = { icon = "lucide/sun-moon", name = "Switch to light" }

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle = { icon = "lucide/sun", name = "Switch to dark" }

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle = { icon = "lucide/moon", name = "Switch to what the system says" }

[project.plugins.search]
[project.plugins.offline]

[project.markdown_extensions]
tables = {}
md_in_html = {}
toc = { permalink = "¶", permalink_title = "Link to this section" }
"pymdownx.blocks.tab" = { alternate_style = true }
"pymdownx.highlight" = { anchor_linenums = true, line_spans = "__span", pygments_lang_class = true }
"pymdownx.inlinehilite" = {}
"pymdownx.superfences" = {}
"pymdownx.betterem" = {}
"pymdownx.arithmatex" = { generic = true }
"""


def write_site(out: Path) -> Path:
    """Build the page into the folder `out`, which appears whole or not at all, and return the page's own path in it.

    An earlier page there is replaced. Raises UserError where something else lies at `out`, where the builder is not installed and
    where there is no chapter.md; FailedRun where the builder fails.
    """
    if not CHAPTER.is_file():
        raise UserError(f"no such file: {CHAPTER} (the page is made of it; run this in a clone of the project)")
    try:
        import zensical  # noqa: F401
    except ImportError:
        raise UserError(
            "the page is built by Zensical, which is not installed: uv run --extra book hotdog book"
        ) from None
    check_replaceable(out, "page/worker.js")
    for framework in FRAMEWORKS:
        refuse_changed(out / "notebooks" / f"chapter-{framework}.ipynb")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        docs = work / "docs"
        (docs / "page").mkdir(parents=True)
        text, files = page_text(CHAPTER.read_text(encoding="utf-8"))
        (docs / "index.md").write_text(text, encoding="utf-8")
        for file in files:
            _put(docs, file)
        for file in PAGE.iterdir():
            shutil.copy(file, docs / "page")
        (work / "zensical.toml").write_text(CONFIG, encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(work / "zensical.toml")]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True)
        site = work / "site"
        if done.returncode or not (site / "index.html").is_file():
            raise FailedRun(f"Zensical could not build the page: {reason_of(RuntimeError(done.stdout + done.stderr))}")
        for page in site.rglob("*.html"):
            own = "../" * len(page.relative_to(site).parent.parts) + "page/worker.js"
            page.write_text(page.read_text(encoding="utf-8").replace(FOREIGN_WORKER, own), encoding="utf-8")
        replace_folder(site, out)
    for framework in FRAMEWORKS:  # there, because their links are seen from where they lie
        write_notebook(framework, out / "notebooks")
    return out / "index.html"


def page_text(chapter: str) -> tuple[str, list[str]]:
    """The chapter in the builder's Markdown, and the files of the project that it shows or links to (paths from the root)."""
    text = NOT_IN_NOTEBOOK.sub("", COG_MARKER.sub("", chapter))
    files = sorted(
        {
            match["file"] or match["shared"].split("`")[1]
            for match in PYTHON.finditer(text)
            if match["file"] or match["shared"]
        }
    )
    files += sorted({match[2] for match in PICTURE.finditer(text)})
    title, text = text.split("\n", 1)
    text = _with_folded_tables(_with_tabs(text))
    return f"---\nhide:\n  - navigation\n---\n{title}\n\n{_about()}\n{text}", files


def _about():
    notebooks = " and ".join(f"[{NAMES[f]}](notebooks/chapter-{f}.ipynb)" for f in FRAMEWORKS)
    return (
        f"*Every pair of excerpts can be read in Gluon, in PyTorch, or {SIDE_BY_SIDE}: what you choose at one holds for "
        f"all of them. The chapter as a notebook, to open inside the project: {notebooks}.*\n"
    )


def _with_tabs(text):
    """Each quote from Gluon and the quote from PyTorch behind it as three tabs; links above all quotes to their lines."""
    quotes, parts, end = list(PYTHON.finditer(text)), [], 0
    while quotes:
        quote = quotes.pop(0)
        parts.append(text[end : quote.start()])
        end = quote.end()
        twin = quotes[0] if quotes and quote["name"] and quotes[0]["name"] else None
        if twin and not text[end : twin.start()].strip():
            quotes.pop(0)
            end = twin.end()
            parts.append(_three_tabs(quote, twin))
        else:
            parts.append(f"{_links(quote)}\n\n```python\n{quote['code']}```" if quote["shared"] else quote[0])
    return "".join([*parts, text[end:]])


def _three_tabs(*pair):
    tabs = [(one["name"], f"{_links(one)}\n\n```python\n{one['code']}```") for one in pair]
    both = side_by_side(*(one["code"] for one in pair), tuple(one["name"] for one in pair))
    tabs.append((SIDE_BY_SIDE, f"{'<br>'.join(_links(one) for one in pair)}\n\n{both}"))
    return "\n\n".join(f"/// tab | {name}\n\n{content}\n\n///" for name, content in tabs)


def _links(quote):
    """Where a quote comes from: each name that it defines, linked to its line in the page of its file."""
    file = quote["file"] or (quote["shared"] and quote["shared"].split("`")[1])
    if not file:
        return ""
    links = [f"[`{file}`](code/{file}.md)"]
    lines = [line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    quoted = quote["code"].splitlines()
    for node in ast.parse(quote["code"]).body:
        number = lines.index(quoted[node.lineno - 1].strip()) + 1
        links.append(f"[`{name_of(node)}`, line {number}](code/{file}.md#__codelineno-0-{number})")
    return ", ".join(links)


def _with_folded_tables(text):
    """The text with the exercises' tables folded, each below the words that say what it shows."""
    before, heading, exercises = text.partition("\n## Exercises\n")
    exercises, next_heading, after = exercises.partition("\n## ")
    parts, end = [], 0
    for details in DETAILS.finditer(exercises):  # folded already
        parts += [TABLE.sub(_folded, exercises[end : details.start()]), details[0]]
        end = details.end()
    exercises = "".join([*parts, TABLE.sub(_folded, exercises[end:])])
    text = before + heading + exercises + next_heading + after
    return text.replace("<details>", '<details markdown="1">')


def _folded(match):
    caption = html.escape(match["caption"] or "Table", quote=False)
    return f"<details><summary>{caption}</summary>\n\n{match['table']}\n</details>\n"


def _put(docs, file):
    """A picture as it is; a file of code as a page with its lines numbered."""
    if not file.endswith(".py"):
        (docs / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, docs / file)
        return
    page = docs / "code" / f"{file}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    head = "---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n"
    code = (ROOT / file).read_text(encoding="utf-8")
    page.write_text(f'{head}# {file}\n\n````python linenums="1"\n{code}````\n', encoding="utf-8")
