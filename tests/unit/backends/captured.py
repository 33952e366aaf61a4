"""Answers of real batch systems, as they were captured in tests/data."""

from __future__ import annotations

import re
from pathlib import Path

from hopper.model.batch import Said

DATA = Path(__file__).parents[2] / "data"


def slurm(name: str) -> tuple[str, Said]:
    """Return the command of a captured answer, and the answer."""
    return _one_file(DATA / "slurm" / f"{name}.txt")


def gridengine(name: str) -> tuple[str, Said]:
    """Return the command of a captured answer, and the answer."""
    return _one_file(DATA / "gridengine" / f"{name}.txt")


def _one_file(path: Path) -> tuple[str, Said]:
    lines = path.read_text().splitlines(keepends=True)
    command = lines.pop(0).removeprefix("$ ").strip() if lines[0].startswith("$ ") else ""
    code = int(lines.pop().removeprefix("rc="))
    errors = [line.removeprefix("stderr: ") for line in lines if line.startswith("stderr: ")]
    output = [line for line in lines if not line.startswith("stderr: ")]
    return command, Said(code=code, stdout="".join(output), stderr="".join(errors))


def numbered(system: str, name: str) -> tuple[str, Said]:
    """Return the command and the answer that lie in ``NAME.cmd``, ``NAME.stdout``, ``.stderr``."""
    folder = DATA / system
    command, _, code = (folder / f"{name}.cmd").read_text().strip().rpartition("\nrc=")
    texts = []
    for stream in ("stdout", "stderr"):
        path = folder / f"{name}.{stream}"
        texts.append(path.read_text() if path.exists() else "")
    return command.removeprefix("$ "), Said(code=int(code), stdout=texts[0], stderr=texts[1])


def names(system: str, pattern: str = ".") -> list[str]:
    """Return the names of the captured answers of a system."""
    stems = {path.stem for path in (DATA / system).iterdir()}
    return sorted(stem for stem in stems if re.search(pattern, stem))
