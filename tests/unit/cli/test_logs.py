"""What a job has printed: at home, live, and from the one to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.bootstrap import visiting
from hopper.home.task_results import OWNER
from hopper.model.attempt import Outcome
from hopper.model.job import Job, Origin
from hopper.model.orders import LogPart, Order, Report
from hopper.model.places import task_folder
from hopper.model.states import JobState
from hopper.model.task import Task
from hopper.model.worker import Worker
from hopper.operations import log_reading
from hopper.operations.log_text import TerminalText, last_lines
from tests.unit.cli.conftest import Desk, ago, attempt, ended, job


class TestText:
    @given(st.binary(), st.integers(1, 7))
    def test_no_control_sequence_comes_through(self, content: bytes, size: int) -> None:
        text = TerminalText()
        parts = [content[at : at + size] for at in range(0, len(content), size)]
        shown = "".join(map(text.feed, parts))
        assert all(c.isprintable() or c in "\n\t" for c in shown)

    def test_letters_that_are_cut_between_pieces_stay_whole(self) -> None:
        text = TerminalText()
        encoded = "ü→\t|\n".encode()
        assert "".join(text.feed(bytes([byte])) for byte in encoded) == "ü→\t|\n"

    def test_carriage_returns_begin_lines(self) -> None:
        text = TerminalText()
        assert text.feed(b"10%\r20%\r") + text.feed(b"\nend\r\n") == "10%\n20%\nend\n"

    @given(st.lists(st.sampled_from([b"a", b"bc", b"\n"])).map(b"".join), st.integers(1, 5))
    def test_last_lines(self, content: bytes, count: int) -> None:
        found = last_lines(content, count)
        whole = content.splitlines(keepends=True)
        expected = b"".join(whole[-count:])
        assert (content if found is None else found) == expected

    def test_none_of_the_lines(self) -> None:
        assert last_lines(b"a\nb\n", 0) == b""


@dataclass
class Field:
    """A worker whose log the test writes; ``then`` is done after each look."""

    desk: Desk
    log: bytes = b""
    errors: list[str] = field(default_factory=list)
    then: list[Callable[[], None]] = field(default_factory=list)
    asked: list[tuple[int, int]] = field(default_factory=list)
    closed: bool = False

    def __call__(self, config: object) -> Field:
        del config
        return self

    @property
    def roster(self) -> Field:
        return self

    def workers(self) -> Mapping[str, Worker]:
        return {"node1": Worker(name="node1")}

    def carry_out(self, orders: Sequence[Order], timeout: float = 1.0) -> dict[str, Report]:
        del timeout
        (order,) = orders
        assert order.log is not None
        acts = (order.launches, order.cancels, order.discards, order.releases, order.cleans)
        assert not any(acts), "a look changes nothing"
        report = Report(order=order.id, host="node1", at=0.0)
        if self.errors:
            return {"node1": replace(report, error=self.errors.pop(0))}
        self.asked.append((order.log.offset, order.log.limit))
        size = len(self.log)
        start = order.log.offset if order.log.offset >= 0 else max(0, size + order.log.offset)
        start = min(start, size)
        text = self.log[start : start + order.log.limit].decode("latin-1")
        part = LogPart(attempt=order.log.attempt, size=size, offset=start, text=text)
        if self.then:
            self.then.pop(0)()
        return {"node1": replace(report, log=part)}

    def close(self) -> None:
        self.closed = True


RUNNING = job("a-1aaaaa", JobState.RUNNING, attempts=(attempt("node1"),))


@pytest.fixture
def worker(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Field:
    made = Field(desk)
    monkeypatch.setattr(visiting, "Visitor", made)
    monkeypatch.setattr(log_reading, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(log_reading, "RETRY_EVERY", 0.0)
    return made


def printed(desk: Desk, *options: str, code: int = 0) -> bytes:
    return desk.run("logs", *options, code=code).stdout_bytes


def finished(running: Job, log_bytes: int, **facts: Any) -> Job:
    over = ended("node1", log_bytes=log_bytes, **facts)
    state = JobState.COMPLETED if over.outcome is Outcome.COMPLETED else JobState.FAILED
    return replace(running, state=state, attempts=(over,))


def test_at_home_byte_for_byte(desk: Desk) -> None:
    content = bytes(range(256)) * 3 + b"no newline"
    desk.has(finished(RUNNING, len(content)))
    desk.log("a-1aaaaa", "a000000001", content)
    assert printed(desk, "a") == content
    assert printed(desk, "a", "--tail", "9", "--bytes") == b"o newline"
    assert printed(desk, "a", "--tail", "0") == b""


def test_the_last_lines_at_home_of_a_long_log(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reading, "TAIL_GUESS", 16)
    content = b"".join(b"line %d\n" % number for number in range(100))
    desk.has(finished(RUNNING, len(content)))
    desk.log("a-1aaaaa", "a000000001", content)
    assert printed(desk, "a", "--tail", "2") == b"line 98\nline 99\n"
    assert printed(desk, "a", "--tail", "1000") == content


def test_it_says_so_when_only_the_end_came_home(desk: Desk) -> None:
    desk.has(finished(RUNNING, 5000))
    desk.log("a-1aaaaa", "a000000001", b"the end\n")
    done = desk.run("logs", "a")
    assert done.stdout_bytes == b"the end\n"
    assert "only the last 8 of 5000 bytes" in done.stderr


def test_of_an_earlier_attempt(desk: Desk) -> None:
    first = ended("node1", Outcome.FAILED)
    second = attempt("node1", number=2)
    desk.has(replace(RUNNING, attempts=(first, second)))
    desk.log("a-1aaaaa", first.id, b"first\n")
    assert printed(desk, "a", "--attempt", "1") == b"first\n"
    assert "has no attempt 3" in desk.refused("logs", "a", "--attempt", "3", code=1)


def test_live(worker: Field) -> None:
    worker.desk.has(RUNNING)
    worker.log = b"one\ntwo\nthree"
    assert printed(worker.desk, "a") == worker.log
    assert printed(worker.desk, "a", "--tail", "2") == b"two\nthree"
    assert printed(worker.desk, "a", "--tail", "4", "--bytes") == b"hree"
    assert worker.closed


def test_live_in_pieces(worker: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reading, "CHUNK", 10)
    worker.desk.has(RUNNING)
    worker.log = b"0123456789" * 5 + b"end"
    assert printed(worker.desk, "a") == worker.log
    assert [offset for offset, _ in worker.asked] == [0, 10, 20, 30, 40, 50]


def test_following_goes_on_at_home(worker: Field) -> None:
    desk = worker.desk
    desk.has(RUNNING)
    worker.log = b"one\n"

    def more() -> None:
        worker.log += b"two\n"

    def end() -> None:
        # Of 12 bytes, only the last 9 come home.
        desk.log("a-1aaaaa", "a000000001", b"\ntwo\nend\n")
        desk.has(finished(RUNNING, 12))

    worker.then = [more, lambda: None, end]
    done = desk.run("logs", "-f", "a")
    assert done.stdout_bytes == b"one\ntwo\nend\n"
    assert "a-1aaaaa: attempt 1 completed" in done.stderr


def test_following_outlives_a_lost_worker(worker: Field) -> None:
    desk = worker.desk
    desk.has(RUNNING)
    worker.log = b"one\n"
    worker.errors = ["refused", "refused"]

    def end() -> None:
        desk.log("a-1aaaaa", "a000000001", b"one\nend\n")
        desk.has(finished(RUNNING, 8, outcome=Outcome.FAILED, reason="exit code 3"))

    worker.then = [end]
    done = desk.run("logs", "-f", "a")
    assert done.stdout_bytes == b"one\nend\n"
    assert done.stderr.count("no contact with node1: refused") == 1
    assert "failed (exit code 3)" in done.stderr


def test_a_lost_worker_ends_a_single_look(worker: Field) -> None:
    worker.desk.has(RUNNING)
    worker.errors = ["refused"]
    assert "no contact with node1" in worker.desk.refused("logs", "a", code=1)


def test_following_goes_on_to_the_next_attempt(
    worker: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = worker.desk
    desk.has(RUNNING)
    worker.log = b"one\n"
    first = ended("node1", Outcome.FAILED, log_bytes=4)
    second = ended("node1", number=2, id="b000000002", log_bytes=4)

    def fail() -> None:
        desk.log("a-1aaaaa", first.id, b"one\n")
        desk.log("a-1aaaaa", second.id, b"two\n")
        attempts = (first, replace(second, outcome=None, exit_code=None))
        desk.has(replace(RUNNING, attempts=attempts))

    def complete() -> None:
        desk.has(replace(RUNNING, state=JobState.COMPLETED, attempts=(first, second)))

    worker.then = [fail]
    original = log_reading.LogReading._say_end

    def say_end(self: log_reading.LogReading, about: Job, which: Any) -> None:
        original(self, about, which)
        complete()

    monkeypatch.setattr(log_reading.LogReading, "_say_end", say_end)
    done = desk.run("logs", "-f", "a")
    assert done.stdout_bytes == b"one\ntwo\n"
    assert "attempt 1 failed; it is tried again" in done.stderr
    assert "attempt 2 completed" in done.stderr


def test_the_systems_own_words_of_a_task_that_wrote_no_errors(desk: Desk) -> None:
    task, lost = Task(id="t", command=":"), ended("cl", Outcome.FAILED, exit_code=None)
    desk.has(job("t-1aaaaa", JobState.FAILED, attempts=(lost,), task=task, backend="cl"))
    folder = task_folder(desk.config.paths.inbox, desk.jobs()["t-1aaaaa"])
    folder.mkdir(parents=True)
    (folder / OWNER).write_text(lost.id)
    (folder / "system.log").write_text("cannot chdir\nto /x\n")
    done = desk.run("logs", "t", "--error", "--tail", "1")
    assert done.stdout_bytes == b"to /x\n"
    assert "the batch system itself said" in done.stderr
    assert "logs --error t-1aaaaa" in desk.run("logs", "t", code=1).stderr
    (folder / "stderr.log").write_text("mine\n")
    assert printed(desk, "t", "--error") == b"mine\n"


def test_what_has_no_log(desk: Desk) -> None:
    desk.has(
        job("p-1aaaaa"),
        job("e-2aaaaa", JobState.RUNNING, attempts=(attempt("x"),), origin=Origin.EXTERNAL),
        job("l-3aaaaa", JobState.FAILED, attempts=(ended("x", Outcome.ABANDONED),)),
        job("c-4aaaaa", JobState.CANCELLED, state_since=ago(minutes=1)),
    )
    assert "is pending and has not run" in desk.refused("logs", "p", code=1)
    assert "somebody else" in desk.refused("logs", "e")
    assert "did not come home" in desk.refused("logs", "l", code=1)
    assert "has not run" in desk.refused("logs", "-f", "c", code=1)
    desk.refused("logs", "p", "--bytes")
