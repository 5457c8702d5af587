"""The page itself, made of Gradio's parts: a place to drop, paste or take a photograph, which networks are asked, their answers."""

import io
import os
import random
import shutil
import tempfile
import threading
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from shared.errors import FailedRun, UserError
from shared.images.checks import MAX_BYTES, check_image
from shared.images.mini.drawings import TARGET_COUNTS, drawing
from shared.images.mini.render import TARGET_CLASSES
from shared.networks.source import Source
from shared.webapp.choice import Choice
from shared.webapp.networks import Networks
from shared.webapp.shown import answer_page, refusal

FONTS = ["system-ui", "sans-serif"]
STYLE, SCRIPT = (Path(__file__).with_name(name) for name in ("page.css", "page.js"))
WELCOME = """# Hot dog, twice

Drop a photograph, paste one (Ctrl-V) or take one.
A network in MXNet Gluon and its twin in PyTorch say what they see, and which pixels told them."""
PREVIEW = 2  # seconds that the browser has to load the photograph that it has sent, which Gradio shows from the file
STRAYS = (20, 60)  # every 20 seconds Gradio removes files that have lain there for 60: sent, and never asked about
DRAWN = "These networks were trained on drawings, so photographs are strange to them."
# Before Gradio is imported: nothing of it asks its makers' servers for anything.
OFF = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def check_installed():
    """Raise UserError where Gradio, which the page is made with, is not installed."""
    try:
        version("gradio")
    except PackageNotFoundError:
        raise UserError("the page is made with Gradio, which is not installed: uv run --extra app hotdog app") from None


@contextmanager
def temporary_folder():
    """A folder that only this user can open, for what Gradio puts into files; gone at the end, with all that is in it."""
    folder = Path(tempfile.mkdtemp(prefix="hotdog-app-"))
    os.environ.update(OFF, GRADIO_TEMP_DIR=str(folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_page(choices: list[Choice], sources: dict[str, Source], networks: Networks, folder: Path):
    """The page as an ASGI application. choices: what can be asked, the first one to begin with; sources: {fingerprint:
    source network}, of those that are at hand.

    folder: Gradio's temporary one. A photograph that was sent lies there for a moment, and nowhere else.
    """
    import fastapi
    import gradio as gr

    def answered(path, number):
        """What to show of a photograph that was sent; the photograph, to ask another network; and room for the next one."""
        if path is None:
            return "", None, None
        try:
            photograph = read_photograph(Path(path), folder)
        except UserError as error:
            return refusal(error), None, None
        return asked(photograph, number), photograph, None

    def asked(photograph, number):
        if not photograph:
            return ""
        try:
            answers = networks.ask(choices[number].runs, photograph, sources)
            return answer_page(choices[number], photograph, answers)
        except (UserError, FailedRun) as error:
            return refusal(error)

    def drawn(number):
        """The same for a test drawing, any of them."""
        photograph = picked_drawing()
        return asked(photograph, number), photograph, None

    with gr.Blocks(title="Hot dog, twice", analytics_enabled=False, fill_width=True, delete_cache=STRAYS) as blocks:
        gr.Markdown(WELCOME)
        with gr.Row():
            with gr.Column(scale=2, min_width=260):
                photograph = gr.Image(
                    label="Photograph",
                    type="filepath",
                    sources=["upload", "webcam"],
                    webcam_options=gr.WebcamOptions(mirror=False),
                    buttons=[],
                    height=280,
                )
                # the file that was sent: what is in it is for us to judge
                photograph.preprocess = lambda sent: sent and sent.path
                names = [(one.name, i) for i, one in enumerate(choices)]
                label = "Trained networks, and their test accuracies"
                number = gr.Dropdown(names, value=0, label=label, filterable=False, elem_id="networks")
                if any(one.run.dataset["name"] == "mini" for one in choices):
                    gr.Markdown(DRAWN)
                draw = gr.Button("Try a drawing", visible=any(one.run.dataset["name"] == "mini" for one in choices))
            with gr.Column(scale=5, min_width=300):
                shown = gr.HTML(padding=False)
        kept = gr.State()
        quietly = {"api_visibility": "private", "show_progress": "minimal"}
        photograph.input(answered, [photograph, number], [shown, kept, photograph], **quietly)
        number.input(asked, [kept, number], shown, **quietly)
        draw.click(drawn, number, [shown, kept, photograph], **quietly)
    return gr.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None),
        blocks,
        path="/",
        footer_links=[],
        run_history=False,  # Gradio would keep photographs and answers in the browser
        max_file_size=MAX_BYTES,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=gr.themes.Default(primary_hue="amber", neutral_hue="stone", font=FONTS, font_mono=["monospace"]),
        css_paths=[STYLE],
        head=f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>",
    )


def read_photograph(path: Path, folder: Path) -> bytes:
    """The photograph in the file `path` of `folder`, which is removed in a moment.

    Raises UserError, naming it as its user does, unless both frameworks read it.
    """
    try:
        if folder.resolve() not in path.resolve().parents:
            raise UserError(f"{path.name} was not sent to this page")
        removal = threading.Timer(PREVIEW, path.unlink, [True])
        removal.daemon = True
        removal.start()
        check_image(path)
        return path.read_bytes()
    except UserError as error:
        raise UserError(str(error).replace(f"{path.parent}{os.sep}", "")) from None


def picked_drawing() -> bytes:
    """One of the test drawings, as a PNG file."""
    content = io.BytesIO()
    name, index = random.choice(TARGET_CLASSES), random.randrange(TARGET_COUNTS[1])
    drawing("target", "test", name, index).save(content, "PNG")
    return content.getvalue()
