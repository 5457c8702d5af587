"""What is printed fits the console, whole words and numbers, and goes out whatever the console is."""

import os
import re
import subprocess
import sys

import pytest
from helpers import ROOT

from shared.command import console
from shared.runs.record import read_runs
from shared.runs.tables import epochs_table, results_table

RUNS = read_runs(ROOT / "shared" / "results" / "default")
TABLES = {
    "epochs": epochs_table(RUNS),
    "results": results_table(RUNS),
    "names from outside": (["class", "名前"], [["a\x1b[31m", "日本語"], ["x:mug: [red]y[/red]", "two\nlines"]]),
}


@pytest.fixture
def printed(monkeypatch, capsys):
    """A function (columns, header, rows) that gives the lines of a table printed on a console that many columns wide."""

    def show(columns, header, rows):
        monkeypatch.setenv("COLUMNS", str(columns))
        console._console.cache_clear()
        console.print_table(header, rows)
        return capsys.readouterr().out.splitlines()

    yield show
    console._console.cache_clear()


def words(text):
    return re.findall(r"\S+", re.sub(r"[─━┏┓┗┛┃│┡┩├┤└┘┬┴┼╇┳]", " ", text))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("columns", (1, 60, 80, 100, 160))
def test_no_word_or_number_is_split_or_lost(printed, name, columns):
    header, rows = TABLES[name]
    lines = printed(columns, header, rows)
    shown = words("\n".join(lines))
    for cell in [*header, *(cell for row in rows for cell in row)]:
        for word in words(console.printable(cell)):
            assert word in shown, word
    longest = max(len(word) for cell in [*header, *sum(rows, [])] for word in words(console.printable(cell)))
    assert max(map(len, lines)) <= max(columns, longest + 2, console.LEAST)


def test_a_table_is_whole_where_it_fits_wrapped_where_words_fit_and_in_blocks_else(printed):
    header, rows = TABLES["results"]
    whole, wrapped, stacked = (printed(columns, header, rows) for columns in (160, 100, 60))
    assert len([line for line in whole if line.startswith("│")]) == len(rows)
    assert wrapped[0].startswith("┏") and len(wrapped) > len(whole)
    assert [line for line in stacked if line.startswith("experiment")] == [f"experiment   {row[0]}" for row in rows]
    assert f"Gluon        {rows[0][4]}" in stacked


def test_in_blocks_an_empty_first_cell_is_the_one_above(printed):
    header, rows = TABLES["epochs"]
    stacked = printed(60, header, rows)
    assert sum(line.startswith("experiment  ") for line in stacked) == len(rows)
    assert stacked.count(f"experiment  {rows[0][0]}") == 2


def test_names_from_outside_are_shown_as_they_are_or_as_their_escapes(printed, capsys):
    text = "\n".join(printed(80, *TABLES["names from outside"]))
    for name in (r"a\x1b[31m", "x:mug: [red]y[/red]", r"two\nlines", "日本語"):
        assert name in text
    console.say("runs/[bold]\x1b]0;title\x07:mug:\u202e")
    assert capsys.readouterr().out == "runs/[bold]\\x1b]0;title\\x07:mug:\\u202e\n"


STREAMS = "from shared.streams import steady; steady(); import sys; "


def python(code, after="", **environment):
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; "{sys.executable}" -c "$CODE" {after}'], capture_output=True, cwd=ROOT,
        env={**os.environ, "CODE": STREAMS + code, **environment},
    )  # fmt: skip


@pytest.mark.parametrize("after", ("| true", ">&-", "> /dev/full", "2>&- >&-", "<&- >&- 2>&-"))
def test_what_cannot_be_written_is_dropped(after):
    done = python(
        "import time; time.sleep(.2)\nfor i in range(9999): print(i, flush=True)\nprint(1, file=sys.stderr)", after
    )
    assert done.returncode == 0 and done.stderr in (b"", b"1\n")


def test_a_file_does_not_get_what_is_printed_on_a_closed_console(tmp_path):
    code = f"file = open('{tmp_path}/x', 'w'); print('printed'); file.write('written'); file.close()"
    assert python(code, ">&-").returncode == 0
    assert (tmp_path / "x").read_text() == "written"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", b"0.5 -> 0.7 x 10 ... \\u65e5 \\xe9 \\udcff\n"),
        ("latin-1", b"0.5 -> 0.7 \xd7 10 ... \\u65e5 \xe9 \\udcff\n"),
        ("utf-8", "0.5 → 0.7 × 10 … 日 é \\udcff\n".encode()),
    ],
)
def test_what_the_encoding_has_not_is_written_plainer(encoding, shown):
    code = r"print('0.5 \u2192 0.7 \xd7 10 \u2026 \u65e5 \xe9 \udcff')"
    assert python(code, PYTHONIOENCODING=encoding).stdout == shown


def test_a_pipe_that_is_full_is_waited_for():
    code = "import os; os.set_blocking(1, False)\nfor i in range(30000): print(i)"
    done = python(code, "| (sleep 1; cat)")
    assert done.stdout.split() == [str(i).encode() for i in range(30000)]
