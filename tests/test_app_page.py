"""`hotdog app` as a whole: whom its server answers, what a real browser makes of its page, what is left when it ends."""

import base64
import csv
import io
import re
import signal
import socket
import time
import zlib
from dataclasses import replace
from pathlib import Path

import browser
import psutil
import pytest
from app_process import address_in, end, running_app
from helpers import THIN, random_tensors, write_images
from PIL import Image
from safetensors.numpy import load_file, save_file
from test_command_use import make_runs

from shared.command.__main__ import app as command
from shared.errors import UserError, guarded
from shared.images.mini.drawings import drawing
from shared.networks.architecture import Architecture
from shared.runs.predictions import image_files
from shared.webapp import page as page_module

CLASSES = '["apple", "hotdog", "mug", "photocopier", "pizza"]'
RUN, OTHER = Path("runs", "pictures-frozen-gluon-seed0-1"), Path("runs", "other-torch")  # each with a twin beside it
PATIENT = 60_000  # milliseconds: the machine may be busy


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Untrained runs of both frameworks in runs/, their source network, photographs and what is none."""
    folder = tmp_path_factory.mktemp("app")
    images = write_images(folder / "pictures", {(s, c): 2 for s in ("train", "test") for c in ("hotdog", "not-hotdog")})
    save_file(
        random_tensors(Architecture(2, channels=THIN, classes=5)), folder / "thin.safetensors", {"classes": CLASSES}
    )
    for run in make_runs(images, folder / "thin.safetensors", folder / "runs").values():
        tensors = load_file(run.folder / "weights.safetensors")
        tensors["output.weight"] /= 20  # else this random network would be sure of everything
        save_file(tensors, run.folder / "weights.safetensors")
        other = replace(run, folder=folder / "runs" / f"other-{run.framework}", seed=1)
        other.folder.mkdir()
        other.save()
        save_file(tensors | {"output.weight": -tensors["output.weight"]}, other.folder / "weights.safetensors")
    drawing("target", "test", "hotdog", 0).save(folder / "lunch.jpg", quality=95)
    (folder / "text.jpg").write_text("I am no photograph.\n")
    (folder / "half.jpg").write_bytes((folder / "lunch.jpg").read_bytes()[:700])
    (folder / "nothing.png").touch()
    (folder / "lunch.webp").write_bytes(b"RIFF")
    huge = io.BytesIO()
    Image.new("L", (1, 1)).save(huge, "PNG")
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + huge.getvalue()[24:29]  # 3.6 thousand million pixels, it says
    (folder / "bomb.png").write_bytes(
        huge.getvalue()[:12] + header + zlib.crc32(header).to_bytes(4, "big") + huge.getvalue()[33:]
    )
    return folder


@pytest.fixture(scope="module")
def running(made, tmp_path_factory):
    """The command, its page's address, and the folder that it may put temporary files into."""
    folder = tmp_path_factory.mktemp("running")
    arguments = (made / RUN, made / OTHER, "--source", made / "thin.safetensors")
    with running_app(*arguments, folder=folder) as (process, line):
        yield process, address_in(line), folder


def files_in(folder):
    return [path for path in (folder / "tmp").rglob("*") if path.is_file()]


# --- whom the server answers ---


def answered(address, *headers, method="GET", path="/", body=b""):
    """The status of a request in exactly these headers, and what came back."""
    port = int(address.rpartition(":")[2])
    lines = [f"{method} {path} HTTP/1.1", *(h.format(port=port) for h in headers), "Connection: close"]
    lines += [f"Content-Length: {len(body)}"] if body else []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        content = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    return int(content.split()[1]), content


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Host: 127.0.0.1:{port}"], 200),
        (["Host: localhost:{port}"], 200),
        (["Host: 127.0.0.1:{port}", "Origin: http://127.0.0.1:{port}"], 200),
        (["Host: evil.example"], 403),
        (["Host: evil.example:{port}"], 403),
        (["Host: 127.0.0.1.evil.example:{port}"], 403),
        (["Host: 127.0.0.1:1"], 403),
        (["Host: 127.0.0.1:{port}", "Origin: http://evil.example"], 403),
        (["Host: 127.0.0.1:{port}", "Origin: null"], 403),
        (["Host: 127.0.0.1:{port}", "Origin: https://127.0.0.1:{port}"], 403),
    ],
)
def test_only_requests_for_its_own_address_are_answered(headers, status, running):
    found, content = answered(running[1], *headers)
    assert found == status, content[:300]
    assert (b"gradio" in content) == (status == 200)


