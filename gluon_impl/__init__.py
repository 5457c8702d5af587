"""The chapter in MXNet Gluon."""

from shared.networks import numpy_aliases

numpy_aliases.restore()  # before MXNet is imported anywhere
