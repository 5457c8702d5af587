"""The chapter in MXNet Gluon."""

from gluon_impl import numpy_aliases

numpy_aliases.restore()  # before MXNet is imported anywhere
