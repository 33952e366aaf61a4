"""``kill -9`` at each call by which the dispatcher changes anything outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.dispatch.killing import Death, World, check

STEP = 7
"""Of the calls, every so many is tried in the short version."""


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process loses nothing that it has written."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


def through_all_deaths(folder: Path, first: int, step: int, *, after: bool) -> int:
    """Kill at the calls ``first``, ``first + step`` …; return how often it was killed."""
    at, deaths = first, 0
    while True:
        world = World(folder / str(at), Death(at, after=after))
        world.live()
        try:
            check(world)
        except AssertionError as error:
            raise AssertionError(f"killed {'after' if after else 'before'} call {at}") from error
        if not world.deaths:
            return deaths
        deaths += 1
        at += step


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_some_calls(tmp_path: Path, after: bool) -> None:
    assert through_all_deaths(tmp_path, 1 + 3 * after, STEP, after=after) > 10


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("first", range(1, 5))
def test_killed_at_each_call(tmp_path: Path, first: int, after: bool) -> None:
    assert through_all_deaths(tmp_path, first, 4, after=after) > 20
