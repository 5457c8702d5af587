"""Images and source network on another machine: found there by fingerprint, at their path or in the cache, or unpacked there.

What lies at the same path under the same name may be something else, so nothing is taken that has not the wanted fingerprint.
"""

import contextlib
import io
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path

from safetensors.numpy import save

from shared.errors import UserError
from shared.files import is_filled, whole_folder
from shared.images.checks import fingerprint
from shared.images.folders import cache_folder, load_dataset
from shared.images.splits import Dataset, Split
from shared.networks.reading import KNOWN, load_source
from shared.networks.source import Source

FACTS = "images.json"
SOURCE = "source.safetensors"


def find_images(job, wanted: str) -> Dataset | None:
    """The job's images with the fingerprint `wanted`, from where the job says or from the cache; None where neither has them."""
    if job.data != "hotdog" or is_filled(cache_folder() / "hotdog"):  # nothing is downloaded that can be sent
        with contextlib.suppress(UserError, OSError):
            found = load_dataset(job.data, job.limit, job.holdout, job.split)
            if found.fingerprint == wanted:
                return found
    with contextlib.suppress(UserError, OSError, ValueError):
        return read_images(_place("images", wanted), wanted)
    return None


def find_source(job, wanted: str, name: str) -> Source | None:
    """The job's source network with the fingerprint `wanted`, from where the job says or from the cache, under `name`; or None."""
    downloaded = job.source in KNOWN and job.source != "mini"
    for spec in ([] if downloaded else [job.source]) + [str(_place("source", wanted) / SOURCE)]:
        with contextlib.suppress(UserError, OSError):
            found = load_source(spec)
            if found.fingerprint == wanted:
                return replace(found, name=name)
    return None


def packed_images(dataset: Dataset) -> bytes:
    """An archive (tar) of the images of `dataset`, and of what else it says. Raises UserError for images outside of its folder."""
    facts = {
        "name": dataset.name,
        "classes": dataset.classes,
        "listed": dataset.fingerprint != fingerprint((dataset.train, dataset.test)),
        "split": dataset.split,
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for part in ("train", "test"):
            split = getattr(dataset, part)
            facts[part] = {"folder": split.folder.resolve().name, "names": split.names, "labels": split.labels}
            for name in split.names:
                if os.path.isabs(name) or ".." in Path(name).parts:
                    raise UserError(
                        f"{split.folder / name} lies outside of {split.folder}, so it cannot be sent to a worker"
                    )
                archive.add(
                    os.path.realpath(split.folder / name), f"{part}/{facts[part]['folder']}/{name}", recursive=False
                )
        _add(archive, FACTS, json.dumps(facts).encode())
    return out.getvalue()


def packed_source(source: Source) -> bytes:
    """The source network as a safetensors file: its tensors under canonical names, its class labels."""
    return save(source.tensors, {"classes": json.dumps(source.classes)} if source.classes else None)


def keep_images(content: bytes, wanted: str):
    """Unpack what `packed_images` made into the cache. Raises UserError where it is not what has the fingerprint `wanted`."""

    def fill(folder):
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(folder, filter="data")  # neither links nor paths that lead out
        read_images(folder, wanted)

    whole_folder(_place("images", wanted), fill)


def keep_source(content: bytes, wanted: str):
    """Put what `packed_source` made into the cache. Raises UserError where it has not the fingerprint `wanted`."""

    def fill(folder):
        (folder / SOURCE).write_bytes(content)
        if load_source(str(folder / SOURCE)).fingerprint != wanted:
            raise UserError(f"the source network that was sent is not {wanted}")

    whole_folder(_place("source", wanted), fill)


def read_images(folder: Path, wanted: str) -> Dataset:
    """The images that `keep_images` unpacked into `folder`. Raises UserError where their fingerprint is not `wanted`."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    train, test = (
        Split(folder / part / facts[part]["folder"], tuple(facts[part]["names"]), tuple(facts[part]["labels"]))
        for part in ("train", "test")
    )
    classes = tuple(facts["classes"])
    found = fingerprint((train, test), None, classes if facts["listed"] else None)
    if found != wanted:
        raise UserError(f"the images in {folder} are not {wanted} but {found}")
    return Dataset(facts["name"], classes, train, test, found, facts["split"])


def _place(kind, wanted):
    return cache_folder() / "cluster" / f"{kind}-{wanted}"


def _add(archive, name, content):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
