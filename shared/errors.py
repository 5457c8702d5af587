"""The one error a user can cause: its text is one line that says what is wrong, with what, and what to do."""

import os
import sys


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


def reason_of(error: BaseException) -> str:
    """What `error` says, in one line of at most 300 characters; its type where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # MXNet's errors carry a traceback of their own, with the reason in the last line.
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0])[:300]


def guarded(work, interrupted="interrupted; what was recorded so far is kept") -> int:
    """Do `work`; turn its errors into one line on standard error and an exit code."""
    import click

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
            f"hotdog: failed: {type(error).__name__}: {printable(reason_of(error))} (HOTDOG_TRACEBACK=1 shows where)",
            file=sys.stderr,
        )
        return 1
    if interrupted:
        print(f"hotdog: {interrupted}", file=sys.stderr)
    return 130
