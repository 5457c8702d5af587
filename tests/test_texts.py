"""README.md and chapter.md say what the code and the records say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


TEXTS = ("README.md", "chapter.md")


@pytest.mark.parametrize("text", TEXTS)
def test_generated_parts_are_fresh(text):
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "-I", str(ROOT), text],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"run `uv run cog -r README.md chapter.md`\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("text", TEXTS)
def test_every_picture_and_file_that_is_linked_is_there(text):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / text).read_text(encoding="utf-8"))
    assert targets
    for target in targets:
        assert (ROOT / target).is_file(), target


def test_quoting_code_and_drawing_curves_load_neither_a_framework_nor_statistics():
    # curves are drawn in both frameworks' processes, and a second of imports is paid in each
    rooms = (
        "shared.book.quotes",
        "shared.book.notebook",
        "shared.book.diagrams",
        "shared.runs.curves",
        "shared.exercises.index",
    )
    slow = {"scipy", "statsmodels", "pandas", "matplotlib.pyplot", "mxnet", "torch"}
    code = f"import sys, {', '.join(rooms)}; print(*sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")


@pytest.mark.parametrize("text", TEXTS)
def test_no_value_is_printed_as_python_would(text):
    """A dataclass, an enumeration or an array that got into a sentence."""
    outside = re.sub(r"```.*?```|`[^`]*`", "", (ROOT / text).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"\b[A-Z]\w+\(\w+=|<[A-Z]\w+\.\w+:|\bnp\.float|\bnan\b", outside)
