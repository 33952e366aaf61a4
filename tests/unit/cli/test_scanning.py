"""A look at the workers: what is asked, and what is made of the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from hopper.bootstrap import visiting
from hopper.model.attempt import Outcome, Remains
from hopper.model.job import Job, Origin
from hopper.model.orders import ExternalSighting, Order, Report, Sighting
from hopper.model.states import JobState
from hopper.model.worker import Worker
from tests.unit.cli.conftest import Desk, attempt, ended, job


class Visit:
    """Workers that answer what the test says; keeps what was asked."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}
        self.orders: list[Order] = []
        self.closed = False
        self.names: tuple[str, ...] = ("node1", "node2")

    def __call__(self, config: object) -> Visit:
        del config
        return self

    @property
    def roster(self) -> Visit:
        return self

    def workers(self) -> Mapping[str, Worker]:
        return {name: Worker(name=name, inbox="~/In") for name in self.names}

    def carry_out(self, orders: Sequence[Order], timeout: float = 1.0) -> dict[str, Report]:
        del timeout
        self.orders += orders
        return self.reports

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Visit:
    made = Visit()
    monkeypatch.setattr(visiting, "Visitor", made)
    return made


def own(state: JobState = JobState.RUNNING) -> Job:
    return job("own-1aaaaa", state, attempts=(attempt("node1"),), remote_name="own-1aaaaa")


def test_it_only_looks(desk: Desk, visit: Visit) -> None:
    left = ended("node2", Outcome.FAILED, remains=Remains.KEPT, id="b000000002")
    other = job(
        "ext-2aaaaa",
        JobState.RUNNING,
        attempts=(attempt("node1", id="c000000003"),),
        origin=Origin.EXTERNAL,
        remote_name="theirs",
    )
    desk.has(own(), other, job("bad-3aaaaa", JobState.FAILED, attempts=(left,)))
    before = desk.jobs()
    desk.run("scan", code=1)
    first, second = visit.orders
    assert (first.host, first.inbox, first.deadline) == ("node1", "~/In", 120.0)
    assert [(f.attempt, f.collect) for f in first.follows] == [("a000000001", False)]
    assert {e.name for e in first.externals} == {"own-1aaaaa", "theirs"}
    assert [f.attempt for f in second.follows] == ["b000000002"]
    for order in visit.orders:
        assert not any((order.launches, order.cancels, order.discards))
        assert not any((order.releases, order.cleans, order.log))
        assert not any(external.collect for external in order.externals)
    assert desk.jobs() == before
    assert visit.closed


def test_what_is_found(desk: Desk, visit: Visit) -> None:
    desk.has(own())
    visit.names = ("node1",)
    visit.reports["node1"] = Report(
        order="x",
        host="node1",
        at=0.0,
        free_bytes=5_000_000,
        clock_skew=1.5,
        zips=("own-1aaaaa.zip", "stranger.zip"),
        sightings=(Sighting(attempt="a000000001", phase="ended", exit_code=3, log_bytes=77),),
        externals=(
            ExternalSighting(name="own-1aaaaa", in_inbox=True, results=(("own-1aaaaa.zip", 9),)),
        ),
    )
    (worker,) = desk.json("scan")
    assert worker["zips"] == 2
    assert worker["clock_skew_seconds"] == 1.5
    found = {item["name"]: item for item in worker["items"]}
    assert found["own-1aaaaa"]["phase"] == "ended"
    assert found["own-1aaaaa"]["exit_code"] == 3
    assert found["own-1aaaaa"]["results"] == [{"name": "own-1aaaaa.zip", "bytes": 9}]
    assert found["stranger"]["whose"] == "nobody"
    text = desk.run("scan").stdout
    assert "node1\treached\t2 zips\t5.0 MB\t+1.5 s" in text
    assert "ended, exit code 3" in text
    assert "own-1aaaaa.zip (9 B)" in text
    assert "somebody else's" in text


def test_those_that_cannot_be_reached_and_those_that_say_nothing(desk: Desk, visit: Visit) -> None:
    visit.reports["node1"] = Report(order="x", host="node1", at=0.0, error="refused")
    document = desk.json("scan", code=1)
    assert [worker["error"] for worker in document] == ["refused", "it did not answer in time"]


def test_a_worker_without_inbox(desk: Desk, visit: Visit) -> None:
    visit.names = ("node1",)
    visit.reports["node1"] = Report(order="x", host="node1", at=0.0, missing=("inbox ~/In",))
    assert "not set up" in desk.run("scan").stdout


def test_only_some_workers(desk: Desk, visit: Visit) -> None:
    desk.run("scan", "node2", code=1)
    assert [order.host for order in visit.orders] == ["node2"]
    assert "no worker 'node9'" in desk.refused("scan", "node9")
