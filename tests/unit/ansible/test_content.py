from __future__ import annotations

from pathlib import Path

import pytest

from hopper.ansible import content
from hopper.errors import HopperError

INSIDE = Path("ansible_collections/hopper/dispatch")


def playbook_in(collection: Path, name: str = "launch") -> None:
    (collection / "playbooks").mkdir(parents=True)
    (collection / "playbooks" / f"{name}.yml").write_text("---\n")
    (collection / "galaxy.yml").write_text("---\n")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The package folder of an installed wheel."""
    package = tmp_path / "site-packages" / "hopper"
    package.mkdir(parents=True)
    playbook_in(package.parent / INSIDE)
    return package


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The package folder of a checkout whose link is there."""
    root = tmp_path / "checkout"
    package = root / "src" / "hopper"
    package.mkdir(parents=True)
    playbook_in(root)
    link = root / ".collections" / INSIDE
    link.parent.mkdir(parents=True)
    link.symlink_to("../../..")
    return package


def test_a_wheel_has_it_beside_the_package(wheel: Path) -> None:
    assert content.collections_path(wheel) == wheel.parent
    assert content.collection_folder(wheel) == wheel.parent / INSIDE


def test_a_checkout_has_it_behind_its_link(checkout: Path) -> None:
    root = checkout.parent.parent
    assert content.collections_path(checkout) == root / ".collections"
    assert content.playbook_path("launch", checkout).samefile(root / "playbooks" / "launch.yml")


def test_a_checkout_without_its_link_says_how_to_make_it(checkout: Path) -> None:
    link = checkout.parent.parent / ".collections" / INSIDE
    link.unlink()
    with pytest.raises(content.ContentMissing, match="make collections") as caught:
        content.collections_path(checkout)
    assert caught.value.path == link


def test_an_incomplete_installation_says_how_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(content.ContentMissing, match="reinstall") as caught:
        content.collections_path(tmp_path / "lib" / "hopper")
    assert isinstance(caught.value, HopperError)
    assert caught.value.path == tmp_path / "lib" / INSIDE


def test_a_playbook_goes_by_its_qualified_name(wheel: Path) -> None:
    assert content.playbook("launch", wheel) == "hopper.dispatch.launch"


@pytest.mark.parametrize(
    "name", ["lunch", "../galaxy", "launch.yml", "", "/etc/passwd", "launch\n"]
)
def test_an_unknown_playbook_is_refused_with_the_known_ones(wheel: Path, name: str) -> None:
    with pytest.raises(content.ContentMissing, match="there are: launch"):
        content.playbook(name, wheel)


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ({}, "~/.ansible/collections:/usr/share/ansible/collections"),
        ({"ANSIBLE_COLLECTIONS_PATH": "/own"}, "/own"),
    ],
)
def test_collection_paths_of_ones_own_stay(
    wheel: Path, before: dict[str, str], behind: str
) -> None:
    assert content.collections_environment(before, wheel) == {
        "ANSIBLE_COLLECTIONS_PATH": f"{wheel.parent}:{behind}"
    }
