"""The one error a user can cause: its text is one line that says what is wrong, with what, and what to do."""


class UserError(Exception):
    """Wrong use or wrong input. The command prints the text without a traceback and exits with 2."""


def reason_of(error: BaseException) -> str:
    """What `error` says, in one line of at most 300 characters; its type where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # MXNet's errors carry a traceback of their own, with the reason in the last line.
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0])[:300]
