"""`hotdog book`: what the page says, and what a real browser makes of it, from the file system."""

import re
from html import unescape
from html.parser import HTMLParser

import browser
import pytest
from helpers import ROOT, hotdog
from markdown_it import MarkdownIt

from shared.book.notebook import CHAPTER, COG_MARKER, PYTHON
from shared.book.side_by_side import aligned, side_by_side
from shared.book.site import page_text

TEXT = CHAPTER.read_text(encoding="utf-8")
QUOTES = [match for match in PYTHON.finditer(TEXT) if match["name"]]
PAIRS = list(zip(QUOTES[::2], QUOTES[1::2], strict=True))
CORNER = "empty-table-header"  # the corner cell of a table with names on both sides may be empty


# --- side by side ---


def columns(table):
    """The rows of a table of `side_by_side`: (class, left line, right line), None where a side has none."""
    rows = []
    for kind, cells in re.findall(r'<tr role="row" class="(\w+)">(.*?)</tr>', table, re.DOTALL):
        cells = re.findall(r'<td role="cell" class="(\w+)"[^>]*>(.*?)</td>', cells, re.DOTALL)
        texts = [
            None if c == "none" else unescape(re.sub(r"<[^>]+>", "", t)).removeprefix("differs: ") for c, t in cells
        ]
        rows.append((kind, *texts))
    return rows


@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_a_pair_side_by_side_is_both_texts_line_by_line(number):
    left, right = (quote["code"] for quote in PAIRS[number])
    rows = columns(side_by_side(left, right, ("Gluon", "PyTorch")))
    for text, column in ((left, 1), (right, 2)):
        assert [row[column] for row in rows if row[column] is not None] == text.rstrip("\n").split("\n")
    assert all((kind == "same") == (a == b) for kind, a, b in rows)
    assert any(kind == "same" and a.startswith("def ") for kind, a, _ in rows) or "import" in left


def test_lines_that_are_alike_stand_beside_each_other_and_the_words_that_differ_are_marked():
    left = "def f(x):\n    y = np.dot(x, x)\n    return y\n"
    right = "def f(x):\n    print(1)\n    y = torch.dot(x, x)\n    return y\n"
    assert aligned(left.split("\n"), right.split("\n")) == [(0, 0), (None, 1), (1, 2), (2, 3), (3, 4)]
    table = side_by_side(left, right, ("a", "b"))
    marked = [unescape(re.sub(r"<[^>]+>", "", one)) for one in re.findall(r"<mark>(.*?)</mark>", table)]
    assert marked == ["np", "torch"]


@pytest.mark.parametrize(("left", "right"), [("", "x = 1\n"), ("a = '<b>&'\n", "a = '<b>&'\n"), ("\n\nx\n", "x\n")])
def test_empty_sides_and_signs_that_html_uses(left, right):
    rows = columns(side_by_side(left, right, ("a", "b")))
    # Pygments drops empty lines in front, which no quote has
    assert [row[2] for row in rows if row[2] is not None] == right.rstrip("\n").split("\n")


# --- the Markdown that the builder is given ---


def test_every_pair_is_three_tabs_and_every_quote_is_linked_to_its_line():
    text, files = page_text(TEXT)
    assert text.count("/// tab | Gluon") == text.count("/// tab | side by side") == len(PAIRS) > 4
    links = re.findall(r"\[`(\w+)`, line (\d+)\]\(code/(.+?)\.md#__codelineno-0-(\d+)\)", text)
    assert len(links) > 20
    for name, number, file, place in links:
        line = (ROOT / file).read_text(encoding="utf-8").splitlines()[int(number) - 1]
        assert number == place and re.match(rf"\s*(def |class )?{name}\b", line), (name, file, number)
        assert file in files


