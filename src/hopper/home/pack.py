"""Making job zips at home: of a command and the files it needs, or of a folder."""

from __future__ import annotations

import errno
import os
import posixpath
import secrets
import shlex
import stat
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hopper.config import job_file
from hopper.errors import RejectedZip, UsageError
from hopper.home.archive import SCRIPT
from hopper.home.files import CHUNK, HomeTrouble, move_new
from hopper.home.zip_members import check_name
from hopper.model.task import WORK

SKIPPED = frozenset({".git", "__pycache__"})
"""Folders that are never packed."""

_SCRIPT_HEAD = """\
#!/bin/sh
# Made by hopper submit: runs the command in the unpacked folder.
cd -- "$(dirname -- "$0")" || exit 1
exec"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """What went into a zip."""

    members: tuple[str, ...]
    """Names in the zip."""
    automatic: tuple[str, ...] = ()
    """Files that went in because the command names them."""


def pack_command(
    argv: Sequence[str],
    include: Sequence[Path],
    spec_yaml: str,
    destination: Path,
    *,
    cwd: Path | None = None,
    exclude: Collection[Path] = (),
) -> Packed:
    """Make the zip of a job that runs a command, at ``destination``, which must be new.

    Included paths keep their place below ``cwd``; one from outside goes in by its own name.
    With nothing included, files below ``cwd`` that the command names are. ``exclude`` names
    files and folders to leave out. UsageError when it cannot be packed as asked.
    """
    here = (cwd or Path.cwd()).absolute()
    if not argv or not argv[0] or argv[0].startswith("-"):
        raise UsageError("there is no command", way_out="write it after --, as in: -- ./run 1 2")
    if any("\0" in word for word in argv):
        raise UsageError("the command holds a NUL")
    automatic = () if include else _named_files(argv, here)
    contents = _Contents(here, [destination, *exclude])
    contents.add_text(SCRIPT, f"{_SCRIPT_HEAD} {shlex.join(argv)}\n", mode=0o755)
    if spec_yaml:
        contents.add_text(job_file.FILE_NAME, spec_yaml)
    for path in include or [Path(name) for name in automatic]:
        contents.add_path(path)
    contents.write(destination)
    return Packed(members=tuple(contents.names), automatic=automatic)


def pack_folder(folder: Path, destination: Path, *, exclude: Collection[Path] = ()) -> Packed:
    """Make a job's zip of a folder's contents, at ``destination``, which must be new."""
    if not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is not a folder")
    contents = _Contents(folder.absolute(), [destination, *exclude])
    contents.add_path(folder.absolute())
    if not contents.names:
        raise UsageError(f"the folder {str(folder)!r} is empty")
    contents.write(destination)
    return Packed(members=tuple(contents.names))


def pack_task(script: str, files: Mapping[str, Path], clone: Path | None, destination: Path) -> int:
    """Make the zip of a task at ``destination``, which must be new; return its size unpacked.

    ``script`` is its ``run_job.sh``, ``files`` what else goes in, by name; ``clone`` the folder
    whose contents it runs in. UsageError for what cannot go into a zip.
    """
    contents = _Contents(destination.parent, [])
    contents.add_text(SCRIPT, script, mode=0o755)
    if clone is not None:
        contents.add_tree(clone, WORK)
    for name, path in files.items():
        contents.add_file(posixpath.normpath(name), path)
    contents.write(destination)
    return contents.size()


def _named_files(argv: Sequence[str], here: Path) -> tuple[str, ...]:
    """Return the words that name files below here, in the order of their naming."""
    found = []
    for word in argv:
        if not word or Path(word).is_absolute():
            continue
        place = Path(os.path.normpath(here / word))
        if place.is_file() and place.is_relative_to(here) and word not in found:
            found.append(word)
    return tuple(found)


class _Contents:
    """What is to go into a zip: names, and the file or text of each."""

    def __init__(self, here: Path, exclude: Collection[Path]) -> None:
        self.here = here
        self.exclude = {Path(os.path.realpath(path)) for path in exclude}
        self.names: dict[str, Path | bytes] = {}
        self.modes: dict[str, int] = {}

    def add_text(self, name: str, text: str, mode: int = 0o644) -> None:
        self._add(name, os.fsencode(text), stat.S_IFREG | mode)

    def add_file(self, name: str, path: Path) -> None:
        real = path.resolve()
        self._add(name, real, real.stat().st_mode)

    def add_tree(self, folder: Path, name: str) -> None:
        real = Path(os.path.realpath(folder))
        self._walk(real, name, (real,), ())

    def size(self) -> int:
        """Return the bytes of all that goes in."""
        whats = self.names.values()
        return sum(len(w) if isinstance(w, bytes) else w.stat().st_size for w in whats)

    def add_path(self, path: Path) -> None:
        place = Path(os.path.normpath(self.here / path))
        if not place.exists():
            raise UsageError(f"there is no {str(path)!r} to include")
        inside = place.relative_to(self.here) if place.is_relative_to(self.here) else place.name
        name = "" if str(inside) == "." else str(inside)
        roots = (Path(os.path.realpath(self.here)), Path(os.path.realpath(place)))
        self._walk(place, name, roots, ())

    def _walk(
        self, path: Path, name: str, roots: tuple[Path, ...], above: tuple[Path, ...]
    ) -> None:
        real = _followed(path, roots)
        if real in self.exclude or (path.name in SKIPPED and above):
            return
        if real in above:
            raise UsageError(f"{str(path)!r} is a symlink to a folder that it is in")
        facts = real.stat()
        if stat.S_ISREG(facts.st_mode):
            self._add(name, real, facts.st_mode)
        elif stat.S_ISDIR(facts.st_mode):
            entries = sorted(os.listdir(real))  # noqa: PTH208 - names, to be joined to two paths
            if not entries and name:
                self._add(f"{name}/", b"", facts.st_mode)
            for entry in entries:
                inner = f"{name}/{entry}" if name else entry
                self._walk(path / entry, inner, roots, (*above, real))

    def _add(self, name: str, what: Path | bytes, mode: int) -> None:
        try:
            check_name(name)
            name.encode()
        except (RejectedZip, UnicodeEncodeError) as error:
            raise UsageError(f"{name!r} cannot go into a zip: {error}") from error
        before = self.names.get(name)
        if before is not None and before != what:
            where = " (hopper writes that one itself)" if isinstance(before, bytes) else ""
            raise UsageError(
                f"two things would both be {name!r} in the zip{where}",
                way_out="rename one, or include a folder that holds them both",
            )
        self.names[name] = what
        self.modes[name] = mode

    def write(self, destination: Path) -> None:
        """Write the zip beside the destination and rename it, never overwriting."""
        beside = destination.with_name(f".{secrets.token_hex(6)}.packing")
        try:
            with beside.open("xb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                    for name, what in self.names.items():
                        self._write_member(archive, name, what)
                file.flush()
                os.fsync(file.fileno())
            move_new(beside, destination)
        except FileExistsError as error:
            raise UsageError(f"{str(destination)!r} exists already") from error
        except OSError as error:
            raise HomeTrouble(f"cannot make the zip {str(destination)!r}", error) from error
        finally:
            beside.unlink(missing_ok=True)

    def _write_member(self, archive: zipfile.ZipFile, name: str, what: Path | bytes) -> None:
        info = zipfile.ZipInfo(name)
        if isinstance(what, Path):
            info = zipfile.ZipInfo.from_file(what, name, strict_timestamps=False)
        info.compress_type = zipfile.ZIP_DEFLATED
        mode = self.modes[name]
        info.external_attr = (stat.S_IFMT(mode) | stat.S_IMODE(mode) & 0o777) << 16
        if isinstance(what, bytes):
            archive.writestr(info, what)
            return
        # From the open file: what grows meanwhile goes in as it is, up to its size then.
        with what.open("rb") as source, archive.open(info, "w", force_zip64=_huge(info)) as target:
            for piece in _pieces(source.fileno()):
                target.write(piece)


def _huge(info: zipfile.ZipInfo) -> bool:
    return info.file_size > zipfile.ZIP64_LIMIT // 2


def _pieces(descriptor: int) -> Iterator[bytes]:
    left = os.fstat(descriptor).st_size
    while left > 0 and (piece := os.read(descriptor, min(left, CHUNK))):
        left -= len(piece)
        yield piece


def _followed(path: Path, roots: tuple[Path, ...]) -> Path:
    """Return what a path leads to; UsageError when it leads nowhere, or outside."""
    try:
        real = path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"the symlink {str(path)!r} leads nowhere") from error
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno != errno.ELOOP:
            raise HomeTrouble(f"cannot read {str(path)!r}", error) from error
        raise UsageError(f"the symlink {str(path)!r} leads round in a circle") from error
    if not any(real.is_relative_to(root) for root in roots):
        raise UsageError(
            f"{str(path)!r} leads to {str(real)!r}, outside of what is packed",
            way_out="include what it leads to by its own path",
        )
    return real
