"""Puts into the distributions what is not in the Python package: collection and front-end files.

Ansible looks for ``ansible_collections/`` on ``sys.path``, so a collection at site-packages level
is found after ``pip install`` with no setting. Only built wheels get it: an editable install would
hold a copy that goes stale, and uses the checkout instead (see ``hopper.ansible.content``).

The front-end files come from npm packages into the source folder, for wheels, editable installs
and the sdist, so that installing from an sdist needs no npm. Without them a build succeeds too.
"""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType

COLLECTION = "ansible_collections/hopper/dispatch"
# galaxy.yml tells ansible-galaxy the version; a MANIFEST.json is not needed for it.
CONTENT = ("LICENSE", "README.md", "galaxy.yml", "meta", "playbooks", "plugins", "roles")
WEB = "src/hopper/web"


class ContentBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the collection's files to a wheel, and sees to the front-end files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Take and name the files; ``version`` is ``standard`` or ``editable``."""
        root = Path(self.root)
        self._take_frontend(root / WEB)
        if self.target_name != "wheel" or version != "standard":
            return
        for path in content_files(root):
            inside = path.relative_to(root).as_posix()
            build_data["force_include"][str(path)] = f"{COLLECTION}/{inside}"

    def _take_frontend(self, web: Path) -> None:
        vendoring = _loaded(web / "frontend" / "vendoring.py")
        try:
            vendoring.take(web / "frontend", web / "static" / "vendor")
        except vendoring.NotTaken as error:
            self.app.display_warning(
                f"built without the pinned front-end files, so web pages will be plain: {error}"
            )


def _loaded(path: Path) -> ModuleType:
    """The module in a file of the package, which cannot be imported while it is built."""
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def content_files(root: Path) -> list[Path]:
    """The collection's files under ``root``, sorted."""
    found: list[Path] = []
    for name in CONTENT:
        top = root / name
        inside = top.rglob("*") if top.is_dir() else [top]
        found += [p for p in inside if p.is_file() and "__pycache__" not in p.parts]
    return sorted(found)
