"""Puts the Ansible collection hopper.dispatch into the wheel, beside the Python package.

Ansible looks for ``ansible_collections/`` on ``sys.path``, so a collection at site-packages level
is found after ``pip install`` with no setting. Only built wheels get it: an editable install would
hold a copy that goes stale, and uses the checkout instead (see ``hopper.ansible.content``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COLLECTION = "ansible_collections/hopper/dispatch"
# galaxy.yml tells ansible-galaxy the version; a MANIFEST.json is not needed for it.
CONTENT = ("LICENSE", "README.md", "galaxy.yml", "meta", "playbooks", "plugins", "roles")


class CollectionBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the collection's files to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files to include; ``version`` is ``standard`` or ``editable``."""
        if self.target_name != "wheel" or version != "standard":
            return
        root = Path(self.root)
        for path in content_files(root):
            inside = path.relative_to(root).as_posix()
            build_data["force_include"][str(path)] = f"{COLLECTION}/{inside}"


def content_files(root: Path) -> list[Path]:
    """The collection's files under ``root``, sorted."""
    found: list[Path] = []
    for name in CONTENT:
        top = root / name
        inside = top.rglob("*") if top.is_dir() else [top]
        found += [p for p in inside if p.is_file() and "__pycache__" not in p.parts]
    return sorted(found)
