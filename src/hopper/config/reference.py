"""The reference of all config keys, made from the models: ``python -m hopper.config.reference``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from pydantic_core import PydanticUndefined

from hopper.config.job_file import JobFile
from hopper.config.launch_template import PLACEHOLDERS
from hopper.config.model import HopperConfig
from hopper.config.settings import Settings, nested_model

_HEAD = """\
# Config reference

Made from the code by `python -m hopper.config.reference`; do not edit.

The config is `--config FILE`, else the file that `$HOPPER_CONFIG` names, else `./hopper.yaml`.
Relative paths in it start at its own folder, and `~` expands. A *duration* is a number of
seconds, or like `90s`, `15m`, `1h30m`, `2d`, `12:00:00`. A *size* is a number of bytes, or like
`500 kB`, `64 MB` (powers of 1000), `1 GiB` (powers of 1024). An unknown key is an error that
names the nearest right one.

A variable goes before what the file says: `HOPPER_` and the key in capitals, with two underscores
for a dot, so `HOPPER_POLL__INTERVAL_SECONDS=5`. It may also stand in a file `.env` beside the
config; the variables of the process go before that. A value is read as YAML, save where the key
holds text, so a list is `HOPPER_WORKFLOWS=[{name: …}]`.
Variables of the process that are no keys are left alone; in `.env` what looks like a slip of a
key is an error.
"""
_JOB_HEAD = """\
## hopper-job.yaml

A job's own file, at the root of its zip; every key may be left out. It is at most 64 KiB.
"""


def reference() -> str:
    """Return the whole page, in Markdown."""
    parts = [_HEAD, "## hopper.yaml\n", _table(_rows(HopperConfig)), _placeholders()]
    parts += [_JOB_HEAD, _table(_rows(JobFile))]
    return "\n".join(parts)


def _rows(model: type[Settings], prefix: str = "") -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        nested = nested_model(field.annotation)
        extra = field.json_schema_extra
        unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
        if nested is None or unit:
            kind = unit or _kind(field.annotation)
            yield f"`{prefix}{name}`", kind, _default(field.default), str(field.description)
        if nested is not None:
            yield from _rows(nested, f"{prefix}{name}{'[]' if unit else ''}.")


def _kind(annotation: Any) -> str:
    names = {int: "number", float: "number", bool: "true or false", str: "text"}
    for kind, name in names.items():
        if annotation is kind or kind in getattr(annotation, "__args__", ()):
            return name
    return "value"


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ((), frozenset(), {}, ""):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _table(rows: Iterator[tuple[str, ...]]) -> str:
    lines = ["| key | unit | default | meaning |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _placeholders() -> str:
    lines = ["| placeholder | environment variable |", "|---|---|"]
    lines += [f"| `{{{name}}}` | `{variable}` |" for name, variable in PLACEHOLDERS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
