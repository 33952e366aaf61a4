"""Amounts of memory as tasks and job files write them, in the words of Slurm and of PBS."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

LARGEST_MEMORY = 1024**5
"""Bytes; more is a slip of the pen."""

_POWERS = {"": 2, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_MEMORY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*([kmgtp]?)(i?b)?\Z", re.ASCII | re.IGNORECASE)


def memory(value: object) -> int:
    """Return the bytes that ``4G``, ``4GB``, ``4GiB``, ``4096M`` or ``512K`` mean.

    Units are powers of 1024, as with Slurm and PBS; a number alone counts megabytes, as with
    Slurm. ValueError for anything else, for nothing and for more than a petabyte.
    """
    text = value if isinstance(value, str) else _digits(value)
    match = _MEMORY.match(text.strip())
    if match and (match[2] or not match[3]):
        amount = float(match[1]) * 1024 ** _POWERS[match[2].lower()]
        if 1 <= amount <= LARGEST_MEMORY:
            return int(amount)
        raise ValueError(f"{value!r} is not between 1 byte and 1024T; null leaves it open")
    raise ValueError(f"{value!r} is not an amount of memory; write 4G, 500M or megabytes")


def format_memory(value: int) -> str:
    """Return an amount as ``memory`` reads it, exact to the kilobyte above."""
    for unit, power in (("P", 5), ("T", 4), ("G", 3), ("M", 2)):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power}{unit}"
    return f"{-(-value // 1024)}K"


def _digits(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{value!r:.60} is neither a number nor text")


Memory = Annotated[int, BeforeValidator(memory), PlainSerializer(format_memory, return_type=str)]
