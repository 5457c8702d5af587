"""The chapter in MXNet Gluon."""

from shared import threads
from shared.networks import numpy_aliases

# Both before MXNet is imported anywhere.
numpy_aliases.restore()
threads.prepare()
