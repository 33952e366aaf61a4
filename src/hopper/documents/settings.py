"""The config as others may see it: without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hopper.documents.values import Json

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig

MASK = "••••••"
_SECRET = re.compile(
    r"pass(word|wd|phrase)?|secret|token|credential|api_?key|private", re.IGNORECASE
)
_VALUES = frozenset({"env", "env_vars", "variables", "vars"})
"""Keys of which all values may be secrets."""
_LOGIN_IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/@\s]+@", re.IGNORECASE)


def masked_config(config: HopperConfig) -> Json:
    """Return the keys of the config in force, with secrets masked; paths of key files stay."""
    shown = _masked(config.model_dump(mode="json"), hide=False)
    return shown if isinstance(shown, dict) else {}


def _masked(value: object, *, hide: bool) -> object:
    if isinstance(value, Mapping):
        return {key: _masked(item, hide=hide or _tells(str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, hide=hide) for item in value]
    if hide and value not in (None, "", False, True):
        return MASK
    return _LOGIN_IN_URL.sub(rf"\g<scheme>{MASK}@", value) if isinstance(value, str) else value


def _tells(key: str) -> bool:
    return key in _VALUES or (not key.endswith(("_path", "_file")) and bool(_SECRET.search(key)))
