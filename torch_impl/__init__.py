"""The chapter in PyTorch."""

from shared import threads

threads.prepare()  # before PyTorch is imported, where this comes first
