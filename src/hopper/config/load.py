"""Finding and reading ``hopper.yaml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from hopper.config.model import HopperConfig
from hopper.config.settings import Location, problems
from hopper.config.yaml_text import find_node, parse_mapping
from hopper.errors import ConfigError

FILE_NAME = "hopper.yaml"
VARIABLE = "HOPPER_CONFIG"
_INIT = "write one with 'hopper init', or name yours with --config or $HOPPER_CONFIG"


class InvalidConfig(ConfigError):
    """A config with keys or values that cannot be; ``problems`` holds a line for each."""

    def __init__(self, problems: tuple[str, ...], *, way_out: str = "") -> None:
        self.problems = problems
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(problems[0] + more, way_out=way_out)


def locate(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """Return the config file that counts: the one given, else $HOPPER_CONFIG's, else ./hopper.yaml.

    The file need not exist.
    """
    if path is not None:
        return path
    named = (os.environ if environment is None else environment).get(VARIABLE)
    return Path(named).expanduser() if named else Path(FILE_NAME)


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> HopperConfig:
    """Return the config in that file (see ``locate``); ``source`` of it is the file.

    Raises ConfigError in one line with file, line and key, and what to do.
    """
    place = locate(path, environment)
    content = read_bytes(place)
    values, tree = parse_mapping(content, str(place))
    config = validated(values, place, tree)
    if config.paths.db.exists() and not config.paths.db.is_dir():
        raise ConfigError(
            f"{_line(place, tree, ('paths', 'db'))}: paths.db is a file ({config.paths.db}), "
            "and hopper keeps a folder",
            way_out="a jobhopper.db is taken over by 'hopper import'; then name another folder",
        )
    return config


def read_bytes(place: Path) -> bytes:
    """Return a config file's bytes, or raise ConfigError with what to do."""
    try:
        return place.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"there is no config {place}", way_out=_INIT) from error
    except IsADirectoryError as error:
        raise ConfigError(f"the config {place} is a folder", way_out=_INIT) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"the config {place} cannot be read: {reason}") from error


def validated(
    values: Mapping[object, object], place: Path, tree: yaml.Node | None = None
) -> HopperConfig:
    """Return the config that the values mean, as if read from ``place``."""
    source = Path(os.path.abspath(place))  # noqa: PTH100 - symlinks stay as they are written
    try:
        config = HopperConfig.model_validate(values, context={"base": source.parent})
    except ValidationError as error:
        raise InvalidConfig(
            tuple(
                f"{_line(place, tree, location)}: {text}"
                for location, text in problems(error, HopperConfig)
            )
        ) from error
    return config.read_from(source)


def _line(place: Path, tree: yaml.Node | None, location: Location) -> str:
    if tree is None:
        return str(place)
    return f"{place}:{find_node(tree, location).start_mark.line + 1}"
