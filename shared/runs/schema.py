"""What may stand in a record: types and ranges, told to pydantic by annotations; unknown entries are kept, wrong ones refused.

pydantic takes a while to import, so it is imported when the first record is read.
"""

import functools
import json
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from typing_extensions import NotRequired, TypedDict

from shared.errors import UserError

Text = Annotated[str, MaxLen(4096)]
Name = Annotated[str, MinLen(1), MaxLen(4096)]
Count = Annotated[int, Ge(0), Le(10**9)]
Positive = Annotated[int, Ge(1), Le(10**9)]
Share = Annotated[float, Ge(0), Le(1)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
Mebibytes = Annotated[float, Ge(0), Le(1e9)]
Framework = Literal["gluon", "torch"]
Status = Literal["running", "finished", "failed", "interrupted", "diverged"]
Draws = Literal["own", "shared"]


class DatasetFacts(TypedDict):
    """The images of a run: how many, of which classes, from which folder the tested ones are, and the fingerprint of them all."""

    name: Name
    classes: Annotated[list[Name], MinLen(2)]
    train: Positive
    test: Positive
    tested_on: Text
    fingerprint: Name


class SourceFacts(TypedDict):
    """The source network of a run, and the output row that was taken from it, if any."""

    name: Name
    architecture: Name
    fingerprint: Name
    row: Count | None
    row_label: Text | None


class DeviceFacts(TypedDict):
    """Where a run was made. Threads, workers, the cache's limit, devices and precision were not recorded at first."""

    used: Name
    why: Text
    gpu: Text | None
    cpu: Text
    cores: Positive
    threads: NotRequired[Positive | None]
    workers: NotRequired[Count | None]
    cache_mib: NotRequired[Count]
    devices: NotRequired[Positive]
    precision: NotRequired[Literal["fp32", "tf32", "bf16"]]


class MemoryFacts(TypedDict):
    """Main memory of the process: before the run, and at its peak up to the run's end."""

    before_mib: NotRequired[Mebibytes | None]
    peak_mib: NotRequired[Mebibytes | None]


class ProcessFacts(TypedDict):
    """The process that carries out a run, see shared.runs.liveness. Not recorded at first."""

    host: NotRequired[Text]
    pid: NotRequired[Annotated[int, Ge(1), Le(2**31 - 1)]]
    started: NotRequired[Annotated[float, Ge(0), Le(1e12)]]


class EpochFacts(TypedDict):
    """What one epoch gave, see shared.epochs. None: there was nothing (epoch 0 trains nothing), or it was not finite."""

    epoch: Count
    train_loss: Annotated[float, Ge(0)] | None
    train_accuracy: Share | None
    test_accuracy: Share | None
    seconds: Annotated[float, Ge(0), Le(1e9)] | None
    images_per_second: Annotated[float, Gt(0), Le(1e9)] | None
    test_loss: NotRequired[Annotated[float, Ge(0)] | None]


def parse(text: bytes | str) -> dict:
    """The JSON object in `text`. Raises ValueError for anything else, also for numbers that are not finite."""

    def refuse(constant):
        raise ValueError(f"{constant} is no number in JSON")

    def finite(digits):
        value = float(digits)
        return refuse(digits) if value in (float("inf"), float("-inf")) else value

    try:
        record = json.loads(text, parse_constant=refuse, parse_float=finite)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError("it holds no JSON object")
    return record


def checked(kind, value, where: str = ""):
    """`value`, as JSON gives it, as a `kind`: a dataclass or a TypedDict.

    Types are taken as they are written ("3" is no number). Entries that `kind` does not know are kept in a TypedDict and left out
    of a dataclass. Raises ValueError, in one line, for the first entry that is missing or wrong. where: what `value` is an
    entry of.
    """
    from pydantic import ValidationError

    try:
        return _model(kind).model_validate_json(json.dumps({"value": value})).value
    except ValidationError as error:
        raise ValueError(_in_one_line(error, where)) from None
    except UserError as error:  # the kind's own check
        raise ValueError(f"{where}: {error}" if where else str(error)) from None


@functools.cache
def _model(kind):
    from pydantic import ConfigDict, create_model

    # In strict JSON mode a list is taken for a tuple and an object for a dataclass, but no text for a number.
    config = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")
    return create_model("Checked", __config__=config, value=(kind, ...))


def _in_one_line(error, where):
    first, *others = error.errors(include_url=False)
    entry = ".".join(str(part) for part in (where, *first["loc"][1:]) if part != "")
    more = f" (and {len(others)} more)" if others else ""
    reason = first["msg"][0].lower() + first["msg"][1:]
    if first["type"] in ("missing", "missing_argument"):
        return f"it has no entry {entry!r}{more}"
    if not entry:
        return f"{reason}{more}"
    found = json.dumps(first["input"])
    return f"{entry} is {found if len(found) <= 40 else found[:36] + ' …'}: {reason}{more}"
