"""The two published ResNet-18: MXNet's `resnet18_v2`, as in the book, and torchvision's `resnet18`. Two networks, never exchanged.

Each library downloads its own file, checks it (MXNet by SHA-1, torchvision by SHA-256) and keeps it. Where that fails, the message
says which address did not answer and what can be used instead, of which what needs a server has just been tried.
"""

import io
import os
import re
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from unittest import mock

from shared.errors import UserError, reason_of

SECONDS = 5  # that another server has to answer before it is called unreachable


def gluon_file() -> Path:
    """MXNet's `resnet18_v2`, downloaded by MXNet into its own cache. Raises UserError when it cannot be had."""
    from shared.networks import numpy_aliases

    numpy_aliases.restore()  # before MXNet is imported
    from mxnet.gluon.model_zoo import model_store

    twice = partial(
        model_store.download, retries=1
    )  # MXNet's own six attempts take minutes where a name does not resolve
    try:
        with redirect_stdout(_FirstLine(sys.stdout)), mock.patch.object(model_store, "download", twice):
            return Path(model_store.get_model_file("resnet18_v2"))
    except Exception as error:
        server = os.environ.get("MXNET_GLUON_REPO", model_store.apache_repo_url)
        address = f"{server.rstrip('/')}/gluon/models/resnet18_v2-{model_store.short_hash('resnet18_v2')}.zip"
        torchvision = (
            f"torchvision's resnet18, another network (--source torchvision){_state_of(_torchvision_weights())}"
        )
        raise UserError(
            f"MXNet could not download its resnet18_v2 from {address} (SHA-1 {model_store.short_hash('resnet18_v2')}...): "
            f"{_cause(error)}. Instead: {torchvision}; a file of weights (--source FILE); the drawn images' own network "
            "(--source mini); a mirror (MXNET_GLUON_REPO=ADDRESS)"
        ) from None


class _FirstLine(io.TextIOBase):
    """Lets the first line through to `stream`: that a download begins, not how its attempts fail."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        if self.stream:
            line, end, _ = text.partition("\n")
            self.stream.write(line + end)
            if end:
                self.stream.flush()
                self.stream = None
        return len(text)


def _cause(error):
    """The reason in an error of a download; requests wraps it into two others."""
    innermost = re.search(r"Caused by .*?: (.*)[\"']\)\)$", str(error))
    return innermost[1] if innermost else reason_of(error)


def torchvision_file() -> Path:
    """torchvision's `resnet18`, downloaded by torch into its own cache. Raises UserError when it cannot be had."""
    weights = _torchvision_weights()
    try:
        weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:
        raise UserError(
            f"torchvision could not download its resnet18 from {weights.url}: {_cause(error)}. Instead: a file of weights "
            "(--source FILE); the drawn images' own network (--source mini); MXNet's resnet18_v2, another network "
            "(--source imagenet)"
        ) from None
    return _cached(weights)


def _torchvision_weights():
    from torchvision.models import ResNet18_Weights

    return ResNet18_Weights.IMAGENET1K_V1


def _cached(weights):
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name


def _state_of(weights):
    """What to say of torchvision's file: that it is here, or that its server does not answer either."""
    import requests

    if _cached(weights).is_file():
        return ", which is here already"
    try:
        requests.head(weights.url, timeout=SECONDS, allow_redirects=True).raise_for_status()
    except requests.RequestException:
        return f", but {weights.url} does not answer either"
    return ", whose server answers"
