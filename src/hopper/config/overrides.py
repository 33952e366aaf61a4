"""Variables that override keys of the config: ``HOPPER_POLL__INTERVAL_SECONDS=5``.

A key's variable is ``HOPPER_`` and the key in capitals, with two underscores for a dot. Those of
the process go before those of a ``.env`` beside the config, and both before the file. Where a
key holds text, the value is the text as it is; elsewhere it is read as YAML, so that a list is
``[a, b]``. Variables of the process that are no keys belong to somebody else and are left
alone; in ``.env`` one that looks like a slip is an error.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml

from hopper.config.settings import Location, Settings, nested_model
from hopper.config.yaml_text import StrictLoader
from hopper.errors import ConfigError

PREFIX = "HOPPER_"
ENV_FILE = ".env"
_LARGEST = 1_000_000
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)\Z")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_SIMILAR = 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """A key whose value comes from a variable."""

    location: Location
    value: object
    said_by: str
    """What to name in errors: the variable, or file, line and variable."""


def variable_name(location: Location) -> str:
    """Return the variable of a key."""
    return PREFIX + "__".join(str(part) for part in location).upper()


def find_overrides(
    model: type[Settings], env_file: Path, environment: Mapping[str, str]
) -> tuple[Override, ...]:
    """Return what a ``.env`` and the variables of the process say about the model's keys.

    Raises ConfigError for a ``.env`` that cannot be read, or has a variable that is a slip.
    """
    keys = {variable_name(location): (location, kind) for location, kind in _keys(model)}
    found: dict[Location, Override] = {}
    for name, (value, line) in _env_file(env_file).items():
        said_by = f"{env_file}:{line}: {name}"
        if name in keys:
            location, kind = keys[name]
            found[location] = _override(location, kind, value, said_by)
        else:
            _refuse_slip(name, keys, said_by)
    for name, (location, kind) in keys.items():
        if name in environment:
            found[location] = _override(location, kind, environment[name], f"${name}")
    return tuple(found.values())


def put_over(values: dict[object, object], overrides: tuple[Override, ...]) -> None:
    """Put the overrides over the values of a config file."""
    # A group as a whole comes before its keys.
    for override in sorted(overrides, key=lambda override: len(override.location)):
        *groups, last = override.location
        here: object = values
        for name in groups:
            here = _group(here, name)
        if isinstance(here, dict):
            here[last] = override.value


def _group(here: object, name: str | int) -> object:
    if not isinstance(here, dict):
        return None
    if here.get(name) is None:
        here[name] = {}
    elif isinstance(here[name], dict):
        # An alias of YAML would change elsewhere too.
        here[name] = dict(here[name])
    return here[name]


def _keys(model: type[Settings], above: Location = ()) -> Iterator[tuple[Location, Any]]:
    for name, field in model.model_fields.items():
        nested = nested_model(field.annotation)
        yield (*above, name), field.annotation
        if nested is not None and get_origin(field.annotation) is not tuple:
            yield from _keys(nested, (*above, name))


def _override(location: Location, kind: Any, value: str, said_by: str) -> Override:
    return Override(location=location, value=_value(kind, value, said_by), said_by=said_by)


def _value(kind: Any, value: str, said_by: str) -> object:
    if kind in {str, Path} or set(get_args(kind)) in ({str, type(None)}, {Path, type(None)}):
        return value
    if len(value) > _LARGEST:
        raise ConfigError(f"{said_by} is longer than {_LARGEST} characters")
    loader = StrictLoader(value)
    try:
        return loader.get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, TypeError):
        return value  # told where it is not what the key takes
    finally:
        loader.dispose()


def _refuse_slip(name: str, keys: Mapping[str, object], said_by: str) -> None:
    if not name.startswith(PREFIX):
        return
    close = difflib.get_close_matches(name, keys, n=1, cutoff=_SIMILAR)
    if close:
        raise ConfigError(f"{said_by} is no key of the config; did you mean {close[0]}?")
    if "__" in name.removeprefix(PREFIX):
        raise ConfigError(
            f"{said_by} is no key of the config",
            way_out="the variable of poll.interval_seconds is HOPPER_POLL__INTERVAL_SECONDS",
        )


def _env_file(path: Path) -> dict[str, tuple[str, int]]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8", way_out="save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    found: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(content.splitlines(), 1):
        text = line.strip()
        match = _ASSIGNMENT.match(text)
        if match:
            found[match[1]] = (_unquoted(match[2]), number)
        elif text.startswith((PREFIX, f"export {PREFIX}")):
            raise ConfigError(f"{path}:{number}: {text!r:.60} is not of the form NAME=value")
    return found


def _unquoted(text: str) -> str:
    """Return the value as a shell's ``.env`` means it: quotes off, a comment behind it too."""
    if text[:1] == "'" and "'" in text[1:]:
        return text[1 : text.index("'", 1)]
    if text[:1] == '"':
        end = re.match(r'"((?:[^"\\]|\\.)*)"', text)
        if end:
            return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), end[1])
    return re.split(r"\s#", f" {text}", maxsplit=1)[0].strip()
