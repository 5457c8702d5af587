"""Files that appear whole: JSON with a row a line."""

import errno
import json
import os

import pytest

from shared.files import write_atomically, write_rows, write_text


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [[1, 2.5], [3, None]], [{"ü": {"deep": [1]}}, {"b": "\n"}]])
def test_rows_come_back_as_they_were_each_on_a_line(tmp_path, rows):
    head = {"about": {"command": "a test", "seeds": [0, 1]}, "n": 3}
    write_rows(tmp_path / "new" / "record.json", head, "rows", rows)
    text = (tmp_path / "new" / "record.json").read_text(encoding="utf-8")
    assert json.loads(text) == head | {"rows": rows}
    assert [line.rstrip(",") for line in text.splitlines()[-2 - len(rows) : -2] if rows] == [
        f"  {json.dumps(row)}" for row in rows
    ]
    assert text.endswith(" ]\n}\n")


def test_a_number_that_json_does_not_have_is_refused_and_the_old_file_stays(tmp_path):
    write_text(tmp_path / "record.json", "old\n")
    for head, rows in (({"a": float("nan")}, []), ({"a": 1}, [{"b": float("inf")}])):
        with pytest.raises(ValueError):
            write_rows(tmp_path / "record.json", head, "rows", rows)
    assert (tmp_path / "record.json").read_text() == "old\n"
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_what_goes_wrong_while_writing_names_the_path_that_was_wanted(tmp_path):
    class LikeSafetensors(Exception):
        pass

    def full(error):
        def write(path):
            path.write_text("half")
            raise error

        return write

    words = os.strerror(errno.ENOSPC)
    for error in (OSError(errno.ENOSPC, words), LikeSafetensors(f"I/O error: {words} (os error 28)")):
        with pytest.raises(OSError) as refused:
            write_atomically(tmp_path / "weights", full(error))
        assert (refused.value.errno, refused.value.filename) == (errno.ENOSPC, str(tmp_path / "weights"))
    with pytest.raises(LikeSafetensors, match="header"):
        write_atomically(tmp_path / "weights", full(LikeSafetensors("no header")))
    assert not list(tmp_path.iterdir())
