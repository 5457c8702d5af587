"""What can be found out about this machine's NVIDIA GPU.

What cannot be found out is said as such: only where nothing speaks of a GPU is there none.
"""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from shared.errors import printable

# What nvidia-smi puts where it does not know, and messages among its answers.
NO_NAME = re.compile(r"\bN/A\b|Not Supported|Unknown Error|\ufffd|not a valid field|failed|WARNING|Unable")
PATIENCE = 20  # seconds; nvidia-smi takes several where many GPUs sleep


@dataclass(frozen=True)
class Card:
    """The NVIDIA GPU that frameworks get in this process, as far as it can be found out.

    found: True, False where there is none for us, None where that cannot be found out. name, capability: None where they cannot.
    doubt: what is not certain and why, or why there is none; a clause, without a full stop. "" where nothing is to be said.
    """

    found: bool | None
    name: str | None = None
    capability: tuple[int, int] | None = None
    doubt: str = ""


def nvidia_card(proc="/proc/driver/nvidia", dev="/dev") -> Card:
    """The first NVIDIA GPU that a framework would get, asking the CUDA driver, then nvidia-smi, then the kernel's files.

    proc, dev: folders where the kernel shows a loaded driver and its GPUs.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    driver = _driver_answer()
    if "name" in driver:
        return Card(True, driver["name"], tuple(driver["capability"]))
    listed, trouble = _listed_cards()
    files = [path for path in (Path(proc), *sorted(Path(dev).glob("nvidia[0-9]*"))) if path.exists()]
    doubts = [trouble, driver.get("error") and f"the CUDA driver says {driver['error']}"]
    doubts.append("the CUDA driver finds none" if driver.get("count") == 0 else None)
    if not listed and (listed := _cards_of_the_kernel(Path(proc))):
        doubts.append(f"known from {proc} only")
    doubts = list(filter(None, doubts))
    if driver.get("count") == 0 and visible is not None and (listed or files or trouble):
        return Card(False, doubt=_hidden(visible))
    if listed:
        card = _chosen(listed, visible)
        return card if card.found is False else _doubted(card, *doubts)
    if files or trouble or "error" in driver:
        doubts += [f"{path} is there" for path in files[:2]]
        return Card(None, doubt=f"whether there is an NVIDIA GPU cannot be found out: {'; '.join(doubts)}")
    return Card(False, doubt="there is no NVIDIA GPU")


def _doubted(card, *doubts):
    return replace(card, doubt="; ".join(filter(None, (card.doubt, *doubts))))


def _hidden(visible):
    return f"CUDA_VISIBLE_DEVICES={visible!r} leaves no GPU visible"


def _cards_of_the_kernel(proc):
    texts = (_read(path) for path in sorted(proc.glob("gpus/*/information")))
    return [Card(True, printable(name)) for text in texts for name in re.findall(r"^Model:\s*(\S.*)$", text, re.M)]


def _driver_answer() -> dict:
    """What shared/cuda_driver.py prints, or {"error": what came instead}."""
    program = Path(__file__).with_name("cuda_driver.py")
    try:
        code, out = _output([sys.executable, "-I", str(program)])
        return json.loads(out.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"error": f"nothing within {PATIENCE} s"}
    except OSError:
        return {"missing": True}
    except (ValueError, IndexError):
        return {"error": f"nothing (it ended with {code})"}


def _listed_cards() -> tuple[list[Card], str]:
    """The GPUs that nvidia-smi lists, in its order, and what is wrong with its answer ("" where it is not installed, too)."""
    try:
        for fields in (
            "name,compute_cap",
            "name",
        ):  # drivers before 510 know no compute_cap, and refuse the whole question
            code, out = _output(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"])
            cards = [card for line in out.splitlines() if (card := _card_of(line, fields))]
            if code == 0 and cards:
                return cards, ""
            if code == 0 and "not a valid field" not in out:
                break
        said = next((printable(line.strip()) for line in out.splitlines() if line.strip()), "nothing")
        if said == "No devices were found":
            return [], ""
        return [], f"nvidia-smi says {said[:150]!r} (exit code {code})"
    except FileNotFoundError:
        return [], ""
    except subprocess.TimeoutExpired:
        return [], f"nvidia-smi gives no answer within {PATIENCE} s"
    except OSError as error:
        return [], f"nvidia-smi cannot be run ({error.strerror})"


def _card_of(line, fields):
    name, _, capability = line.rpartition(",") if "compute_cap" in fields else (line, "", "")
    name = printable(name.strip())
    if not re.search(r"[A-Za-z]", name) or NO_NAME.search(name):
        return None
    number = re.fullmatch(r"(\d+)\.(\d+)", capability.strip())
    if number:
        return Card(True, name, (int(number[1]), int(number[2])))
    return Card(True, name)


def _chosen(listed, visible):
    """Which of nvidia-smi's cards CUDA_VISIBLE_DEVICES puts first; CUDA stops at the first entry that it does not know."""
    if visible is None:
        return _sure_of_order(listed, 0)
    first = visible.split(",")[0].strip()
    hidden = Card(False, doubt=_hidden(visible))
    if first.isdecimal():
        return _sure_of_order(listed, int(first)) if int(first) < len(listed) else hidden
    if not first.startswith(("GPU-", "MIG-")):
        return hidden
    try:
        _, out = _output(["nvidia-smi", "-L"])
    except (OSError, subprocess.TimeoutExpired):
        out = ""
    # `GPU 0: NVIDIA A100 (UUID: GPU-…)`, and below it `  MIG 1g.5gb Device 0: (UUID: MIG-…)`; older: MIG-GPU-…/1/0
    number, wanted = None, re.sub(r"^MIG-(GPU-[^/]*).*", r"\1", first)
    for line in out.splitlines():
        number = int(m[1]) if (m := re.match(r"GPU (\d+):", line)) else number
        if number is not None and f"UUID: {wanted}" in line and number < len(listed):
            card, part = listed[number], re.match(r"\s*(MIG \S+)", line)
            return replace(card, name=f"{card.name} {part[1]}") if part else card
    if "UUID:" in out:
        return hidden
    return Card(True, doubt=f"which one CUDA_VISIBLE_DEVICES={visible!r} means cannot be found out")


def _sure_of_order(listed, number):
    card = listed[number]
    alike = len({(c.name, c.capability) for c in listed}) == 1
    if alike or os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return card
    order = f"GPU {number} in nvidia-smi's order; CUDA's may be another unless CUDA_DEVICE_ORDER=PCI_BUS_ID"
    return _doubted(card, order)


def _output(command):
    """Exit code of `command` and what it prints, its errors where it prints nothing else.

    Raises TimeoutExpired, not waiting for a process that does not even die.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        out, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, (out.strip() or errors).decode(errors="replace")


def _read(path):
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
