"""Puts the Ansible collection hopper.dispatch into the wheel, beside the Python package.

Ansible looks for ``ansible_collections/`` on ``sys.path``, so a collection at site-packages level
is found after ``pip install`` with no setting. Only built wheels get it: an editable install would
hold a copy that goes stale, and uses the checkout instead (see ``hopper.ansible.content``).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COLLECTION = "ansible_collections/hopper/dispatch"
CONTENT = ("LICENSE", "README.md", "changelogs", "meta", "playbooks", "plugins", "roles")
SKIPPED = {"__pycache__", ".keep"}


class CollectionBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the collection's files, and the MANIFEST.json that ansible-galaxy reads, to a wheel."""

    _generated: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files to include; ``version`` is ``standard`` or ``editable``."""
        if self.target_name != "wheel" or version != "standard":
            return
        root = Path(self.root)
        files = content_files(root)
        self._generated = tempfile.TemporaryDirectory(prefix="hopper-build-")
        made = write_manifest(root, files, Path(self._generated.name))
        include = build_data["force_include"]
        for path in files:
            include[str(path)] = f"{COLLECTION}/{path.relative_to(root).as_posix()}"
        for path in made:
            include[str(path)] = f"{COLLECTION}/{path.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was generated."""
        if self._generated is not None:
            self._generated.cleanup()


def content_files(root: Path) -> list[Path]:
    """The collection's files under ``root``, sorted."""
    found = []
    for name in CONTENT:
        top = root / name
        if top.is_file():
            found.append(top)
        elif top.is_dir():
            found += [p for p in top.rglob("*") if p.is_file() and not SKIPPED & set(p.parts)]
    return sorted(found)


def write_manifest(root: Path, files: list[Path], folder: Path) -> list[Path]:
    """Write MANIFEST.json and FILES.json (the format 1 of ansible-galaxy) into ``folder``."""
    galaxy = yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))
    listing = {
        "files": [{"name": ".", "ftype": "dir", "format": 1}]
        + [
            {
                "name": path.relative_to(root).as_posix(),
                "ftype": "file",
                "chksum_type": "sha256",
                "chksum_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "format": 1,
            }
            for path in files
        ],
        "format": 1,
    }
    files_json = folder / "FILES.json"
    files_json.write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")
    manifest = {
        "collection_info": {k: v for k, v in galaxy.items() if k != "build_ignore"},
        "file_manifest_file": {
            "name": "FILES.json",
            "ftype": "file",
            "chksum_type": "sha256",
            "chksum_sha256": hashlib.sha256(files_json.read_bytes()).hexdigest(),
            "format": 1,
        },
        "format": 1,
    }
    manifest_json = folder / "MANIFEST.json"
    manifest_json.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return [files_json, manifest_json]
