"""The one error a user can cause: its text is one line that says what is wrong, with what, and what to do."""

import os
import re
import sys

from shared.streams import steady


def printable(text: object) -> str:
    """`text` as one line that a terminal shows as it is: whatever is no printable character is written as its escape.

    Names of files, classes and columns come from outside. A newline in one would break the line in two, an escape sequence
    would move the cursor or colour the rest, and an override of the writing direction would show another name.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class UserError(Exception):
    """Wrong use or wrong input. The command prints the text without a traceback and exits with 2.

    The text is kept `printable`, so names from outside can be put into it as they are.
    """

    def __init__(self, text: str):
        super().__init__(printable(text))


class FailedRun(Exception):
    """A run that failed for a reason worth one line. The command prints the text and exits with 1."""


# What libraries say when the machine lacks something, and what to do then.
ADVICE = {
    r"shared memory|/dev/shm|Bus error|torch_\d+_\d+.*No space left": "the processes that load images ran out of shared "
    "memory: give /dev/shm more (docker run --shm-size=1g) or use --workers 0",
    r"DataLoader worker .*(killed by signal|exited unexpectedly)": "a process that loads images was ended from outside, "
    "perhaps for want of memory: use fewer --workers",
    r"Too many open files|ancdata": "allow more of them (ulimit -n 4096) or use --workers 0",
    r"lib(gomp|quadmath)\S*: cannot open shared object": "MXNet needs this system library: apt-get install libgomp1 "
    "libquadmath0 (Debian, Ubuntu)",
    r"CUDA.*out of memory|cudaMalloc.*out of memory|CUDNN_STATUS_ALLOC_FAILED": "the GPU's memory is full: use a smaller "
    "--batch-size, or --device cpu",
}
# The line of a printed traceback that says what went wrong: `PIL.UnidentifiedImageError: cannot identify image file …`.
_OUTCOME = re.compile(r"(?:[A-Za-z_]\w*\.)*(?P<type>[A-Za-z_]\w*): (?P<text>\S.*)")


def reason_of(error: BaseException) -> str:
    """What `error` says, in one printable line: at most 300 characters and, where we know any, what to do about it.

    Errors that bring the traceback of another place (MXNet's from C++, PyTorch's from a loading process) say it in the last line
    of that; the first would only say that there is one.
    """
    text = re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", str(error))  # colours: torch writes some into its errors
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        reason = type(error).__name__
    elif "Traceback (most recent call last)" in text:
        outcomes = [m for line in text.splitlines() if (m := _OUTCOME.fullmatch(line.rstrip()))]
        reason = lines[-1]
        if outcomes:
            last = outcomes[-1]
            reason = last["text"] if last["type"] == type(error).__name__ else last[0]
    else:
        reason = lines[0]
    advice = next((advice for sign, advice in ADVICE.items() if re.search(sign, text)), None)
    return printable(reason[:300]) + (f" ({advice})" if advice else "")


def guarded(work, interrupted="interrupted; what was recorded so far is kept") -> int:
    """Do `work`; turn its errors into one line on standard error and an exit code. Its console cannot stop it, see `steady`."""
    import click

    steady()
    try:
        code = work()
        if code != 130:  # what typer makes of a KeyboardInterrupt
            return 0
    except click.UsageError as error:
        print(f"hotdog: {printable(error.format_message())} (--help shows what there is)", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"hotdog: {error}", file=sys.stderr)
        return 2
    except FailedRun as error:
        print(f"hotdog: {printable(error)}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, click.Abort):
        pass
    except Exception as error:
        if (
            isinstance(error, OSError) and error.filename
        ):  # a path that the user gave and that cannot be read or written
            print(printable(f"hotdog: {error.filename}: {error.strerror}"), file=sys.stderr)
            return 2
        if os.environ.get("HOTDOG_TRACEBACK"):
            raise
        print(
            f"hotdog: failed: {type(error).__name__}: {reason_of(error)} (HOTDOG_TRACEBACK=1 shows where)",
            file=sys.stderr,
        )
        return 1
    if interrupted:
        print(f"hotdog: {interrupted}", file=sys.stderr)
    return 130
