"""What is handed out: names, version, what is in the archives, and what stands in the way of a foreign package named `shared`."""

import os
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution

import pytest
from helpers import ROOT

from shared.runs.machine import package_versions
from shared.version import DISTRIBUTION, VERSION

CALL = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'hotdog'; import hotdog_twice; hotdog_twice.main()"
)


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The wheel and the source archive of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    for target in ("wheel", "sdist"):
        command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


@pytest.fixture(scope="module")
def installed(archives, tmp_path_factory):
    """A folder that holds what the wheel installs."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(archives[0]) as wheel:
        wheel.extractall(folder)
    return folder


def call(site, *arguments, path="", cwd=None):
    """What `hotdog`, as installed in `site`, answers; `path` comes before it on sys.path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = CALL if not path else CALL.replace("import hotdog", f"sys.path.insert(0, {str(path)!r}); import hotdog", 1)
    return subprocess.run(
        [sys.executable, "-c", code, str(site), *arguments], capture_output=True, text=True, cwd=cwd, env=environment
    )


def test_the_version_is_written_once():
    ours = distribution(DISTRIBUTION)
    assert ours.version == VERSION
    assert [e.value for e in ours.entry_points if e.name == "hotdog"] == ["hotdog_twice:main"]
    assert package_versions()[DISTRIBUTION] == VERSION


def test_archives_hold_the_program_and_no_records(archives):
    wheel, source = archives
    with zipfile.ZipFile(wheel) as file:
        in_wheel = {name for name in file.namelist() if ".dist-info/" not in name}
    with tarfile.open(source) as file:
        in_source = {name.split("/", 1)[1] for name in file.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    code = {n for n in tracked if n.startswith(("shared/", "gluon_impl/", "torch_impl/", "hotdog_twice.py"))}
    code = {name for name in code if not name.startswith("shared/results/")}
    assert code <= in_wheel and code <= in_source
    assert not [name for name in in_wheel | in_source if "results/" in name or name.endswith(("run.json", ".pyc"))]
    assert in_wheel - set(tracked) <= {name for name in in_wheel if name.endswith(".py")}  # not yet committed
    assert {"README.md", "LICENSE", "chapter.md", "pyproject.toml"} <= in_source
    assert max(wheel.stat().st_size, source.stat().st_size) < 5e6


def test_what_is_installed_answers(installed, tmp_path):
    done = call(installed, "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{DISTRIBUTION} {VERSION}\n", "")
    done = call(installed, "--help", cwd=tmp_path)
    assert done.returncode == 0 and "Usage: hotdog" in done.stdout
    for command in ("notebook", "pictures"):  # made of files that only the repository has
        done = call(installed, command, cwd=tmp_path)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and str(installed) in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["shared", "gluon_impl", "torch_impl"])
@pytest.mark.parametrize("kind", ["package", "file"])
def test_a_foreign_package_of_that_name_is_named_in_one_line(package, kind, installed, tmp_path):
    if kind == "package":
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise RuntimeError('foreign code ran')")
    else:
        (tmp_path / f"{package}.py").write_text("raise RuntimeError('foreign code ran')")
    done = call(installed, "--help", path=tmp_path)
    assert done.returncode == 2 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert str(tmp_path / package) in line and str(installed) in line and "PYTHONPATH" in line


def test_folders_of_that_name_in_the_working_directory_do_not_matter(installed, tmp_path):
    for name in ("shared", "gluon_impl", "torch_impl"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('foreign code ran')")
    assert call(installed, "--version", cwd=tmp_path).stdout == f"{DISTRIBUTION} {VERSION}\n"
    (tmp_path / "bare" / "shared").mkdir(parents=True)  # no package, just a folder, even where Python looks first
    assert call(installed, "--version", path=tmp_path / "bare").stdout == f"{DISTRIBUTION} {VERSION}\n"


def test_files_that_another_project_overwrote_are_named_in_one_line(archives, tmp_path):
    with zipfile.ZipFile(archives[0]) as wheel:
        wheel.extractall(tmp_path)
    (tmp_path / "shared" / "errors.py").unlink()
    done = call(tmp_path, "--help")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and "shared.errors is missing" in line