def test_nothing_can_be_sent_from_elsewhere_and_no_other_file_be_read(running, made):
    _, address, folder = running
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n123\r\n--x--\r\n'
    form = "Content-Type: multipart/form-data; boundary=x"
    origin = "Origin: http://evil.example"
    post = {"method": "POST", "path": "/gradio_api/upload", "body": body}
    assert answered(address, "Host: 127.0.0.1:{port}", origin, form, **post)[0] == 403
    assert not files_in(folder)
    for file in ("/etc/passwd", made / "lunch.jpg", page_module.__file__):
        assert answered(address, "Host: 127.0.0.1:{port}", path=f"/gradio_api/file={file}")[0] in (403, 404)


def test_it_listens_on_this_machine_only(running):
    process = psutil.Process(running[0].pid)
    listening = [
        c for p in (process, *process.children(recursive=True)) for c in p.net_connections() if c.status == "LISTEN"
    ]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


# --- in a browser ---


def shown_probabilities(page):
    """{framework: {class: probability}} of the page."""
    found = {}
    for section in page.locator(".answer").all():
        own = section.locator("ul").first.locator("li").all()
        name = section.locator("h2").inner_text().split(":")[0]
        found[name] = {li.locator(".label").inner_text(): float(li.locator(".p").inner_text()) for li in own}
    return found


def held(page, file):
    """The file as a mouse or the clipboard holds it."""
    content = base64.b64encode(file.read_bytes()).decode()
    kind = {"png": "image/png", "webp": "image/webp"}.get(file.suffix[1:], "image/jpeg")
    return page.evaluate_handle(
        """([name, type, content]) => {
            const data = new DataTransfer(), bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
            data.items.add(new File([bytes], name, { type })); return data; }""",
        [file.name, kind, content],
    )


def drop(page, file):
    """Let go of the file over the page's place for it, as a mouse would."""
    place = page.get_by_label("Drop an image file here to upload").first
    place.dispatch_event("drop", {"dataTransfer": held(page, file)})


def paste(page, file):
    """Press the keys for pasting while the file is in the clipboard."""
    page.evaluate(
        "data => document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }))",
        held(page, file),
    )


