"""Finding and reading ``hopper.yaml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from hopper.config.model import HopperConfig
from hopper.config.overrides import ENV_FILE, Override, find_overrides, put_over
from hopper.config.settings import Location, problems
from hopper.config.yaml_text import find_node, find_value, parse_mapping, written_mapping
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

    Variables and a ``.env`` beside it go before what it says (see ``overrides``). Raises
    ConfigError in one line with file, line and key, and what to do.
    """
    place = locate(path, environment)
    content = read_bytes(place)
    values, tree = parse_mapping(content, str(place))
    keep_variables_as_written(values, tree)
    variables = os.environ if environment is None else environment
    overrides = find_overrides(HopperConfig, place.parent / ENV_FILE, variables)
    put_over(values, overrides)
    config = validated(values, place, tree, overrides)
    if config.paths.db.exists() and not config.paths.db.is_dir():
        where = _line(place, tree, ("paths", "db"), overrides)
        raise ConfigError(
            f"{where}: paths.db is a file ({config.paths.db}), and hopper keeps a folder",
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
    values: Mapping[object, object],
    place: Path,
    tree: yaml.Node | None = None,
    overrides: tuple[Override, ...] = (),
) -> HopperConfig:
    """Return the config that the values mean, as if read from ``place``."""
    source = Path(os.path.abspath(place))  # noqa: PTH100 - symlinks stay as they are written
    try:
        config = HopperConfig.model_validate(values, context={"base": source.parent})
    except ValidationError as error:
        raise InvalidConfig(
            tuple(
                f"{_line(place, tree, location, overrides)}: {text}"
                for location, text in problems(error, HopperConfig)
            )
        ) from error
    return config.read_from(source)


def keep_variables_as_written(values: Mapping[object, object], tree: yaml.Node) -> None:
    """Let ``VERSION: 1.10`` stay 1.10 in environments."""
    environments = values.get("environments")
    for index, item in enumerate(environments if isinstance(environments, list) else []):
        if isinstance(item, dict) and isinstance(item.get("variables"), dict):
            node = find_value(tree, ("environments", index, "variables"))
            item["variables"] = written_mapping(node)


def _line(
    place: Path, tree: yaml.Node | None, location: Location, overrides: tuple[Override, ...]
) -> str:
    for override in overrides:
        if location[: len(override.location)] == override.location:
            return override.said_by
    if tree is None:
        return str(place)
    return f"{place}:{find_node(tree, location).start_mark.line + 1}"
