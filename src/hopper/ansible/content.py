"""Finds the Ansible collection hopper.dispatch: in an installed wheel or in a checkout.

A wheel carries it beside the package, at ``ansible_collections/hopper/dispatch``. In a checkout
(an editable install) the repository's root is the collection, and ``.collections/`` links to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import hopper
from hopper.errors import HopperError

COLLECTION = "hopper.dispatch"
_INSIDE = Path("ansible_collections", "hopper", "dispatch")
_PLAYBOOK_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Setting the path replaces Ansible's own default, where a user's collections are.
_ANSIBLE_DEFAULT = "~/.ansible/collections:/usr/share/ansible/collections"


class ContentMissing(HopperError):
    """The Ansible collection, or a playbook of it, is not where this installation should have it.

    Attributes:
        path: what was looked for.
    """

    def __init__(self, what: str, *, way_out: str, path: Path) -> None:
        super().__init__(what, way_out=way_out)
        self.path = path


def collections_path(package: Path | None = None) -> Path:
    """The folder that holds ``ansible_collections/hopper/dispatch``.

    Args:
        package: the folder of the hopper package; the imported one by default.

    Raises:
        ContentMissing: neither a wheel's nor a checkout's collection is there.
    """
    package = package or Path(hopper.__file__).resolve().parent
    wheel = package.parent
    if (wheel / _INSIDE / "galaxy.yml").is_file():
        return wheel
    root = package.parent.parent
    link = root / ".collections"
    if (link / _INSIDE / "galaxy.yml").is_file():
        return link
    if (root / "galaxy.yml").is_file():
        raise ContentMissing(
            f"{link / _INSIDE} does not link to the checkout",
            way_out=f"run 'make collections' in {root}",
            path=link / _INSIDE,
        )
    raise ContentMissing(
        f"the Ansible content of hopper is not at {wheel / _INSIDE}",
        way_out="reinstall it: pip install --force-reinstall --no-deps jobhopper",
        path=wheel / _INSIDE,
    )


def collection_folder(package: Path | None = None) -> Path:
    """The collection's own folder, with ``playbooks/``, ``roles/`` and ``plugins/``.

    Raises:
        ContentMissing: it is not there.
    """
    return collections_path(package) / _INSIDE


def playbook(name: str, package: Path | None = None) -> str:
    """What to give to ansible-playbook or ansible-runner to play ``playbooks/<name>.yml``.

    Returns:
        The qualified name, such as ``hopper.dispatch.launch``. A path would work too, but makes
        Ansible warn that it runs a playbook inside a collection.

    Raises:
        ContentMissing: there is no such playbook.
    """
    playbook_path(name, package)
    return f"{COLLECTION}.{name}"


def playbook_path(name: str, package: Path | None = None) -> Path:
    """The file of the playbook ``name``.

    Raises:
        ContentMissing: there is no such playbook.
    """
    folder = collection_folder(package) / "playbooks"
    path = folder / f"{name}.yml"
    if _PLAYBOOK_NAME.fullmatch(name) is None or not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yml"))) or "none"
        raise ContentMissing(
            f"no playbook {name!r} in {folder}", way_out=f"there are: {known}", path=path
        )
    return path


def collections_environment(
    environment: Mapping[str, str], package: Path | None = None
) -> dict[str, str]:
    """What a child that runs Ansible needs in its environment to find the collection.

    Args:
        environment: the environment the child would have otherwise; its own collection paths stay
            behind ours.
        package: the folder of the hopper package; the imported one by default.

    Raises:
        ContentMissing: the collection is not there.
    """
    after = environment.get("ANSIBLE_COLLECTIONS_PATH") or _ANSIBLE_DEFAULT
    return {"ANSIBLE_COLLECTIONS_PATH": f"{collections_path(package)}:{after}"}
