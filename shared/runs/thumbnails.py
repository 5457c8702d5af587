"""Test images of recorded runs, found again: a record says name and fingerprint, not where the images lie."""

import base64
import io
from pathlib import Path

from PIL import Image

from shared.errors import UserError
from shared.files import is_filled
from shared.images.folders import BUILT_IN, cache_folder, load_dataset
from shared.images.splits import Split
from shared.runs.record import Run

SIDE = 128  # pixels of the longer side of a thumbnail


class Pictures:
    """Looks for images at `places` (as --data takes them), in the cache, and below the working directory by their name."""

    def __init__(self, places=()):
        self.places = [str(place) for place in places]
        self.loaded, self.found, self.encoded = {}, {}, {}

    def tested(self, run: Run) -> Split | None:
        """The images that `run` was tested on, told by the fingerprint of all its images; None where they are not found."""
        wanted = run.dataset["fingerprint"]
        if wanted not in self.found:
            datasets = (self._load(place, how) for place in self._candidates(run) for how in _settings(run))
            self.found[wanted] = next((d.test for d in datasets if d and d.fingerprint == wanted), None)
        return self.found[wanted]

    def _candidates(self, run):
        name = run.dataset["name"]
        if name == "mini" or name == "hotdog" and is_filled(cache_folder() / "hotdog"):
            return [*self.places, name]
        return [*self.places, *([f"./{name}"] if name not in BUILT_IN and Path(name).is_dir() else [])]

    def _load(self, place, settings):
        key = (place, *settings.items())
        if key not in self.loaded:
            try:
                self.loaded[key] = load_dataset(place, **settings)
            except (UserError, OSError):
                self.loaded[key] = None
        return self.loaded[key]

    def thumbnail(self, run: Run, name: str) -> str | None:
        """The test image `name` of `run` as a data: address, small; None where it is not found.

        A file beside a record says the name: one that is none of the test images' is not opened, wherever it leads.
        """
        split = self.tested(run)
        if split is None or name not in split.names:
            return None
        file = split.folder / name
        if file not in self.encoded:
            self.encoded[file] = _small(file)
        return self.encoded[file]


def _settings(run):
    """What the images may have been loaded with: a record says what was split off, and how many there were."""
    train, test = run.dataset["train"], run.dataset["test"]
    split = (run.dataset.get("split") or {}).get("share")
    return [{"split": split, **more} for more in ({}, {"limit": max(train, test)}, {"holdout": test / (train + test)})]


def _small(file):
    try:
        with Image.open(file) as image:
            image = image.convert("RGB")
        image.thumbnail((SIDE, SIDE))
    except (OSError, SyntaxError, ValueError):  # gone or changed since it was found
        return None
    return data_address(image)


def data_address(image: Image.Image, quality: int = 85) -> str:
    """The RGB image as a data: address, a JPEG within the page that shows it."""
    encoded = io.BytesIO()
    image.save(encoded, format="jpeg", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")
