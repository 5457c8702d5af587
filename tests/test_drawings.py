"""Drawings are the same to the pixel as when the records were made: whoever changes one raises VERSION and records anew."""

import json
import zlib
from pathlib import Path

import numpy as np

from shared.files import write_rows
from shared.images.mini.catalogue import CLUTTER, SOURCE, TARGET_FOODS, UPRIGHT
from shared.images.mini.drawings import drawing
from shared.images.mini.render import SOURCE_CLASSES, TARGET_CLASSES, VERSION

# A line per style and class: CRC-32 of the pixels of its first training drawings.
FILE = Path(__file__).with_name("drawings.json")
CASES = [("source", name, 2) for name in SOURCE_CLASSES] + [("target", name, 20) for name in TARGET_CLASSES]


def checksums(style, name, count):
    return [zlib.crc32(np.asarray(drawing(style, "train", name, i)).tobytes()) for i in range(count)]


def test_pixels_are_those_of_this_version():
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    drawn = [[style, name, checksums(style, name, count)] for style, name, count in CASES]
    changed = [row[:2] for row in drawn if row not in recorded["drawings"]]
    assert (recorded["version"], len(recorded["drawings"])) == (VERSION, len(CASES))
    assert not changed, "raise VERSION in render.py, then run this file as a script"


def test_every_class_is_drawn_by_the_function_of_its_name():
    assert SOURCE["beer bottle"].__name__ == "beer_bottle" and SOURCE["hotdog"].__name__ == "hotdog"
    assert SOURCE["hotdog"] not in TARGET_FOODS and set(SOURCE.values()) | set(TARGET_FOODS) > UPRIGHT
    assert not set(CLUTTER) & (set(SOURCE.values()) | set(TARGET_FOODS))


if __name__ == "__main__":
    write_rows(
        FILE, {"version": VERSION}, "drawings", [[style, name, checksums(style, name, n)] for style, name, n in CASES]
    )
