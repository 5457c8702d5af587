"""The chapter as a notebook: all its code runs in order, in either framework, and what a reader edits is what runs."""

import ast
import codeop
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers import hotdog
from nbclient import NotebookClient

from shared.book.notebook import LEFT_OUT, chapter_notebook, write_notebook
from shared.command.__main__ import main
from shared.errors import UserError
from shared.images.folders import load_dataset
from shared.runs.frameworks import FRAMEWORKS

ROOT = Path(__file__).parent.parent
CHAPTER = (ROOT / "chapter.md").read_text(encoding="utf-8")
INSIDE = LEFT_OUT.sub("", CHAPTER)  # what a notebook is made of
FOREIGN = {"gluon": r"torch|\bv2\b", "torch": r"mxnet|gluon_impl|\bnpx\b"}

each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


def code_cells(framework):
    return [cell.source for cell in chapter_notebook(framework).cells if cell.cell_type == "code"]


def quoted():
    """(module, function) of all that chapter.md has cog quote from both implementations, in its order."""
    calls = re.findall(r'quotes\.pair\("(\w+)", ([^)]+)\)', INSIDE)
    return [(module, name) for module, names in calls for name in re.findall(r'"(\w+)"', names)]


def usage_blocks():
    """The chapter's Python code that belongs to neither framework and is quoted from no file."""
    parts = re.split(r"^```(\w*)\n(.*?)^```$", INSIDE, flags=re.MULTILINE | re.DOTALL)
    found = zip(parts[::3], parts[1::3], parts[2::3], strict=False)
    return [code for above, kind, code in found if kind == "python" and not re.search(r"(\*\*|\]\(\S+\))\n\n$", above)]


