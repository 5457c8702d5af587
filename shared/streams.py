"""Standard output and errors that outlive their reader: no console, however poor, stops a run.

`hotdog run … | head`, a terminal that was closed, a full disk behind `> log`, an encoding without arrows: what cannot be written
is written plainer or dropped, and the work goes on.
"""

import codecs
import io
import os
import select
import sys

# How signs that we print look where the encoding has them not; anything else is written as its escape.
PLAINER = "hotdog-plainer"  # the name of this way to encode, as `errors=`
SIGNS = {"→": "->", "…": "...", "×": "x", "–": "-", "−": "-", "±": "+-"}


class _Unbreakable(io.FileIO):
    """An open descriptor whose other end may go away."""

    def write(self, data):
        try:
            while (written := super().write(data)) is None:  # a pipe in non-blocking mode, full at the moment
                select.select([], [self.fileno()], [])
            return written
        except OSError:
            return memoryview(data).nbytes


def steady():
    """Make `sys.stdout` and `sys.stderr` such streams, unless somebody has put others there (a test, a notebook)."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed; the next file that is opened would get this number, and what is printed with it
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__") or getattr(stream, "errors", None) == PLAINER:
            continue
        encoding = getattr(stream, "encoding", None) or "utf-8"
        raw = io.BufferedWriter(_Unbreakable(number, "w", closefd=False))
        new = io.TextIOWrapper(raw, encoding, errors=PLAINER, line_buffering=True)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _plainer(error):
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(SIGNS.get(c) or c.encode("unicode_escape").decode() for c in text), error.end


codecs.register_error(PLAINER, _plainer)
