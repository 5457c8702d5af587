"""One way down: a file imports only from its own room and the rooms above it. The table of rooms is in order.py."""

import order
import pytest
from helpers import ROOT


def test_files_import_only_from_their_room_and_those_above():
    assert len(order.graph(ROOT)) > 30
    assert order.upward(ROOT) == []


def test_no_imports_go_in_circles():
    assert order.circle(ROOT) == []


def test_only_listed_files_import_by_a_name_made_up_at_run_time():
    assert order.by_name(ROOT) == set(order.BY_NAME)


def test_no_file_of_shared_loads_a_framework_when_it_is_imported():
    assert order.frameworks_at_module_level(ROOT) == []


def test_the_product_imports_nothing_from_the_tests():
    assert order.from_tests(ROOT) == []


def test_every_init_of_shared_is_a_docstring():
    assert order.more_than_a_docstring(ROOT) == []


def test_long_files_are_listed_with_a_reason():
    assert set(order.long_files(ROOT)) == set(order.LONG)


# A tree of the right shape, and for every rule a file that breaks it.
SOUND = {
    "shared/__init__.py": '"""Shared."""\n',
    "shared/errors.py": "",
    "shared/files.py": "from shared.errors import UserError\n",
    "shared/images/__init__.py": '"""Images."""\n',
    "shared/images/feed.py": "import numpy\nfrom shared.images import views\nfrom . import splits\n",
    "shared/images/views.py": "",
    "shared/images/splits.py": "from ..files import folder\n",
    "shared/runs/__init__.py": '"""Runs."""\n',
    "shared/runs/frameworks.py": "import importlib\ndef module(f):\n    return importlib.import_module(f'{f}_impl.data')\n",
    "shared/runs/execute.py": "def go():\n    import torch\n    from gluon_impl import data\n",
    "gluon_impl/__init__.py": "",
    "gluon_impl/data.py": "import mxnet\nfrom shared.images.views import centre\n",
    "torch_impl/__init__.py": "",
    "torch_impl/data.py": "import torch\n",
    "tests/helpers.py": "",
    "tests/parity/ladder.py": "",
}
BROKEN = [
    ("upward", {"shared/images/views.py": "from shared.runs.execute import go\n"}, "shared.images.views imports"),
    (
        "upward",
        {"shared/images/views.py": "def f():\n    from shared.runs import execute\n"},
        "shared.images.views imports",
    ),
    ("upward", {"shared/images/views.py": "from ..runs import execute\n"}, "shared.images.views imports shared.runs"),
    ("upward", {"gluon_impl/data.py": "import torch_impl.data\n"}, "gluon_impl.data imports torch_impl"),
    (
        "upward",
        {"torch_impl/data.py": "def f():\n    from gluon_impl import data\n"},
        "torch_impl.data imports gluon_impl",
    ),
    ("upward", {"shared/attic/things.py": ""}, "shared.attic.things is in no room"),
    (
        "circle",
        {"shared/images/views.py": "def f():\n    from shared.images.feed import batches\n"},
        "shared.images.feed",
    ),
    ("circle", {"gluon_impl/data.py": "def f():\n    import shared.runs.frameworks\n"}, "shared.runs.frameworks"),
    ("by_name", {"shared/runs/execute.py": "from importlib import import_module as load\n"}, "shared/runs/execute.py"),
    ("by_name", {"shared/images/feed.py": "def f(name):\n    return __import__(name)\n"}, "shared/images/feed.py"),
    (
        "frameworks_at_module_level",
        {"shared/images/feed.py": "try:\n    import mxnet.np\nexcept E:\n    pass\n"},
        "imports mxnet",
    ),
    ("frameworks_at_module_level", {"shared/runs/find.py": "from torch_impl.data import f\n"}, "imports torch_impl"),
    ("from_tests", {"shared/images/feed.py": "def f():\n    from parity import ladder\n"}, "imports parity.ladder"),
    ("from_tests", {"torch_impl/data.py": "from tests.helpers import THIN\n"}, "imports tests.helpers"),
    (
        "more_than_a_docstring",
        {"shared/runs/__init__.py": '"""Runs."""\nfrom shared.runs import find\n'},
        "shared/runs/__init__.py",
    ),
    ("more_than_a_docstring", {"shared/images/__init__.py": ""}, "shared/images/__init__.py"),
    ("long_files", {"shared/runs/find.py": "a = 1\n" * 301}, "shared/runs/find.py"),
]


def tree(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("rule", "change", "said"), BROKEN)
def test_every_rule_can_be_broken(rule, change, said, tmp_path):
    sound, broken = tree(tmp_path / "sound", SOUND), tree(tmp_path / "broken", SOUND | change)
    allowed = set(order.BY_NAME) if rule == "by_name" else set()
    assert set(getattr(order, rule)(sound)) == allowed
    assert any(said in one for one in set(getattr(order, rule)(broken)) - allowed)


def test_what_is_no_code_does_not_count(tmp_path):
    file = tmp_path / "file.py"
    file.write_text(
        '"""Words\nand more."""\n\n# why\n\n\ndef f(\n    a,\n):\n    """Words."""\n    return """two\nlines"""  # three\n'
    )
    assert order.code_lines(file) == 5
