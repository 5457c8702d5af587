"""`hotdog results --html`: what the page says of any set of runs, read as a browser reads it; names from outside stay text."""

import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers import hotdog, write_images
from made_runs import CLASSES, record, said

from shared.errors import UserError
from shared.images.folders import load_dataset
from shared.runs import results_page, together
from shared.runs.contrast import luminance, readable, rgb_of
from shared.runs.record import read_runs
from shared.runs.results_page import page_text, write_page
from shared.runs.tables import grouped
from shared.runs.thumbnails import Pictures

IMAGES = [(f"{CLASSES[i % 2]}/{i:03d}.png", i % 2) for i in range(40)]
LABELS = [label for _, label in IMAGES]


class Page(HTMLParser):
    """A page as a browser reads it: its tags, its text, the data in it."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.inside, self.data = [], [], [], None, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.words.append(data)
        elif data.startswith('{"series"'):
            self.data = json.loads(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def page(found, **pictures):
    return Page(page_text(found, "/* plotly */", Pictures(**pictures)))


def pair(out, seed=0, **more):
    """A run of each framework that differ a little."""
    p = said(LABELS, seed)
    q = np.clip(p + np.random.default_rng(seed + 100).normal(0, 0.02, (40, 1)) * [1, -1], 0, 1)
    return [
        record(out, framework=f, seed=seed, images=IMAGES, p=x, **more)
        for f, x in (("gluon", p), ("torch", q / q.sum(axis=1, keepdims=True)))
    ]


# --- any number of runs, in any state ---


def test_one_run(tmp_path):
    one = page([record(tmp_path)])
    assert "0.500 → 0.900" in one.text and "kept no probabilities" in one.text
    assert [s["label"] for s in one.data["series"]] == ["finetune"] and one.data["scatter"] == [None]


def test_no_run(tmp_path):
    assert "No run is finished yet" in page([]).text
    (tmp_path / "runs").mkdir()
    done = hotdog("results", tmp_path / "runs", "--html", tmp_path / "page.html")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "no finished runs" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_unfinished_and_diverged_runs_are_shown_and_are_not_in_the_mean(tmp_path):
    record(tmp_path, accuracies=(0.5, 0.6, 0.7))
    record(tmp_path, seed=1, accuracies=(0.5, 0.1, 0.1), status="diverged", error="Diverged: it <exploded>")
    record(tmp_path, seed=2, accuracies=(0.5,), num_epochs=2, status="failed", error="OSError: disk full")
    record(tmp_path, name="scratch", accuracies=(), status="running")
    record(tmp_path, name="frozen", accuracies=(0.5, 0.6), status="interrupted")
    found = read_runs(tmp_path)
    assert len(found) == 5
    shown = page(found)
    for words in ("diverged", "it <exploded>", "failed", "disk full", "interrupted", "1 finished"):
        assert words in shown.text, words
    by_label = {s["label"]: s for s in shown.data["series"]}
    assert by_label["finetune"]["curves"]["test_accuracy"][0] == [0.5, 0.6, 0.7] and by_label["finetune"]["seeds"] == 1
    assert by_label["frozen"]["curves"]["test_accuracy"][0] == [0.5, 0.6]
    assert "scratch" not in by_label and "scratch" in shown.text


def test_a_hundred_runs(tmp_path):
    write_images(tmp_path / "pictures", {(s, c): n for s, n in (("train", 3), ("test", 20)) for c in CLASSES}, size=64)
    dataset = load_dataset(str(tmp_path / "pictures"))
    images = list(zip(dataset.test.names, dataset.test.labels, strict=True))
    about = {"fingerprint": dataset.fingerprint, "train": 6}
    for number in range(100):
        p = said([label for _, label in images], number)
        e = {"learning_rate": 0.001 * (number // 20 + 1)}
        name, framework, seed = ("finetune", "frozen")[number % 4 > 1], ("gluon", "torch")[number % 2], number // 4 % 5
        record(tmp_path / "runs", name, framework, seed, images=images, p=p, more=e, dataset=about)
    path = write_page(read_runs(tmp_path / "runs"), tmp_path / "page.html", [tmp_path / "pictures"])
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 7e6  # 4.7 MB of it are plotly.js
    assert text.count('<details class="experiment"') == 10 and text.count("data:image/jpeg;base64,") > 100
    labels = {s["label"] for s in Page(text).data["series"]}
    assert labels == {f"{name}, lr {0.001 * n:g}" for name in ("finetune", "frozen") for n in range(1, 6)}


# --- what it says ---


def test_means_and_bands(tmp_path):
    for seed, last in enumerate((0.7, 0.8, 0.9)):
        record(tmp_path, seed=seed, accuracies=(0.5, last))
    record(tmp_path, seed=3, accuracies=(0.1,), num_epochs=1, status="running")
    shown = page(read_runs(tmp_path))
    (series,) = shown.data["series"]
    assert "The curves as a table epoch Gluon, test accuracy" in shown.text and "0 0.500 ± 0.000" in shown.text
    assert "1 0.800 ± 0.100" in shown.text
    mean, spread = series["curves"]["test_accuracy"]
    assert mean == [0.5, 0.8] and spread == [0, pytest.approx(0.1)] and series["seeds"] == 3
    assert series["curves"]["train_loss"][0] == [None, 1]


def test_where_two_frameworks_differ(tmp_path):
    p = said(LABELS, 1, sharpness=8)
    q = p.copy()
    q[7] = p[7][::-1]  # called the other way round
    q[11] = p[11] * [0.9, 0.9] + [0.05, 0.05]
    gluon = record(tmp_path, images=IMAGES, p=p)
    torch = record(tmp_path, framework="torch", images=IMAGES, p=q)
    record(tmp_path, framework="torch", seed=1, images=IMAGES, p=q)  # has no twin
    (group,) = together.groups_of([gluon, torch, *read_runs(tmp_path)[2:]])
    (only,) = together.pairs_of(together.said_by(group))
    assert only.differ.nonzero()[0].tolist() == [7] and only.ranked()[:2].tolist() == [7, 11]
    assert only.gaps[7] == pytest.approx(abs(p[7, 0] - p[7, 1]), abs=2e-6) and only.gaps[0] == 0
    shown = page(read_runs(tmp_path))
    assert "1 of 40" in shown.text and IMAGES[7][0] in shown.text
    (scatter,) = shown.data["scatter"]
    x, y, seed, i, differs = scatter["points"][0]
    assert (
        (i, seed, differs) == (7, 0, 1)
        and x == pytest.approx(p[7, 1], abs=1e-4)
        and y == pytest.approx(q[7, 1], abs=1e-4)
    )
    assert shown.data["names"][scatter["names"]][7] == IMAGES[7][0]


def test_runs_with_own_draws_are_no_pairs(tmp_path):
    pair(tmp_path, draws="own")
    shown = page(read_runs(tmp_path))
    assert shown.data["scatter"] == [None] and "Where the frameworks differ" not in shown.text
    assert "Most confident mistakes" in shown.text


def test_confusion_matrices_count_the_seeds_together(tmp_path):
    images = [("hotdog/0.png", 0), ("hotdog/1.png", 0), ("not-hotdog/0.png", 1), ("not-hotdog/1.png", 1)]
    record(tmp_path, images=images, p=[[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    record(tmp_path, seed=1, images=images, p=[[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.9, 0.1]])
    shown = page(read_runs(tmp_path))
    assert "Gluon, 2 seeds together" in shown.text
    assert re.search(r"is hotdog 75\.0 % 3 25\.0 % 1 is not-hotdog 25\.0 % 1 75\.0 % 3", shown.text)
    # by the mean probabilities of both runs: hotdog/1 is .5 hot dog, not-hotdog/1 .65
    assert "1 of 4 test images are called wrong" in shown.text or "2 of 4" in shown.text


def test_of_many_classes_the_worst_confusions_are_listed(tmp_path):
    classes = tuple(f"class {i}" for i in range(30))
    images = [(f"{classes[i % 30]}/{i}.png", i % 30) for i in range(90)]
    record(tmp_path, classes=classes, images=images, p=said([label for _, label in images], 0, 30, 1.0))
    shown = page(read_runs(tmp_path))
    assert "called class 0" not in shown.text and shown.text.count("is class") <= 12  # the cards


def test_a_damaged_file_costs_a_line_and_hides_no_other(tmp_path, capsys):
    good, bad = pair(tmp_path)
    (bad.folder / "test_probabilities.csv").write_text("nothing")
    other = record(tmp_path, seed=5, images=[("x/" + n, label) for n, label in IMAGES], p=said(LABELS))
    shown = page(read_runs(tmp_path))
    lines = sorted(capsys.readouterr().err.splitlines())
    assert len(lines) == 2 and str(bad.folder) in lines[0] and str(other.folder) in lines[1]
    assert "Most confident mistakes" in shown.text


def test_labels_say_what_differs_and_nothing_else(tmp_path):
    runs = [
        record(tmp_path),
        record(tmp_path, more={"learning_rate": 0.5}),
        record(tmp_path, more={"learning_rate": 0.5, "balance": True}),
        record(tmp_path, "frozen"),
        record(tmp_path, "hotdog-row", more={"row": 934}, source={"row": 934, "row_label": "hotdog"}),
    ]
    assert together.labels_of(runs) == [
        "finetune, lr 0.01, balance no",
        "finetune, lr 0.5, balance no",
        "finetune, lr 0.5, balance yes",
        "frozen",
        "hotdog-row 934 (hotdog)",
    ]
    alike = [record(tmp_path), record(tmp_path, dataset={"fingerprint": "2" * 16})]
    assert len(set(together.labels_of(alike))) == 2


def test_groups_are_those_of_the_table_and_the_finished_run_of_a_seed_counts(tmp_path):
    first = record(tmp_path)
    record(tmp_path, status="failed", accuracies=(0.5, 0.5), num_epochs=2)
    second = record(tmp_path, framework="torch", status="interrupted", accuracies=(0.4,), num_epochs=2)
    found = read_runs(tmp_path)
    (group,) = together.groups_of(found)
    assert [run.folder for run in group.all] == [first.folder, second.folder]
    assert len(grouped(found)) == 1


# --- what comes from outside ---

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}</title><!--"


def test_names_from_outside_stay_text(tmp_path):
    control = "a\x1b[31m\u202egpj\x00\n"
    classes = (EVIL, control)
    images = [(f"{EVIL.replace('/', '')}/{i}.png", i % 2) for i in range(6)]
    p = said([i % 2 for i in range(6)], 3, sharpness=0)
    facts = {
        "dataset": {"name": EVIL, "tested_on": control},
        "source": {"name": EVIL, "architecture": control, "row": 3, "row_label": EVIL},
    }
    for f in ("gluon", "torch"):
        record(tmp_path / EVIL.replace("/", ""), "hotdog-row", f, classes=classes, images=images, p=p, **facts)
    record(tmp_path / "x", "hotdog-row", status="failed", error=f"{EVIL}{control}", **facts)
    found = read_runs(tmp_path)
    assert len(found) == 3
    text = page_text(found, "/* plotly */", Pictures(), EVIL)
    shown = Page(text)
    assert shown.tags.count("script") == 3 and "img" not in shown.tags and shown.tags.count("title") == 1
    assert not [name for name, _ in shown.attributes if name.startswith("on")]
    assert "alert(1)" in shown.text and "{{ 7*7 }}" in shown.text
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert "\\x1b[31m\\u202egpj\\x00\\n" in text
    # plotly takes some tags for its own: they are written as entities
    for name in [*(s["label"] for s in shown.data["series"]), *(n for some in shown.data["names"] for n in some)]:
        assert "<" not in name
    assert shown.data["series"][0]["label"].startswith("hotdog-row 3 (&lt;script&gt;alert(1)&lt;/script&gt;")


# --- pictures ---


def test_pictures_are_found_by_fingerprint_only(tmp_path, monkeypatch, cache):
    write_images(tmp_path / "here" / "pictures", {(s, c): 4 for s in ("train", "test") for c in CLASSES})
    write_images(tmp_path / "other" / "pictures", {(s, c): 4 for s in ("train", "test") for c in CLASSES}, seed=1)
    whole = load_dataset(str(tmp_path / "here" / "pictures"))
    monkeypatch.chdir(tmp_path)

    def of(dataset, places=()):
        about = {"train": len(dataset.train), "test": len(dataset.test), "fingerprint": dataset.fingerprint}
        one = record(tmp_path / "runs", dataset=about)
        return Pictures(places).thumbnail(one, dataset.test.names[0])

    assert of(whole) is None and of(whole, ["other/pictures"]) is None and of(whole, ["nowhere", "runs"]) is None
    assert of(whole, ["other/pictures", "here/pictures"]).startswith("data:image/jpeg;base64,/9j/")
    for options in ({"limit": 2}, {"holdout": 0.25}):
        assert of(load_dataset("here/pictures", **options), ["here/pictures"]), options
    monkeypatch.chdir(tmp_path / "here")  # where a folder has the name that the record says
    assert of(whole)
    about = {"train": len(whole.train), "test": len(whole.test), "fingerprint": whole.fingerprint}
    one, found = record(tmp_path / "runs", dataset=about), Pictures()
    assert found.thumbnail(one, whole.test.names[1])
    for elsewhere in ("../train/hotdog/000.png", str(tmp_path / "here/pictures/train/hotdog/000.png")):
        assert found.thumbnail(one, elsewhere) is None  # the picture is there, but it is no test image
    (tmp_path / "here" / "pictures" / "test" / whole.test.names[0]).unlink()
    assert of(whole) is None


def test_colours_can_be_seen_on_both_backgrounds():
    def contrast(a, b):
        one, other = sorted((luminance(rgb_of(c)) for c in (a, b)), reverse=True)
        return (one + 0.05) / (other + 0.05)

    assert contrast("#000000", "#ffffff") == pytest.approx(21) and contrast("#777777", "#ffffff") == pytest.approx(
        4.48, abs=0.01
    )
    for colour in results_page.COLOURS.values():
        for background in (results_page.LIGHT, results_page.DARK):
            assert contrast(readable(colour, background), background) >= 3.9
    assert readable("#0072b2", "#ffffff") == "#0072b2"
    style = (results_page.PAGE / "results.css").read_text()
    assert re.findall(r"--back: (#\w+)", style) == [results_page.LIGHT, results_page.DARK]


# --- the command ---


def test_the_command(tmp_path):
    pair(tmp_path / "a")
    record(tmp_path / "b", "scratch")
    out = tmp_path / "page.html"
    done = hotdog("results", tmp_path / "a", tmp_path / "b", tmp_path / "a" / "000", "--html", out)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert re.search(r"Page: .*page\.html \(\d\.\d MB\)", done.stdout) and "scratch" in done.stdout
    text = out.read_text(encoding="utf-8")
    assert len(re.findall(r'<td class="folder">', text)) == 3
    assert "https://" not in text.replace(results_page.plotly_script(), "")
    record(tmp_path / "c", status="interrupted")
    done = hotdog("results", tmp_path / "c", "--html", out)
    assert done.returncode == 0 and "None of 1 runs is finished" in done.stdout and "interrupted" in out.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--html page.pdf", "name it .html"),
        ("--data mini", "--html"),
        ("nowhere --html page.html", "nowhere"),
        ("--html plain/page.html", "plain"),
    ],
)
def test_wrong_use_is_one_line(arguments, words, tmp_path):
    record(tmp_path / "runs")
    (tmp_path / "plain").write_text("")
    done = hotdog("results", *arguments.split(), cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and words in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_without_plotly_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(UserError, match="plotly, which is not installed: uv run --extra watch") as caught:
        write_page([record(tmp_path)], tmp_path / "page.html")
    assert "\n" not in str(caught.value) and not (tmp_path / "page.html").exists()