# --- the page ---


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "book"
    done = hotdog("book", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


class Counted(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "pair" not in (attributes.get("class") or ""):
            self.tags.append(tag)
        self.ids.add(attributes.get("id"))
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]


def article(folder):
    return re.search(r"<article.*?</article>", (folder / "index.html").read_text(encoding="utf-8"), re.DOTALL)[0]


def test_the_builder_reads_the_chapter_as_other_readers_of_markdown_do(page_folder):
    ours = Counted(article(page_folder)).tags
    other = Counted(MarkdownIt("commonmark").enable("table").render(COG_MARKER.sub("", TEXT))).tags
    for tag in ("h1", "h2", "h3", "li", "img", "em", "ol", "strong"):
        extra = {"em": 1, "strong": -2 * len(PAIRS)}.get(tag, 0)  # the lines on top; headings of quotes are tabs here
        assert ours.count(tag) == other.count(tag) + extra, tag
    # builder's own tables hold numbered code, of which the chapter has none
    assert ours.count("table") == other.count("table")


def test_every_link_inside_of_the_page_leads_somewhere(page_folder):
    for page in page_folder.rglob("*.html"):
        if page.name == "404.html":
            continue
        for link in Counted(page.read_text(encoding="utf-8")).links:
            if re.match(r"https?:|data:", link):
                continue
            path, _, place = link.partition("#")
            target = (page.parent / path) if path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), (page, link)
            if place and target.suffix == ".html" and not place.startswith("__"):
                assert place in Counted(target.read_text(encoding="utf-8")).ids, (page, link)
            if place.startswith("__codelineno"):
                assert f'"{place}"' in target.read_text(encoding="utf-8"), (page, link)


def test_another_folder_and_a_changed_notebook_are_left_alone(page_folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("mine")
    done = hotdog("book", "--out", tmp_path / "mine")
    assert done.returncode == 2 and "was not made by this command" in done.stderr
    assert (tmp_path / "mine" / "index.html").read_text() == "mine"


def choose(page, name):
    page.locator(".tabbed-labels label", has_text=re.compile(f"^{name}$")).first.click()


def test_in_a_browser(page_folder):
    with browser.browser() as running:
        address = (page_folder / "index.html").as_uri()
        page, wrong = browser.opened(running, address, viewport={"width": 1600, "height": 1000})
        # one choice holds for all pairs, and is remembered
        choose(page, "side by side")
        page.wait_for_function("document.querySelectorAll('table.pair').length > 0")
        shown = page.locator("table.pair:visible")
        assert shown.count() == len(PAIRS)
        page.reload()
        page.wait_for_timeout(500)
        assert page.locator("table.pair:visible").count() == len(PAIRS)
        # aligned: in every row both cells begin at one height, the left one left of the right one
        rows = page.evaluate(
            """[...document.querySelectorAll("table.pair tbody tr")].map(row => [...row.cells].map(cell => {
                const box = cell.getBoundingClientRect(); return [box.top, box.left, box.width] }))"""
        )
        assert len(rows) > 100
        assert all(a[0] == b[0] and a[1] < b[1] and min(a[2], b[2]) > 500 for a, b in rows)
        assert browser.violations(page, CORNER) == []
        # search
        page.keyboard.press("Control+k")
        page.keyboard.type("row 713")
        result = page.get_by_role("option").first
        result.wait_for(timeout=10_000)
        assert "713" in result.inner_text() and "#the-hot-dog-row" in result.get_attribute("href")
        # code pages, in the dark
        code, more = browser.opened(
            running, (page_folder / "code/gluon_impl/nets.py.html").as_uri(), color_scheme="dark"
        )
        assert browser.violations(code) == [] and more == []
        # narrow and dark: nothing but boxes scrolls sideways; a line that both have is shown once
        narrow, more = browser.opened(running, address, viewport={"width": 420, "height": 900}, color_scheme="dark")
        choose(narrow, "side by side")
        assert narrow.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not narrow.locator("tr.same td:nth-child(2)").first.is_visible()
        assert browser.violations(narrow, CORNER) == []
        assert wrong + more == []
