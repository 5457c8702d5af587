"""The page of `hotdog results --html` in a real browser: it opens, sorts, filters, draws, in light and dark, wide and narrow."""

import time

import browser
import numpy as np
import pytest
from helpers import write_images
from made_runs import CLASSES, record, said
from PIL import Image

from shared.images.folders import load_dataset
from shared.runs.record import read_runs
from shared.runs.results_page import write_page

EVIL = "<b>bold</b> %{y} <script>document.title = 'owned'</script>"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page of three experiments with two seeds, one of them with a name that is a script, and a run that diverged."""
    folder = tmp_path_factory.mktemp("page")
    write_images(folder / "pictures", {(s, c): n for s, n in (("train", 3), ("test", 20)) for c in CLASSES}, size=64)
    dataset = load_dataset(str(folder / "pictures"))
    images = list(zip(dataset.test.names, dataset.test.labels, strict=True))
    labels, about = [label for _, label in images], {"fingerprint": dataset.fingerprint, "train": 6}
    for name, last in (("finetune", 0.9), ("scratch", 0.7), ("hotdog-row", 0.95)):
        row = {"row": 3, "row_label": EVIL} if name == "hotdog-row" else {}
        for seed in (0, 1):
            for framework, change in (("gluon", 0.0), ("torch", 0.3)):
                p = said(labels, seed, sharpness=2 - change)
                accuracies = (0.5, last - 0.1, last + seed / 50)
                about |= {"classes": list(CLASSES)}
                record(
                    folder / "runs", name, framework, seed, accuracies, images=images, p=p, dataset=about, source=row
                )
    record(folder / "runs", "frozen", accuracies=(0.5, 0.4), status="diverged", error="Diverged: too fast")
    return write_page(read_runs(folder / "runs"), folder / "page.html", [folder / "pictures"])


def column(page, table, number):
    return page.eval_on_selector_all(
        f"{table} tbody tr:not([hidden]) > :nth-child({number})", "all => all.map(e => e.textContent)"
    )


def wait_for_figures(page):
    page.locator("#overview").scroll_into_view_if_needed()  # it is drawn when it is seen
    page.locator("#overview .main-svg").first.wait_for(timeout=20_000)


def wait_for(page, expression):
    """Until `expression` is true. Playwright's own wait evaluates text inside of the page, which the page does not allow."""
    deadline = time.monotonic() + 10
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(50)


def test_in_a_browser(page_file):
    with browser.browser() as running:
        page, wrong = browser.opened(running, page_file.as_uri(), viewport={"width": 1600, "height": 1000})
        wait_for_figures(page)
        assert page.title().startswith("Hot dog, twice") and not page.locator("h3 b").count()
        # every figure is drawn once it is seen, with the lines that belong there
        while (closed := page.locator("details:not([open]) > summary")).count():
            closed.first.click()
        for figure in page.locator(".figure").all():
            figure.scroll_into_view_if_needed()
            page.wait_for_timeout(150)
        assert page.locator(".figure:not(.js-plotly-plot)").count() == 0
        overview = page.eval_on_selector("#overview", "one => one.data.filter(t => t.mode === 'lines+markers').length")
        assert overview == 7  # three experiments and two frameworks, and the run that diverged
        drawn = page.eval_on_selector("[data-scatter='0']", "one => one.data.reduce((sum, t) => sum + t.x.length, 0)")
        assert drawn == 2 * 40
        # the legend shows a name from outside as it stands
        legend = page.eval_on_selector_all("#overview .legendtext", "all => all.map(e => e.textContent)")
        assert f"hotdog-row 3 ({EVIL})" in legend and not page.locator("#overview .legendtext b").count()
        # so does what is shown where the pointer is
        last = page.eval_on_selector("#overview", "one => one.data.findLastIndex(t => t.name.startsWith('hotdog-row'))")
        page.evaluate(
            f"Plotly.Fx.hover(document.getElementById('overview'), [{{curveNumber: {last}, pointNumber: 2}}])"
        )
        (hover,) = page.eval_on_selector_all("#overview .hovertext", "all => all.map(e => e.textContent)")
        assert hover == f"hotdog-row 3 ({EVIL}), PyTorchepoch 2: test accuracy 0.9600 ± 0.014mean of 2 seeds"
        # another curve
        page.locator("#curves").scroll_into_view_if_needed()
        page.get_by_label("training loss").check()
        wait_for(page, "document.getElementById('overview').layout.yaxis.title.text === 'training loss'")
        # sorting: by number and by text, up and down, as screen readers are told
        head = page.locator("#all-runs thead th", has_text="test accuracy")
        assert head.get_attribute("aria-sort") is None
        head.get_by_role("button").click()
        numbers = [float(text) for text in column(page, "#all-runs", 8)]
        assert head.get_attribute("aria-sort") == "ascending" and numbers == sorted(numbers) and len(numbers) == 13
        head.get_by_role("button").press("Enter")
        numbers = [float(text) for text in column(page, "#all-runs", 8)]
        assert head.get_attribute("aria-sort") == "descending" and numbers == sorted(numbers)[::-1]
        page.locator("#all-runs thead th", has_text="experiment").get_by_role("button").click()
        names = column(page, "#all-runs", 1)
        assert [name.split()[0] for name in names] == ["finetune"] * 4 + ["frozen"] + ["hotdog-row"] * 4 + [
            "scratch"
        ] * 4
        assert page.locator("#all-runs [aria-sort]").count() == 1
        # filtering
        page.get_by_label("Only rows with").fill("scratch PyTorch")
        assert set(column(page, "#all-runs", 2)) == {"PyTorch"} and page.inner_text("#shown") == "2 of 13 runs"
        assert browser.violations(page) == []
        assert wrong == []


@pytest.mark.parametrize(("width", "scheme"), [(420, "dark"), (420, "light"), (1000, "dark")])
def test_narrow_and_dark(page_file, width, scheme):
    with browser.browser() as running:
        page, wrong = browser.opened(
            running, page_file.as_uri(), viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        wait_for_figures(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "only boxes scroll sideways"
        figure = page.locator("#overview")
        figure.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        letters = page.evaluate("getComputedStyle(document.querySelector('#overview .xtick text')).fill")
        light = np.array([int(n) for n in letters.removeprefix("rgb(").rstrip(")").split(",")]).mean()
        assert (light > 128) == (scheme == "dark")
        assert browser.violations(page) == [] and wrong == []


def test_the_scheme_can_change_while_the_page_is_open(page_file):
    with browser.browser() as running:
        page, wrong = browser.opened(running, page_file.as_uri(), color_scheme="light")
        wait_for_figures(page)
        before = page.evaluate("document.getElementById('overview').layout.font.color")
        page.emulate_media(color_scheme="dark")
        wait_for(page, f"document.getElementById('overview').layout.font.color !== {before!r}")
        assert wrong == []


def test_thumbnails_are_the_pictures(page_file, tmp_path):
    with browser.browser() as running:
        page, _ = browser.opened(running, page_file.as_uri())
        sizes = page.eval_on_selector_all("details[open] .cards img", "all => all.map(e => [e.naturalWidth, e.alt])")
        assert len(sizes) > 10 and all(width >= 64 and alt.startswith("test image ") for width, alt in sizes)
        page.locator("details[open] .cards img").first.screenshot(path=tmp_path / "one.png")
        name = page.locator("details[open] .cards .name").first.inner_text()
        red, _, blue = np.asarray(Image.open(tmp_path / "one.png").convert("RGB"), dtype=float)[10:-10, 10:-10].mean(
            (0, 1)
        )
        assert (red > blue) == name.startswith("hotdog/")