def bound(code):
    """{name: what it is bound to} for the names that a cell binds; its own definitions are bound to something unique."""
    names = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = getattr(node, "module", "")
            names |= {alias.asname or alias.name: (origin, alias.name) for alias in node.names}
        elif hasattr(node, "name"):
            names[node.name] = node
        else:
            stored = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
            names |= dict.fromkeys(stored, node)
    return names


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of its own with the images drawn, and no kernel in sight but this interpreter's."""
    folder = tmp_path_factory.mktemp("notebooks")
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "Python 3"}
    (folder / "jupyter" / "kernels" / "python3").mkdir(parents=True)
    (folder / "jupyter" / "kernels" / "python3" / "kernel.json").write_text(json.dumps({**spec, "language": "python"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOTDOG_CACHE", str(folder / "cache"))
        patch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("OMP_NUM_THREADS", "1")  # both notebooks run at once
        load_dataset("mini")
        yield folder


@pytest.fixture(scope="module")
def executed(folder):
    """Both notebooks, executed from top to bottom at the same time: {framework: future}."""
    (folder / "notebooks").mkdir()

    def execute(framework):
        cells = chapter_notebook(framework, folder / "notebooks")
        return NotebookClient(cells, timeout=300, resources={"metadata": {"path": folder / "notebooks"}}).execute()

    with ThreadPoolExecutor() as pool:
        yield {framework: pool.submit(execute, framework) for framework in FRAMEWORKS}


@each_framework
def test_all_code_of_the_chapter_runs_in_order_and_shows_what_the_chapter_says(executed, framework):
    cells = [cell for cell in executed[framework].result().cells if cell.cell_type == "code"]

    def printed(snippet):
        (cell,) = [cell for cell in cells if re.search(snippet, cell.source, re.MULTILINE)]
        return "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stdout")

    def accuracies(snippet):
        return [float(number) for number in re.findall(r"test accuracy (\d\.\d+)", printed(snippet))]

    assert "1000 training images, 400 test images" in printed(r"^dataset = ")
    assert "images: (32, 3, 64, 64) classes: (32,)" in printed(r"^X, y = ")
    assert "(33, 128) then (2, 128)" in printed(r"^old = ")
    assert "same features: True" in printed(r"^old = ")
    finetune, scratch = accuracies(r"^train\(net, finetune\)"), accuracies('^train.*"scratch"')
    frozen = accuracies('^train.*"frozen"')
    assert len(finetune) == len(scratch) == len(frozen) == 6
    assert finetune[-1] > 0.75
    assert sum(finetune[1:]) > sum(scratch[1:])
    assert frozen[-1] > 0.6
    assert "changed: output.weight, output.bias\n" in printed('^train.*"frozen"')
    (before,) = accuracies(r"^reuse_row\(")
    assert before > 0.6  # 400 images: chance is 0.5 with a standard deviation of 0.025
    start, after = accuracies(r"^train\(net, settings\)")
    assert start == before and after > 0.7


# One epoch of two batches, so that what the training calls is called too.
SHORTENED = """
import dataclasses, itertools
experiment = dataclasses.replace(experiment, num_epochs=1)
train_batches, test_batches = (list(itertools.islice(batches, 2)) for batches in (train_batches, test_batches))
"""


@each_framework
def test_a_function_that_is_edited_in_its_cell_is_the_one_that_runs(folder, framework):
    names, called = {name for _, name in quoted()}, set()
    space = {"__name__": "__main__", "called": called}
    for code in code_cells(framework):
        tree = ast.parse(code)
        for node in tree.body:
            if getattr(node, "name", None) in names:
                shortened = SHORTENED if node.name == "train_fine_tuning" else ""
                node.body = ast.parse(f"called.add({node.name!r})\n{shortened}").body + node.body
        exec(compile(ast.fix_missing_locations(tree), framework, "exec"), space)
    assert called == names


@each_framework
def test_every_function_of_the_implementation_is_defined_once_the_quoted_ones_in_the_chapters_order(framework):
    definitions = [
        name for code in code_cells(framework) for name, to in bound(code).items() if isinstance(to, ast.stmt)
    ]
    for module in ("data", "nets", "training"):
        for node in ast.parse((ROOT / f"{framework}_impl" / f"{module}.py").read_text(encoding="utf-8")).body:
            if hasattr(node, "name"):
                assert definitions.count(node.name) == 1, node.name
    names = [name for _, name in quoted()]
    assert len(names) == len(set(names)) > 5
    assert [name for name in definitions if name in names] == names
    assert definitions.index("train_iter") < definitions.index("image_folder")  # the rest of a file comes first


@each_framework
def test_no_cell_takes_a_name_away_from_another(framework):
    usage, meaning = set(usage_blocks()), {}
    for code in code_cells(framework):
        for name, to in bound(code).items():
            if f"{code}\n" not in usage:
                assert meaning.setdefault(name, to) == to, name
    for code in usage:
        assert not set(bound(code)) & set(meaning)


@each_framework
def test_the_code_is_one_frameworks_and_the_text_is_the_chapters(framework):
    cells = chapter_notebook(framework).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    for source in code:
        assert not re.search(FOREIGN[framework], source), source
        assert not source.startswith('"'), "the docstring of a file"
    assert [c for c in code if f"{c}\n" in usage_blocks()] == [c.strip() for c in usage_blocks()]
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert "[[[" not in text and "#region" not in text
    assert "uv run python" in CHAPTER and "uv run python" not in text  # said of chapter.md only
    kept = LEFT_OUT.sub("", CHAPTER)
    chapter = re.sub(r"^```.*?^```$|<!--.*?-->", "", kept, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^#.*", prose, re.MULTILINE) == re.findall(r"^#.*", chapter, re.MULTILINE)
    sentences = [line for line in chapter.splitlines() if line and "](" not in line and not line.startswith("**")]
    place = 0
    for line in sentences:
        place = text.index(line, place) + len(line)
    shared = re.findall(r"^\[`(shared/\S+)`\]\(\S+\)\n\n(```python\n.*?^```)", INSIDE, re.MULTILINE | re.DOTALL)
    assert shared
    for file, block in shared:
        assert f"[`{file}`](../{file})\n\n{block}" in text


@pytest.mark.parametrize("place", ["notebooks", "elsewhere"])
def test_links_and_pictures_work_from_the_notebooks_folder(place, tmp_path):
    folder = ROOT / "notebooks" if place == "notebooks" else tmp_path
    text = "\n".join(c.source for c in chapter_notebook("torch", folder).cells if c.cell_type == "markdown")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert any(target.endswith(".png") for target in targets)
    for target in targets:
        assert Path(os.path.normpath(folder / target)).is_file(), target


def test_the_code_that_uses_the_functions_can_be_pasted_at_a_prompt():
    assert len(usage_blocks()) > 5
    for code in usage_blocks():
        assert max(map(len, code.splitlines())) <= 88
        entered = []
        for line in [*code.splitlines(), ""]:  # a SyntaxError here: a blank line ends what is indented, and only that
            entered.append(line)
            if codeop.compile_command("\n".join(entered)) is not None:
                entered = []
        assert not entered


def test_the_command_writes_both_notebooks_and_says_where(tmp_path):
    done = hotdog("notebook", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Notebook: notebooks/chapter-gluon.ipynb\nNotebook: notebooks/chapter-torch.ipynb\n"
    for framework in FRAMEWORKS:
        file = tmp_path / "notebooks" / f"chapter-{framework}.ipynb"
        made = json.loads(file.read_text(encoding="utf-8"))
        assert not any(cell.get("outputs") for cell in made["cells"])
        assert made["metadata"]["kernelspec"]["name"] == "python3"
        assert made["cells"][0]["source"][0] == CHAPTER.splitlines()[0] + "\n"
        assert (
            write_notebook(framework, tmp_path / "again").read_bytes()
            == write_notebook(framework, tmp_path / "again").read_bytes()
        )


def test_a_notebook_that_was_run_is_made_anew_and_one_that_was_changed_is_kept(tmp_path):
    path = write_notebook("torch", tmp_path)
    made = json.loads(path.read_text(encoding="utf-8"))
    cell = next(cell for cell in made["cells"] if cell["cell_type"] == "code")
    cell |= {"execution_count": 1, "outputs": [{"output_type": "stream", "name": "stdout", "text": ["run\n"]}]}
    path.write_text(json.dumps(made), encoding="utf-8")
    assert '"run\\n"' not in write_notebook("torch", tmp_path).read_text(encoding="utf-8")
    cell["source"].append("\n# mine")
    path.write_text(json.dumps(made), encoding="utf-8")
    with pytest.raises(UserError, match="chapter-torch.ipynb has changed cells"):
        write_notebook("torch", tmp_path)
    path.write_text("not a notebook", encoding="utf-8")
    with pytest.raises(UserError, match="chapter-torch.ipynb"):
        write_notebook("torch", tmp_path)
    assert path.read_text(encoding="utf-8") == "not a notebook"


def test_without_the_chapter_there_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("shared.book.notebook.CHAPTER", tmp_path / "chapter.md")
    monkeypatch.setattr(sys, "argv", ["hotdog", "notebook", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert re.fullmatch(r"hotdog: no such file: \S+chapter.md \(.+\)\n", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
