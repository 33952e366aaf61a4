"""Kinds of values that several config keys share."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")
_HOST_NAMES_TAKEN = {"all", "ungrouped", "localhost"}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def resolved(value: object, info: ValidationInfo) -> object:
    """Return a path with ``~`` expanded, absolute from the context's ``base`` (else from here)."""
    if not isinstance(value, str | Path):
        raise ValueError(f"{value!r} is not a path")  # noqa: TRY004 - pydantic reads ValueErrors
    if not str(value).strip() or "\0" in str(value):
        raise ValueError("a path cannot be empty or hold a NUL")
    base = (info.context or {}).get("base", Path.cwd())
    try:
        return Path(os.path.abspath(base / Path(value).expanduser()))  # noqa: PTH100 - no symlinks
    except RuntimeError as error:
        raise ValueError(f"{value}: {error}") from error


def as_list(value: object) -> object:
    """Return a single text as a list of one."""
    return [value] if isinstance(value, str) else value


def _one_word(value: str) -> str:
    if not value or value.startswith("-") or any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError(f"{value!r} must be one word that does not begin with -")
    return value


def _worker_path(value: str) -> str:
    if not value.startswith(("/", "~")) or not value.isprintable():
        raise ValueError(f"{value!r} must be an absolute path, or begin with ~")
    return value


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError(f"{value!r} must be a name of letters, digits, _ . -")
    return value


def _host_name(value: str) -> str:
    if _name(value) in _HOST_NAMES_TAKEN:
        raise ValueError(f"{value!r} means something else to Ansible; choose another name")
    return value


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError(f"{value!r} must be one line of printable characters")
    return value


def _shell_text(value: str) -> str:
    if "\0" in value:
        raise ValueError("it holds a NUL, which no shell can take")
    return value


def _variables(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if not _VARIABLE.match(name):
            raise ValueError(f"{name!r} is not a name that a shell takes for a variable")
        if "\0" in value:
            raise ValueError(f"the value of {name} holds a NUL")
    return values


HomePath = Annotated[Path, BeforeValidator(resolved)]
Word = Annotated[str, AfterValidator(_one_word)]
WorkerPath = Annotated[str, AfterValidator(_worker_path)]
Name = Annotated[str, AfterValidator(_name)]
HostName = Annotated[str, AfterValidator(_host_name)]
"""A name that may stand for a host in an inventory."""
Line = Annotated[str, AfterValidator(_line)]
ShellText = Annotated[str, AfterValidator(_shell_text)]
Variables = Annotated[dict[str, str], AfterValidator(_variables)]
"""Environment variables."""
Tags = Annotated[frozenset[Word], BeforeValidator(as_list)]
