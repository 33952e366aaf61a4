"""Kinds of values that several config keys share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo


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


HomePath = Annotated[Path, BeforeValidator(resolved)]
Word = Annotated[str, AfterValidator(_one_word)]
WorkerPath = Annotated[str, AfterValidator(_worker_path)]
Tags = Annotated[frozenset[Word], BeforeValidator(as_list)]
