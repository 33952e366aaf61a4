"""How often a login node is looked at whose answers bring nothing further."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hopper.dispatch.changes import Changes
from hopper.dispatch.cluster_desk import ClusterDesk
from hopper.dispatch.decisions import BatchVisit
from hopper.dispatch.generated import NothingGenerated
from hopper.dispatch.ledger import Ledger
from hopper.dispatch.ports import NoTaskZips
from hopper.model.batch import BatchOrder, BatchReport, Said, Submission, SubmitResult, Submitted
from hopper.model.states import JobState
from tests.fakes.clock import FakeClock
from tests.fakes.home import FakeHome
from tests.fakes.rig import POLICY
from tests.fakes.small import FakeLog
from tests.fakes.store import FakeStore
from tests.unit.dispatch.reported import AT, SYSTEMS
from tests.unit.dispatch.situations import attempt
from tests.unit.dispatch.test_submissions import batch_job


class Node:
    """A login node, what it answers, and who writes its orders."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.orders: list[BatchOrder] = []

    def write(
        self, order: str, *_: object, **__: object
    ) -> tuple[BatchOrder, tuple[()], list[Any]]:
        handing_in = Submission(attempt=AT, script="", command="sbatch", lookup="")
        return BatchOrder(id=order, host="cl", backend="cl", submissions=(handing_in,)), (), []

    def send(self, orders: Sequence[BatchOrder]) -> None:
        self.orders += orders

    def receive_batch(self) -> list[BatchReport]:
        last, now = self.orders[-1], FakeClock().now().timestamp()
        return [BatchReport(order=last.id, host="cl", at=now, **self.answer)]


def looks(node: Node, seconds: int) -> tuple[int, list[str]]:
    """Return how often it is looked at in that time, and the reasons of what is told."""
    clock, store = FakeClock(), FakeStore()
    waiting = batch_job("a-000001", JobState.SUBMITTED, attempt(AT, "cl"))
    store.commit(Changes(jobs=(waiting,)))
    home, log = FakeHome(), FakeLog()
    ledger = Ledger(
        store=store, home=home, log=log, clock=clock, settings=POLICY, task_zips=NoTaskZips()
    )
    desk = ClusterDesk(
        ledger, node, SYSTEMS, home, node, generated=NothingGenerated(), policy=POLICY  # type: ignore[arg-type]
    )  # fmt: skip
    for _ in range(seconds):
        if "cl" in desk.due(ledger.now()):
            desk.send([], [BatchVisit(backend="cl", submits=("a-000001",))], home_full=False)
            desk.take_in()
        clock.advance(1)
    return len(node.orders), [event.reason for event in log.events]


def test_what_cannot_be_submitted_is_tried_less_and_less_often() -> None:
    said = Said(code=127, stdout="", stderr="sh: 1: sbatch: not found")
    result = SubmitResult(attempt=AT, verdict=Submitted.NOW, said=said)
    count, told = looks(Node(submitted=(result,)), seconds=120)
    assert 2 < count < 60
    assert told == ["not submitted yet: sh: 1: sbatch: not found"]


def test_a_node_that_has_no_room_is_left_alone_for_a_while() -> None:
    node = Node(error="no folder can be made in /full")
    count, told = looks(node, seconds=120)
    assert 2 < count < 20
    assert told == ["no folder can be made in /full"]
