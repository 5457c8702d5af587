"""A real browser for tests of pages: Debian's Chromium, without a window, driven by Playwright.

    uv run python tests/browser.py

takes README's picture of the page: shared/results/pictures/book.png.
"""

import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def browser(*arguments):
    """A running Chromium, with more arguments; the test is skipped where there is none (`.ci/run` installs it where it can)."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium refuses its own sandbox to root, who runs the tests in a container; the pages are our own.
        running = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", *arguments]
        )
        yield running
        running.close()


def opened(running, address, allowed=("file:", "data:", "blob:"), **options):
    """A new page at `address`, and the list of what went wrong there: console errors, exceptions, requests to elsewhere."""
    page, wrong = running.new_page(**options), []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(allowed) else wrong.append(request.url))
    page.goto(str(address))
    return page, wrong


def violations(page, allowed=()):
    """What axe-core finds wrong with a page for people who use a keyboard or a screen reader, or see little contrast."""
    from axe_playwright_python.sync_playwright import Axe

    # preload: axe-core would fetch style sheets, which a page from the file system may not
    found = Axe().run(page, options={"preload": False}).response["violations"]
    return [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["id"] not in allowed]


def take_picture(folder, path):
    """Write a picture of the page in `folder`: two functions side by side."""
    with browser() as running:
        page, _ = opened(running, (folder / "index.html").as_uri(), viewport={"width": 1280, "height": 860})
        page.get_by_text("side by side", exact=True).first.click()
        page.evaluate("""() => { const top = document.getElementById("frozen-features").getBoundingClientRect().top;
            scrollBy({ top: top - 10, behavior: "instant" }) }""")
        page.wait_for_timeout(1500)  # the header follows
        saved(page, path)


def saved(page, path, colours=64):
    """Write what the page shows as a small PNG."""
    page.screenshot(path=path)
    with Image.open(path) as picture:
        small = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=colours)
    small.save(path, optimize=True)


if __name__ == "__main__":
    root = Path(__file__).parent.parent
    sys.path.insert(0, str(root))
    from shared.book.site import write_site

    with tempfile.TemporaryDirectory() as temporary:
        write_site(Path(temporary) / "book")
        take_picture(Path(temporary) / "book", root / "shared" / "results" / "pictures" / "book.png")
