r"""JSON to bytes and back, and lines that carry their own checksum.

orjson is used where it is installed; without it the same bytes are read and written,
slower. A file name that is not UTF-8 reaches us as a string with lone surrogates, which
orjson refuses both ways: such a value goes through ``json``, as ``\udcXX`` escapes.
NaN and the infinities become null, as JSON has none.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from types import ModuleType

from hopper.store.errors import Unencodable

orjson: ModuleType | None
try:
    import orjson
except ImportError:
    orjson = None

_CRC_DIGITS = 8
# A circle ends in a RecursionError as well.
_json_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


def encode(value: object) -> bytes:
    """Return a JSON value as bytes without any line break; Unencodable when it is none."""
    if orjson is not None:
        try:
            return bytes(
                orjson.dumps(
                    value, option=orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
                )
            )
        except TypeError as refusal:
            if "surrogate" not in str(refusal):
                raise Unencodable(f"not a JSON value: {refusal}") from refusal
    return _encode_slowly(value)


def _encode_slowly(value: object) -> bytes:
    try:
        try:
            text = _json_encode(value)
        except ValueError:
            text = _json_encode(_without_nan(value))
    except (TypeError, ValueError, RecursionError) as refusal:
        raise Unencodable(f"not a JSON value: {refusal}") from refusal
    return text.encode("ascii")


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return value


def decode(payload: bytes) -> object:
    """Return the JSON value that the bytes hold; ValueError when they hold none."""
    if orjson is not None:
        try:
            return orjson.loads(payload)
        except ValueError:
            pass  # lone surrogates, or really no JSON: json tells which
    try:
        return json.loads(payload)
    except RecursionError as too_deep:
        raise ValueError("nested too deeply") from too_deep


def decode_object(payload: bytes) -> dict[str, object]:
    """Return the JSON object that the bytes hold; ValueError when they hold anything else."""
    value = decode(payload)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - bad content, not a bad call
    return value


def checked_line(payload: bytes) -> bytes:
    """Return a payload as a line: its CRC-32 in 8 hex digits, a space, itself, a line break."""
    return b"%08x %s\n" % (zlib.crc32(payload), payload)


def payload_of(line: bytes) -> bytes:
    """Return the payload of a checked line (without its break); ValueError when it is damaged."""
    payload = line[_CRC_DIGITS + 1 :]
    if line[: _CRC_DIGITS + 1] != b"%08x " % zlib.crc32(payload):
        raise ValueError("the checksum does not fit the line")
    return payload
