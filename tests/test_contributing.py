"""CONTRIBUTING.md and SECURITY.md say what is there: rooms in their order, files, options of the environment."""

import re

import order
import pytest
from helpers import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_table_of_rooms_is_the_one_that_the_tree_is_held_to():
    table = TEXT.split("| room | what belongs there |", 1)[1].split("\n\n", 1)[0]
    named = [re.findall(r"`([^`]+)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    places = [path.rstrip("/").removesuffix(".py").replace("/", ".") for line in named for path in line]
    wanted = [name for room in order.ROOMS for name in room]
    ground_floor = order.ROOMS[0]
    assert [p for p in places if p not in ground_floor] == [w for w in wanted if w not in ground_floor]
    assert len([p for p in places if p in ground_floor]) >= 3 and places[0] in ground_floor


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_every_file_that_is_named_is_there(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:shared|tests|gluon_impl|torch_impl)/[\w/.-]*|\w+\.(?:md|py))`", text)
    assert len(paths) >= (20 if name == "CONTRIBUTING.md" else 1)
    made_up = ("rNN_name", "NAME.py")  # what a recipe is about to make
    beside = [ROOT, *(p for p in (ROOT / "shared").iterdir() if p.is_dir()), ROOT / "gluon_impl", ROOT / "shared"]
    for path in paths:
        if not any(word in path for word in made_up):
            assert any((folder / path).exists() for folder in beside), path


def test_every_result_that_is_kept_has_a_line():
    """The folders and files of shared/results, each with the command that makes it."""
    table = TEXT.split("| folder or file | made by |", 1)[1].split("\n\n", 1)[0]
    named = re.findall(r"`([\w*.-]+)/?`", "".join(line.split("|")[1] for line in table.splitlines()[2:]))
    for path in (ROOT / "shared" / "results").iterdir():
        assert any(path.match(pattern) for pattern in named), path.name


def test_every_option_of_the_environment_is_named():
    read = set()
    for folder in ("shared", "gluon_impl", "torch_impl", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            read |= set(re.findall(r"[\"'](HOTDOG_[A-Z]+)[\"']", file.read_text(encoding="utf-8")))
    assert read and read <= set(re.findall(r"\bHOTDOG_[A-Z]+\b", TEXT))
