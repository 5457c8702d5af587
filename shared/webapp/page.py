"""The page itself, made of Gradio's parts: where a photograph is dropped, pasted or taken, which networks are asked, their answers."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from shared.errors import FailedRun, UserError
from shared.images.checks import MAX_BYTES, check_image
from shared.networks.source import Source
from shared.webapp.choice import Choice
from shared.webapp.networks import Networks
from shared.webapp.shown import answer_page, refusal

FONTS = ["system-ui", "sans-serif"]
STYLE = Path(__file__).with_name("page.css")
WELCOME = """# Hot dog, twice

Drop a photograph, paste one or take one. Two networks of the same function, one in MXNet Gluon and one in PyTorch, say what they see."""
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


def make_page(choices: list[Choice], sources: list[Source | None], networks: Networks, folder: Path):
    """The page as an ASGI application. choices: what can be asked; sources: their source networks. The first one stands there first.

    folder: Gradio's temporary one. A photograph that was sent lies there until it has been answered, and nowhere else.
    """
    import fastapi
    import gradio as gr

    def answered(path, number):
        """What to show of a photograph that was sent, and the photograph, for a question to another network."""
        try:
            photograph = path and read_photograph(Path(path), folder)
        except (UserError, FailedRun) as error:
            return refusal(error), None
        return asked(photograph, number), photograph

    def asked(photograph, number):
        if not photograph:
            return ""
        try:
            answers = networks.ask(choices[number].runs, photograph, sources[number])
            return answer_page(choices[number], photograph, answers)
        except (UserError, FailedRun) as error:
            return refusal(error)

    with gr.Blocks(title="Hot dog, twice", analytics_enabled=False) as blocks:
        gr.Markdown(WELCOME)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                photograph = gr.Image(
                    label="Photograph",
                    type="filepath",
                    sources=["upload", "clipboard", "webcam"],
                    webcam_options=gr.WebcamOptions(mirror=False),
                    buttons=[],
                    height=300,
                )
                # the file that was sent: what is in it is for us to judge
                photograph.preprocess = lambda sent: sent and sent.path
                names = [(one.name, i) for i, one in enumerate(choices)]
                number = gr.Dropdown(names, value=0, label="Trained network", filterable=False)
            with gr.Column(scale=2, min_width=320):
                shown = gr.HTML()
        kept = gr.State()
        quietly = {"api_visibility": "private", "show_progress": "minimal"}
        photograph.input(answered, [photograph, number], [shown, kept], **quietly).then(
            lambda path: forget(path, folder), photograph, api_visibility="private", show_progress="hidden"
        )
        number.input(asked, [kept, number], shown, **quietly)
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
    )


def read_photograph(path: Path, folder: Path) -> bytes:
    """The photograph in the file `path`. Raises UserError, naming it as its user does, unless both frameworks read it."""
    try:
        if folder.resolve() not in path.resolve().parents:
            raise UserError(f"{path.name} was not sent to this page")
        check_image(path)
        return path.read_bytes()
    except UserError as error:
        raise UserError(str(error).replace(f"{path.parent}{os.sep}", "")) from None


def forget(path: str | None, folder: Path):
    """Remove a photograph that was sent to the page."""
    if path and folder.resolve() in Path(path).resolve().parents:
        Path(path).unlink(missing_ok=True)
