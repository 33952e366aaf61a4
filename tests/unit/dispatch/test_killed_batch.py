"""``kill -9`` of the dispatcher at each step of its work with a batch system, and lost orders."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

import pytest

from tests.fakes.cluster_values import Fault
from tests.unit.dispatch.killing import Death
from tests.unit.dispatch.killing_batch import World, check

NEVER = 10**9
ORDERS, STEPS, CALLS = 25, 14, 90
"""A little more than there are in the scenario."""


def lives(at: int = NEVER, faults: Mapping[int, Fault] = {}, *, after: bool = False) -> World:
    """Kill at that call, with these faults by the order's number, and check what came of it."""
    world = World(death=Death(at, after=after), faults=faults)
    try:
        world.live()
        check(world)
    except AssertionError as error:
        word = "after" if after else "before"
        raise AssertionError(f"killed {word} call {at}, {faults}: {error}") from error
    return world


def all_faults() -> Iterator[tuple[int, Fault]]:
    """Yield each way in which one order can go wrong."""
    for number in range(1, ORDERS + 1):
        for kind in ("undelivered", "lost", "late"):
            yield number, Fault(kind=kind)
        for step in range(1, STEPS + 1):
            yield number, Fault(kind="cut", step=step)
            yield number, Fault(kind="stall", step=step)


def test_it_ends_well_by_itself() -> None:
    world = lives()
    assert not world.deaths
    assert world.cluster.orders <= ORDERS
    assert world.cluster.steps <= STEPS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_each_call(after: bool) -> None:
    at = 1
    while lives(at, after=after).deaths:
        at += 1
    assert 50 < at < CALLS


@pytest.mark.parametrize("first", range(7))
def test_one_order_goes_wrong(first: int) -> None:
    for number, fault in [*all_faults()][first::49]:
        lives(faults={number: fault})


@pytest.mark.soak
def test_each_order_goes_wrong_in_each_way() -> None:
    for number, fault in all_faults():
        lives(faults={number: fault})


def killed_amid_faults(seed: int) -> None:
    """Kill at some call while several orders go wrong."""
    chance = random.Random(seed)  # noqa: S311 # to be repeated
    faults = dict(chance.sample([*all_faults()], 3))
    lives(chance.randrange(1, CALLS), faults, after=chance.random() < 0.5)


@pytest.mark.parametrize("first", range(0, 90, 30))
def test_killed_while_orders_go_wrong(first: int) -> None:
    for seed in range(first, first + 30):
        killed_amid_faults(seed)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1000, 5000, 500))
def test_killed_often_while_orders_go_wrong(first: int) -> None:
    for seed in range(first, first + 500):
        killed_amid_faults(seed)
