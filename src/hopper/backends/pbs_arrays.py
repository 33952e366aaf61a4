"""Ids of PBS: of jobs, job arrays and their members; and members that have no record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from hopper.model.native import Cause, NativeSighting

NATIVE_ID = re.compile(r"(\d{1,12}(?:\[\d*\])?)(?:\.[A-Za-z0-9._-]{1,200})?\Z", re.ASCII)
_INDEX = re.compile(r"\[\d+\]", re.ASCII)
_VERSION = re.compile(r'"pbs_version":\s*"(\d{1,4})\.', re.ASCII)
_KEEPING = 20
"""The first version that does."""
_OWN = "array_index"
"""What only a member with a record of its own has."""


def number_of(native: str) -> str:
    """Return a native id without its server: ``11[2]``."""
    match = NATIVE_ID.match(native)
    return match[1] if match else ""


def member_of(native: str, index: int) -> str:
    """Return the native id of an array's member: ``11[2].server``."""
    number = number_of(native)
    return f"{number.partition('[')[0]}[{index}]{native.removeprefix(number)}"


def array_of(native: str) -> str:
    """Return the native id of a member's array, ``11[].server``; that of another job as it is."""
    return _INDEX.sub("[]", native)


def keeps_records(text: str) -> bool:
    """Return whether it is a PBS that keeps records of members of arrays that are over."""
    version = _VERSION.search(text)
    return version is not None and int(version[1]) >= _KEEPING


def is_borrowed(number: str, fields: Mapping[str, str]) -> bool:
    """Return whether a member that is over is told of by what is told of its array."""
    over = fields.get("job_state") in {"F", "X"}
    return over and bool(_INDEX.search(number)) and _OWN not in fields


def of_its_array(
    job: NativeSighting, fields: Mapping[str, str], *, keeps: bool
) -> NativeSighting | None:
    """Return what is known of a member of which OpenPBS only tells what it tells of its array.

    So it does of a member that never ran, and where it keeps no records also of others. The
    ``Exit_status`` is the array's: 0 where all the others completed.
    """
    comment = fields.get("comment", "")
    if comment == "Subjob failed":
        cause, reason = Cause.FAILED, comment
    elif comment == "Subjob terminated" or keeps or "stime" not in fields:
        cause, reason = Cause.CANCELLED, "it was taken out of its array before it ran"
    else:
        return None
    unknown = {"started_at": None, "exit_code": None, "succeeded": False}
    return replace(job, cause=cause, reason=reason, **unknown)  # type: ignore[arg-type]
