"""Takes the pinned files of npm packages into a folder, when they are not there yet.

The build hook loads this file by its path, where hopper and what it needs are not installed: it
imports the standard library alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NPM_TIMEOUT_SECONDS = 120.0
STAMP = "stamp.json"
"""In the folder of taken files: what they were made from, and the SHA-256 of each."""

_PINS = ("package-lock.json", "files.json")
_NPM_CI = (
    "npm",
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--fetch-retries=1",
    "--fetch-timeout=30000",
)


class NotTaken(Exception):
    """The files could not be had; the message says why in one line."""


def take(pins: Path, target: Path) -> bool:
    """Put the files that ``pins`` names into ``target``, whole or not at all.

    Args:
        pins: the folder of package.json, package-lock.json and files.json, which gives for
            ``package/path`` the name that the file is taken under.
        target: the folder to make; one of other pins is replaced.

    Returns:
        False when they were there already, and nothing was done.

    Raises:
        NotTaken: npm is missing or fails, a package has no such file, or ``target`` cannot be
            written.
    """
    if is_taken(pins, target):
        return False
    try:
        with tempfile.TemporaryDirectory(prefix="hopper-npm-") as folder, _beside(target) as made:
            modules = _install(pins, Path(folder))
            _copy(pins, modules, made)
            _put(made, target, pins)
    except OSError as error:
        raise NotTaken(f"{target} cannot be made: {error}") from error
    return True


def is_taken(pins: Path, target: Path) -> bool:
    """True when ``target`` holds, unchanged, all that ``pins`` asks for."""
    try:
        stamp = json.loads((target / STAMP).read_text(encoding="utf-8"))
        files: dict[str, str] = stamp["files"]
        return bool(stamp["pins"] == _hash_of_pins(pins)) and all(
            _sha256(target / name) == digest for name, digest in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def names(pins: Path) -> tuple[str, ...]:
    """The names that files are taken under, sorted."""
    return tuple(sorted(_wanted(pins).values()))


def _wanted(pins: Path) -> dict[str, str]:
    read: dict[str, str] = json.loads((pins / "files.json").read_text(encoding="utf-8"))
    return read


def _install(pins: Path, folder: Path) -> Path:
    """The node_modules folder that ``npm ci`` makes in ``folder``."""
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(pins / name, folder / name)
    if shutil.which("npm") is None:
        raise NotTaken("there is no npm on PATH")
    try:
        done = subprocess.run(
            _NPM_CI,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=NPM_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotTaken(f"npm took longer than {NPM_TIMEOUT_SECONDS:g} s") from error
    if done.returncode:
        raise NotTaken(f"npm failed: {_complaint(done.stdout.decode(errors='replace'))}")
    return folder / "node_modules"


def _complaint(output: str) -> str:
    """The lines of npm's output that tell an error, as one of bounded length."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [x for x in lines if "error" in x.lower() and "complete log" not in x]
    return "; ".join(errors or lines[-3:])[:400] or "it printed nothing"


def _copy(pins: Path, modules: Path, made: Path) -> None:
    for path, name in _wanted(pins).items():
        if not (modules / path).is_file():
            raise NotTaken(f"the npm packages have no {path}")
        shutil.copyfile(modules / path, made / name)
    files = {name: _sha256(made / name) for name in names(pins)}
    stamp = {"pins": _hash_of_pins(pins), "files": files}
    (made / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")


def _put(made: Path, target: Path, pins: Path) -> None:
    """Rename ``made`` to ``target``; another build that does the same at this time does no harm."""
    shutil.rmtree(target, ignore_errors=True)
    try:
        made.rename(target)
    except OSError:
        if not is_taken(pins, target):
            raise


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new folder on the same file system, gone at the end unless it was renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        folder.chmod(0o755)  # mkdtemp's is for one person
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hash_of_pins(pins: Path) -> str:
    joined = "".join(_sha256(pins / name) for name in _PINS)
    return hashlib.sha256(joined.encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
