"""Files that are sent to the server, written to disk as they come: never whole in memory.

A route that takes files, of the API or of a page, does so by ``uploads``::

    async with uploads(request, site.config) as received:
        await apart(lambda: submit_received(site.config, received, …))

Within the block each file lies in a folder of its own below ``paths.db/uploads`` under a safe
name; at its end, and when the client goes away half-way, nothing of it is left. The body is
either ``multipart/form-data`` (files, and fields of the form with what is wanted of the jobs) or
the bytes of one file (any other type), of which ``name`` says what it is called. Such a route
declares no form parameter of FastAPI's, which would read the body before. A browser's form sends
its CSRF token as the header ``X-CSRF-Token``: no body is read to find out who may send it.

Refused while they come, not afterwards: what is larger than ``web.max_upload`` (413), too many
files or fields (413), a body that is no form (422), a client that sends nothing for a minute
(408).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import anyio
from anyio import to_thread
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hopper.config.model import HopperConfig
from hopper.config.units import format_size
from hopper.errors import UsageError
from hopper.home.files import trouble
from hopper.web.bodies import let_come
from hopper.web.problems import TooLarge, TooSlow
from hopper.web.scratch import Scratch

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FOLDER = "uploads"
MOST_FILES = 100
MOST_FIELDS = 200
LARGEST_FIELD = 65_536
"""Bytes of one field of a form that is no file."""
PATIENCE = 60.0
"""Seconds that a client may send nothing."""
AT_ONCE = 1 << 20
"""Bytes that are gathered before they are written."""
UNNAMED = "upload.zip"
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """A file that has come whole."""

    path: Path
    """Where it lies for now; its last part is a safe form of the name that it was sent under."""
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """What a request has brought."""

    files: tuple[Uploaded, ...]
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Fields of the form by name, but for files; empty for a plain body."""


@asynccontextmanager
async def uploads(
    request: Request, config: HopperConfig, *, name: str = ""
) -> AsyncIterator[Received]:
    """Take in the files of a request, and take them away at the end of the block.

    ``name`` is what a plain body is called. Raises TooLarge, TooSlow, UsageError, HomeTrouble,
    and starlette's ClientDisconnect.
    """
    most = largest(config)
    let_come(request)
    _check_length(request, most)
    parent = config.paths.db / FOLDER
    scratch = await to_thread.run_sync(_new_scratch, parent)
    folder = scratch.path
    try:
        form = _boundary(request)
        if form is None:
            yield await _plain(request, folder, name, most)
        else:
            yield await _form(request, folder, form, most)
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(scratch.drop)


def largest(config: HopperConfig) -> int:
    """Return how many bytes are taken at most."""
    own = config.web.max_upload
    return own if own is not None else config.zips.max_size


def safe_name(name: str) -> str:
    """Return a name as one of a zip in a folder: never a path, never hidden, never too long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c if c.isprintable() else "_" for c in last).strip().lstrip(".")
    stem = kept[:-4] if kept.lower().endswith(".zip") else kept
    cut = stem.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
    return f"{cut}.zip" if cut else UNNAMED


def _check_length(request: Request, most: int) -> None:
    said = request.headers.get("content-length", "")
    # A form has its boundaries and fields besides.
    if said.isdecimal() and int(said[:20]) > most + MOST_FIELDS * LARGEST_FIELD:
        raise _too_large(most)


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        f"that is more than {format_size(most)}", way_out="see web.max_upload and zips.max_size"
    )


def _boundary(request: Request) -> bytes | None:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        return None
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise UsageError("the form says no boundary")
    return boundary


def _new_scratch(parent: Path) -> Scratch:
    with trouble(f"cannot take files into {parent}"):
        return Scratch.new(parent)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in pieces that pay to be written."""
    stream, waiting = request.stream(), bytearray()
    while True:
        try:
            with anyio.fail_after(PATIENCE):
                piece = await anext(stream, None)
        except TimeoutError as error:
            raise TooSlow(f"nothing has come for {PATIENCE:.0f} s") from error
        if piece is None:
            break
        waiting += piece
        if len(waiting) >= AT_ONCE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


async def _plain(request: Request, folder: Path, name: str, most: int) -> Received:
    path, size = folder / safe_name(name), 0
    with trouble(f"cannot write {path}"), path.open("xb") as file:
        async for piece in _pieces(request):
            size += len(piece)
            if size > most:
                raise _too_large(most)
            await to_thread.run_sync(file.write, piece)
    if not size:
        raise UsageError("no file was sent", way_out="send a zip as the body")
    return Received(files=(Uploaded(path=path, size=size),))


async def _form(request: Request, folder: Path, boundary: bytes, most: int) -> Received:
    form = _Form(folder, most)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in _pieces(request):
            with trouble(f"cannot write in {folder}"):
                await to_thread.run_sync(parser.write, piece)
        parser.finalize()
    except FormParserError as error:
        raise UsageError(f"that is no form: {error}") from error
    finally:
        form.close()
    return form.received()


class _Form:
    """The parts of a form as they come: files to disk, fields into memory."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._file: BinaryIO | None = None
        self._field = bytearray()
        self._whole = False
        self._paths: list[Path] = []
        self._size = 0
        self._fields: list[tuple[str, str]] = []

    def callbacks(self) -> MultipartCallbacks:
        """Return what the parser is to call."""
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._begin,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def close(self) -> None:
        """Let go of a file that did not come whole."""
        if self._file is not None:
            self._file.close()

    def received(self) -> Received:
        """Return what has come. UsageError for a form that breaks off, or holds no file."""
        if not self._whole:
            raise UsageError("the form breaks off")
        if not self._paths:
            raise UsageError("no file was sent", way_out="send zips as parts with a file name")
        names = dict.fromkeys(name for name, _ in self._fields)
        return Received(
            files=tuple(Uploaded(path=one, size=one.stat().st_size) for one in self._paths),
            fields={
                name: tuple(value for other, value in self._fields if other == name)
                for name in names
            },
        )

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value
        self._header = (b"", b"")

    def _begin(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options:
            if len(self._fields) >= MOST_FIELDS:
                raise TooLarge(f"a form of more than {MOST_FIELDS} fields")
            return
        if len(self._paths) >= MOST_FILES:
            raise TooLarge(f"more than {MOST_FILES} files at once")
        # Each in a folder of its own: several may have one name.
        place = self._folder / str(len(self._paths))
        place.mkdir()
        path = place / safe_name(options[b"filename"].decode("utf-8", "replace"))
        self._file = path.open("xb")
        self._paths.append(path)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._size += end - start
            if self._size > self._most:
                raise _too_large(self._most)
            self._file.write(memoryview(data)[start:end])
            return
        self._field += data[start:end]
        if len(self._field) > LARGEST_FIELD:
            raise TooLarge(f"a field of more than {LARGEST_FIELD} bytes")

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            return
        self._fields.append((self._name, self._field.decode("utf-8", "replace")))
        self._field.clear()

    def _all(self) -> None:
        self._whole = True
