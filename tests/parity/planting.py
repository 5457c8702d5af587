"""Faults as edits of the implementations' source text, and how one is planted for a while."""

import contextlib
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """name: what went wrong. file: where. rung: the first that breaks. sign: what its message names. edits: (old, new) texts."""

    name: str
    file: str
    rung: int
    sign: str
    edits: tuple[tuple[str, str], ...]


def fault(name, file, rung, sign, *texts):
    return Fault(name, file, rung, sign, tuple(zip(texts[::2], texts[1::2], strict=True)))


@contextlib.contextmanager
def planted(fault: Fault):
    """Run the edited source in place of the module's own, everywhere it has been imported to; undo it at the end.

    Raises ValueError when a text to be edited is no longer there: the fault has to follow the code.
    """
    module = importlib.import_module(fault.file.removesuffix(".py").replace("/", "."))
    source = Path(module.__file__).read_text(encoding="utf-8")
    for old, new in fault.edits:
        if old not in source:
            raise ValueError(f"{fault.name} cannot be planted: {fault.file} no longer says {old!r}")
        source = source.replace(old, new)
    ours = [
        m for name, m in sys.modules.items() if name.startswith(("gluon_impl", "torch_impl", "shared", "parity")) and m
    ]
    before = {m: dict(vars(m)) for m in ours}
    try:
        exec(compile(source, module.__file__, "exec"), vars(module))
        # Others hold what they imported from the module before: give them the new one too.
        renewed = {id(old): vars(module)[name] for name, old in before[module].items() if not name.startswith("__")}
        for other in ours:
            for name, value in before[other].items():
                if other is not module and id(value) in renewed:
                    setattr(other, name, renewed[id(value)])
        yield
    finally:
        for m, names in before.items():
            vars(m).clear()
            vars(m).update(names)
