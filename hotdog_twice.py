"""Where the `hotdog` command starts: it makes sure that the packages it will import are this project's, then calls it.

`shared` is a common name. Where a foreign package of that name comes first, an import error from its depths would say nothing.
"""

import importlib.util
import sys
from pathlib import Path

PACKAGES = ("shared", "gluon_impl", "torch_impl")


def main():
    """Run the `hotdog` command; exit with 2, and a line that says what to do, where a foreign package is in its way."""
    here = Path(__file__).resolve().parent
    for package in PACKAGES:
        found = _folder_of(package)
        if found != here / package:
            _refuse(f"its package {package} lies in {here}, but Python finds {found or 'none'} first")
    try:
        from shared.command.__main__ import main as command
    except ModuleNotFoundError as missing:
        if missing.name and missing.name.split(".")[0] in PACKAGES:
            _refuse(f"{missing.name} is missing in {here}; another project may have overwritten it")
        raise
    command()


def _folder_of(package):
    spec = importlib.util.find_spec(package)
    places = spec and (spec.submodule_search_locations or [spec.origin])  # a folder, or a single file of that name
    return Path(next(iter(places))).resolve() if places else None


def _refuse(what):
    line = f"hotdog: {what}: take the other off PYTHONPATH, or install this project in an environment of its own"
    print("".join(c if c.isprintable() else repr(c)[1:-1] for c in line), file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
