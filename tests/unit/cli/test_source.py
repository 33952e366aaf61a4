"""Sources: what is seen of them, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from hopper.bootstrap import visiting
from tests.unit.cli.conftest import Desk
from tests.unit.cli.node import Node, configure


@pytest.fixture
def node(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    home = tmp_path / "node"
    (home / "tree/a/b").mkdir(parents=True)
    made = Node(home)
    monkeypatch.setattr(visiting, "Visitor", made)
    for name in ("x.hut.json", "a/y.hut.json", "a/b/z.hut.json", "a/b/other.json"):
        (home / "tree" / name).write_text("[]")
    source = {"name": "tree", "type": "path", "backend": "here", "path": "~/tree"}
    configure(desk, home, sources=[{**source, "workflows_glob": "**/*.hut.json"}])
    return made


def test_sync_finds_the_files_and_list_remembers_them(desk: Desk, node: Node) -> None:
    [before] = desk.json("source", "list")
    assert (before["synced_at"], before["files"]) == (None, [])
    [synced] = desk.json("source", "sync")
    assert synced["files"] == ["a/b/z.hut.json", "a/y.hut.json", "x.hut.json"]
    [after] = desk.json("source", "list")
    assert after == synced
    assert len(node.orders) == 1


def test_what_was_seen_stays_when_a_look_fails(desk: Desk, node: Node) -> None:
    desk.run("source", "sync", "tree")
    node.error = "no route to host"
    [failed] = desk.json("source", "sync", "tree", code=1)
    assert "no route to host" in failed["error"]
    assert len(failed["files"]) == 3
    assert "failed" in desk.run("source", "list").stdout


def test_workflows_lists_what_run_takes(desk: Desk, node: Node) -> None:
    del node
    assert "not looked at yet" in desk.run("source", "workflows").stderr
    desk.run("source", "sync")
    names = [one["workflow"] for one in desk.json("source", "workflows", "tree")]
    assert names[0] == "tree:a/b/z.hut.json"


def test_a_source_that_nobody_knows(desk: Desk, node: Node) -> None:
    del node
    assert "no source 'gone'" in desk.refused("source", "sync", "gone")


def test_a_broken_memory_is_forgotten(desk: Desk, node: Node) -> None:
    del node
    desk.run("source", "sync")
    (desk.config.paths.db / "sources.json").write_text('{"tree": {"at": 3}}')
    assert desk.json("source", "list")[0]["synced_at"] is None
    (desk.config.paths.db / "sources.json").write_text("[")
    assert desk.json("source", "list")[0]["synced_at"] is None
