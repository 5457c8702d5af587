"""Errors end in one line that keeps the reason, whatever it came wrapped in."""

import pytest

from shared.errors import FailedRun, UserError, guarded, reason_of

WORKER = """Caught {type} in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "worker.py", line 349, in _worker_loop
    data = fetcher.fetch(index)
           ^^^^^^^^^^^^^^^^^^^^
{outcome}
"""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("first line\nsecond line"), "first line"),
        (KeyError(), "KeyError"),
        (
            RuntimeError("Traceback (most recent call last):\n  File x\nMXNetError: what it is about\n"),
            "MXNetError: what it is about",
        ),
        (
            OSError(WORKER.format(type="OSError", outcome="OSError: image file is truncated (3 bytes not processed)")),
            "image file is truncated (3 bytes not processed)",
        ),
        (
            RuntimeError(WORKER.format(type="X", outcome="PIL.UnidentifiedImageError: cannot identify '/a/b.png'")),
            "PIL.UnidentifiedImageError: cannot identify '/a/b.png'",
        ),
        (ValueError("a\x1b[31mred\x1b[0m\x07"), "ared\\x07"),
    ],
)
def test_the_reason_is_kept(error, reason):
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unable to allocate shared memory(shm) for file </torch_1_2_0>: Success (0)", ("--shm-size", "--workers 0")),
        ("unable to write to file </torch_12_34>: No space left on device (28)", ("--shm-size", "--workers 0")),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. ", ("shared memory", "--workers 0")),
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", ("memory", "--workers")),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", ("memory", "--workers")),
        ("[Errno 24] Too many open files: '/dev/shm'", ("--workers 0",)),
        ("libgomp.so.1: cannot open shared object file: No such file or directory", ("apt-get install libgomp1",)),
        ("libquadmath.so.0: cannot open shared object file: No such file or directory", ("libquadmath0",)),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", ("--batch-size",)),
        ("Check failed: e == cudaSuccess: CUDA: cudaMalloc failed: out of memory", ("--batch-size",)),
    ],
)
def test_what_the_machine_lacks_comes_with_what_to_do(text, words):
    reason = reason_of(RuntimeError(WORKER.format(type="RuntimeError", outcome=f"RuntimeError: {text}")))
    assert reason.startswith(text.strip()) and all(word in reason for word in words)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (RuntimeError("one\ntwo"), 1, "hotdog: failed: RuntimeError: one (HOTDOG_TRACEBACK=1 shows where)"),
        (UserError("no such\nfile"), 2, "hotdog: no such\\nfile"),
        (FailedRun("it diverged"), 1, "hotdog: it diverged"),
        (FileNotFoundError(2, "No such file", "a\x1b[2Jb"), 2, "hotdog: a\\x1b[2Jb: No such file"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(error, code, line, capsys):
    def fail():
        raise error

    assert guarded(fail) == code
    assert capsys.readouterr().err.splitlines() == [line]
