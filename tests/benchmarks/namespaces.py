"""A network and mounts of this benchmark's own, by Linux namespaces: no rights are needed, nothing outside is touched.

Nobody else's bytes pass the loopback there, so its counter counts ours; it can be made as slow as a line; and a process can be
started that does not see some folders, as on a machine that shares no storage with this one.
"""

import contextlib
import fcntl
import os
import shlex
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # from linux/sockios.h and linux/if.h


UNSHARE = ["unshare", "--map-root-user", "--net", "--mount"]
REFUSED = f"this needs Linux's user namespaces ({' '.join(UNSHARE)}), which this system refuses, as many containers do"


def refused() -> bool:
    """Whether this system gives no namespaces."""
    return subprocess.run([*UNSHARE, "true"], capture_output=True).returncode != 0


def enter(module: str, arguments: list[str]):
    """Become `python -m module --inside arguments` in namespaces of its own. SystemExit where this system gives none."""
    if refused():
        raise SystemExit(REFUSED)
    os.execvp("unshare", [*UNSHARE, sys.executable, "-m", module, "--inside", *arguments])


def loopback_up():
    """Switch 127.0.0.1 on, which a new network has switched off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


def bytes_sent() -> int:
    """All bytes that were sent over the loopback of this network so far, headers and acknowledgements too."""
    for line in Path("/proc/self/net/dev").read_text(encoding="ascii").splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[8])
    raise OSError("this network has no loopback")


@contextlib.contextmanager
def line_of(bits_per_second: float):
    """The loopback as slow as a line; yields False, and does nothing, where the system's `tc` cannot do it."""
    tc = shutil.which("tc") or "/usr/sbin/tc"
    rate = ["tbf", "rate", f"{bits_per_second:.0f}bit", "burst", "256kb", "latency", "500ms"]
    try:
        slow = subprocess.run([tc, "qdisc", "add", "dev", "lo", "root", *rate], capture_output=True).returncode == 0
    except OSError:
        slow = False
    try:
        yield slow
    finally:
        if slow:
            subprocess.run([tc, "qdisc", "del", "dev", "lo", "root"], check=True)


def without(folders, command: list) -> list[str]:
    """`command` as it is started where `folders` are empty."""
    hide = " && ".join(f"mount -t tmpfs none {shlex.quote(str(folder))}" for folder in folders)
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *own, "--mount", "sh", "-c", f'{hide} && exec "$@"', "sh", *map(str, command)]
