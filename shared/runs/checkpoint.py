"""Checkpoints: all that a run needs to go on after an epoch as if it had never stopped.

One safetensors file per epoch, `checkpoint-N.safetensors` in the run's folder: the network's tensors under `net.`, the
optimiser's under `trainer.`. Random numbers need no state, for every epoch draws anew from (seed, epoch).
"""

import re
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from shared.files import write_atomically

KEPT = 2
NAME = re.compile(r"checkpoint-(\d+)\.safetensors")


def write_checkpoint(folder: Path, epoch: int, net: dict, trainer: dict):
    """Keep {name: array} of network and optimiser after `epoch`; the newest two checkpoints stay, older ones go."""
    tensors = {f"net.{n}": t for n, t in net.items()} | {f"trainer.{n}": t for n, t in trainer.items()}
    tensors = {name: np.ascontiguousarray(t) for name, t in tensors.items()}
    write_atomically(folder / f"checkpoint-{epoch}.safetensors", lambda path: save_file(tensors, path))
    for old in sorted(_checkpoints(folder))[:-KEPT]:
        _checkpoints(folder)[old].unlink(missing_ok=True)


def read_checkpoint(folder: Path, newest: int) -> tuple[int, dict, dict] | None:
    """(epoch, network's tensors, optimiser's tensors) of the latest checkpoint that can be read, `newest` at most; or None."""
    found = _checkpoints(folder)
    for epoch in sorted(found, reverse=True):
        if epoch > newest:
            continue  # written, but its epoch was not recorded any more
        try:
            tensors = load_file(found[epoch])
        except (OSError, SafetensorError):
            continue
        parts = {
            part: {n.removeprefix(f"{part}."): t for n, t in tensors.items() if n.startswith(f"{part}.")}
            for part in ("net", "trainer")
        }
        return epoch, parts["net"], parts["trainer"]
    return None


def remove_checkpoints(folder: Path):
    """Remove the checkpoints of a run that needs them no more."""
    for path in _checkpoints(folder).values():
        path.unlink(missing_ok=True)


def _checkpoints(folder):
    return {
        int(NAME.fullmatch(p.name)[1]): p for p in folder.glob("checkpoint-*.safetensors") if NAME.fullmatch(p.name)
    }