def predicted(made, file, run=RUN):
    """{framework: {class: probability}} that `hotdog predict` writes."""
    out, run = made / "predicted.csv", made / run
    assert (
        guarded(
            lambda: command(args=["predict", str(file), "--run", str(run), "--csv", str(out)], standalone_mode=False)
        )
        == 0
    )
    with open(out, encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    names = {"gluon": "Gluon", "torch": "PyTorch"}
    return {names[row["framework"]]: {c: float(row[c]) for c in ("hotdog", "not-hotdog")} for row in rows}


def check_shown(page, wanted):
    shown = shown_probabilities(page)
    assert shown.keys() == wanted.keys() == {"Gluon", "PyTorch"}
    assert 0.02 < shown["Gluon"]["hotdog"] < 0.98
    for framework, classes in wanted.items():
        assert shown[framework] == pytest.approx(classes, abs=1e-5)


def line_of_predict(made, name):
    """What `hotdog predict` says of a file that is no photograph, but for the folder, of which the page knows nothing."""
    with pytest.raises(UserError) as refused:
        image_files([str(made / name)])
    assert name in str(refused.value)
    return str(refused.value).replace(f"{made}/", "")


def test_a_photograph_gets_the_same_probabilities_as_by_predict_and_bad_files_our_line(running, made):
    _, address, folder = running
    # no name but that of this machine can be resolved
    with browser.browser("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1") as chromium:
        allowed = (f"{address}/", "data:", "blob:")
        page, wrong = browser.opened(chromium, address, allowed, viewport={"width": 1000, "height": 900})
        drop(page, made / "lunch.jpg")
        page.locator(".answer .times").nth(1).wait_for(timeout=PATIENT)
        check_shown(page, predicted(made, made / "lunch.jpg"))
        pictures = page.locator(".answer img")
        assert pictures.count() == 2 and all(
            "marked is what speaks for" in p.get_attribute("alt") for p in pictures.all()
        )
        assert page.locator(".answer h3").count() == 2  # the source network's classes
        assert re.search(r"\d+ ms .* \d+ ms", page.locator(".times").first.inner_text())
        assert browser.violations(page) == []
        # other networks are asked about the same photograph
        page.get_by_label("Trained networks").click()
        page.get_by_role("option", name="seed 1").click()
        page.locator(".answer h2", has_text="not-hotdog").nth(1).wait_for(timeout=PATIENT)
        check_shown(page, predicted(made, made / "lunch.jpg", OTHER))
        for name in ("text.jpg", "half.jpg", "nothing.png", "bomb.png", "lunch.webp"):
            drop(page, made / name)
            page.locator(".refusal", has_text=name).wait_for(timeout=PATIENT)
            assert page.locator(".refusal").inner_text() == line_of_predict(made, name)
            assert page.locator(".answer").count() == 0
        # where the widths are less than the two answers need, one stands above the other, and nothing scrolls sideways
        page.set_viewport_size({"width": 420, "height": 900})
        paste(page, made / "lunch.jpg")
        page.locator(".answer .times").nth(1).wait_for(timeout=PATIENT)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        tops = page.evaluate("[...document.querySelectorAll('.answer')].map(one => one.getBoundingClientRect().top)")
        assert tops[1] > tops[0] + 300
        assert browser.violations(page) == [] and wrong == []
        deadline = time.monotonic() + 30
        while files_in(folder) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert files_in(folder) == []


def test_it_ends_when_it_is_told_to_while_a_page_is_open_and_leaves_nothing(running):
    process, address, folder = running
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2 and any((folder / "tmp").iterdir())
    with browser.browser() as chromium:
        browser.opened(chromium, address)
        process.send_signal(signal.SIGTERM)
        said, code = process.stdout.read(), process.wait(10)
    assert (said, code) == ("", 0)
    assert list((folder / "tmp").iterdir()) == []
    assert not psutil.wait_procs(children, timeout=5)[1]
    assert (folder / "asked").read_text() == ""  # no other machine was asked for anything, from start to end


def test_the_keyboard_interrupts_it_at_the_start_too(made, tmp_path):
    with running_app(made / RUN, folder=tmp_path, until="opening") as (process, _):
        time.sleep(1)
        seconds, code, said = end(process)
    assert seconds < 10 and code == 130 and "Traceback" not in said and len(said.splitlines()) <= 1
    assert list((tmp_path / "tmp").iterdir()) == []


# --- what is refused before anything is opened ---


def refused(capsys, *arguments):
    code = guarded(lambda: command(args=["app", *map(str, arguments)], standalone_mode=False))
    (line,) = capsys.readouterr().err.splitlines()
    return code, line


def test_without_gradio_a_line_says_how_to_have_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(
        page_module, "version", lambda name: (_ for _ in ()).throw(page_module.PackageNotFoundError(name))
    )
    code, line = refused(capsys, "--out", tmp_path)
    assert code == 2 and "uv run --extra app hotdog app" in line


def test_a_port_that_another_program_has_and_a_run_that_is_none(capsys, made, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        run, port = made / RUN, other.getsockname()[1]
        code, line = refused(capsys, run, "--port", port)
    assert code == 2 and f"port {port} of 127.0.0.1 cannot be used" in line and "--port" in line
    code, line = refused(capsys, tmp_path / "nowhere")
    assert code == 2 and "nowhere" in line
    code, line = refused(capsys, run, "--source", "mini")
    assert code == 2 and "--source mini is not the network that" in line
