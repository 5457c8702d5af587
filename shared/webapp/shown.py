"""An answer as HTML: what both frameworks say of a photograph, side by side. Pictures are inside, so that none lies in a file."""

import io
from html import escape

import numpy as np
from PIL import Image

from shared.errors import printable
from shared.images.heat import overlay
from shared.runs.frameworks import NAMES
from shared.runs.thumbnails import data_address
from shared.webapp.choice import Choice
from shared.webapp.networks import Answer

MOST_CLASSES = 5
NOTHING = '<p class="times">No place by itself speaks for this class.</p>'
ORIENTATION = 0x0112  # the EXIF tag that says how a camera was held


def answer_page(choice: Choice, photograph: bytes, answers: dict[str, Answer]) -> str:
    """Both answers, and how far apart they are."""
    image = Image.open(io.BytesIO(photograph))
    turned = image.getexif().get(ORIENTATION, 1) != 1
    columns = "".join(_column(name, choice, image, answers[f]) for f, name in NAMES.items())
    gap = max(abs(a - b) for a, b in zip(*(one.probabilities.tolist() for one in answers.values()), strict=True))
    said = (
        f"Between the two, no probability differs by more than {gap:.1g}." if gap else "All probabilities are the same."
    )
    lines = [
        "The bluer a place, the more it speaks for the class above it (Grad-CAM); the dark edge is what the networks do not see.",
        f"{said} They were asked one after the other, on this machine; nothing was sent anywhere, and nothing is kept.",
    ]
    if turned:
        lines.append(
            "This file asks to be turned when it is shown; neither framework does, and the pictures are as the networks saw them."
        )
    return f'<div class="answers">{columns}</div>' + "".join(f'<p class="note">{line}</p>' for line in lines)


def refusal(line: str) -> str:
    """Our one line about a file that is no photograph, or about what went wrong."""
    return f'<p class="refusal" role="alert">{_text(line)}</p>'


def _column(name, choice, image, answer):
    classes, size = choice.run.dataset["classes"], choice.run.experiment["size"]
    best = classes[answer.explained]
    picture = overlay(image.convert("RGB"), answer.heat, size)
    order = np.argsort(-answer.probabilities, kind="stable")[:MOST_CLASSES]
    rows = "".join(_bar(classes[i], float(answer.probabilities[i])) for i in order)
    source = ""
    if answer.source:
        named = "".join(_bar(label, p) for label, p in answer.source)
        source = f"<h3>The source network, {_text(choice.run.source['name'])}, calls it</h3><ul>{named}</ul>"
    return (
        f'<section class="answer"><h2>{name}: {_text(best)}</h2>'
        f'<img src="{data_address(picture, quality=90)}" width="{picture.width}" height="{picture.height}" '
        f'alt="The photograph; marked is what speaks for {_text(best)} in {name}">'
        f"{NOTHING * (not answer.heat.any())}<ul>{rows}</ul>{source}"
        f'<p class="times">{1000 * answer.predicting:.0f} ms to read the file and for the probabilities, '
        f"{1000 * answer.mapping:.0f} ms for the map</p></section>"
    )


def _bar(label, p):
    return (
        f'<li><span class="label">{_text(label)}</span> <span class="p">{p:.6f}</span>'
        f'<span class="bar" aria-hidden="true"><span style="width:{100 * p:.2f}%"></span></span></li>'
    )


def _text(text):
    return escape(printable(text))
