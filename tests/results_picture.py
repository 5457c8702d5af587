"""README's picture of the page of `hotdog results --html`: shared/results/pictures/results.png, of runs on the drawings.

uv run python tests/results_picture.py
"""

import sys
import tempfile
from pathlib import Path

from browser import browser, opened
from helpers import ROOT, hotdog
from PIL import Image

PICTURE = ROOT / "shared" / "results" / "pictures" / "results.png"


def take_picture(page_file: Path, path: Path):
    """Write a picture of the page's first experiment: curves, images in both frameworks, confusion matrices, mistakes."""
    with browser() as running:
        page, _ = opened(running, page_file.as_uri(), viewport={"width": 1280, "height": 1130}, color_scheme="light")
        page.evaluate("""() => { const top = document.querySelector("details").getBoundingClientRect().top;
            scrollBy({ top: top - 12, behavior: "instant" }) }""")
        page.locator("[data-scatter] .main-svg").first.wait_for()
        page.wait_for_timeout(1000)
        page.screenshot(path=path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main():
    with tempfile.TemporaryDirectory() as temporary:
        out, page_file = Path(temporary) / "runs", Path(temporary) / "page.html"
        for command in (
            ("run", "finetune", "--seed", 0, "--seed", 1, "--seed", 2, "--out", out),
            ("results", out, "--html", page_file),
        ):
            done = hotdog(*command)
            if done.returncode:
                sys.exit(done.stderr)
        take_picture(page_file, PICTURE)


if __name__ == "__main__":
    main()
