"""`hotdog app` in a process of its own, for tests and for README's picture of it:

    uv run python tests/app_process.py

fine-tunes on the drawings, shows the page a drawing, and takes shared/results/pictures/app.png.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPY = """import os, socket
def spied(name):
    original = getattr(socket.socket, name)
    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "localhost"):
            with open(os.environ["SPY"], "a") as file:
                file.write(f"{address}\\n")
        return original(self, address)
    setattr(socket.socket, name, connect)
spied("connect")
spied("connect_ex")
original = socket.getaddrinfo
def getaddrinfo(host, *arguments, **more):
    if host not in ("127.0.0.1", "localhost", None):
        with open(os.environ["SPY"], "a") as file:
            file.write(f"{host}\\n")
    return original(host, *arguments, **more)
socket.getaddrinfo = getaddrinfo
"""


@contextmanager
def running_app(*arguments, folder: Path, until="http://"):
    """The process once it has printed a line with `until`, and that line. folder: an empty one, for its temporary files.

    Whatever it asks of another machine stands in folder/asked. It is ended by force where the caller has not ended it.
    """
    (folder / "spy").mkdir()
    (folder / "spy" / "sitecustomize.py").write_text(SPY)
    (folder / "tmp").mkdir()
    (folder / "asked").touch()
    places = {"PYTHONPATH": f"{folder / 'spy'}{os.pathsep}{ROOT}", "TMPDIR": folder / "tmp", "SPY": folder / "asked"}
    process = subprocess.Popen(
        [sys.executable, "-m", "shared.command", "app", "--port", "0", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {name: str(value) for name, value in places.items()},
        start_new_session=True,
    )
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if until in line:
                break
        else:
            raise AssertionError("".join(said))
        yield process, line
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def address_in(line: str) -> str:
    """The page's address in what the command printed."""
    return re.search(r"http://127\.0\.0\.1:\d+", line)[0]


def end(process, number=signal.SIGINT) -> tuple[float, int, str]:
    """Send the signal to the process and its children, as a terminal does: seconds until it ended, exit code, what it said."""
    start = time.monotonic()
    os.killpg(process.pid, number)
    said = process.stdout.read()
    return time.monotonic() - start, process.wait(20), said


def take_picture(path: Path):
    """Write a picture of the page with a drawing, from networks that are trained for it now."""
    import numpy as np
    from browser import browser, saved

    from shared.images.mini.render import draw

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # larger than the networks' 64 pixels, in which a picture of the page would be coarse
        draw("hotdog", "target", np.random.default_rng(5), 320).save(folder / "lunch.jpg", quality=92)
        with running_app("--out", folder / "runs", folder=folder) as (_, line), browser() as running:
            page = running.new_page(viewport={"width": 1280, "height": 772})
            page.goto(address_in(line))
            for _ in range(2):  # the second time everything has been in use once
                page.locator("input[type=file]").first.set_input_files(folder / "lunch.jpg")
                page.locator(".answer .times").nth(1).wait_for(timeout=120_000)
                page.get_by_text("Drop Image Here").wait_for(timeout=120_000)  # it is ready for the next one
                page.wait_for_timeout(1500)
            saved(page, path, colours=256)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    take_picture(ROOT / "shared" / "results" / "pictures" / "app.png")
