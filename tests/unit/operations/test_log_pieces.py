"""Parts of logs by place, at home and from afar, and their text."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hopper.errors import NotThere, UsageError
from hopper.model.attempt import Attempt
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.orders import LogPart
from hopper.model.states import JobState
from hopper.operations.log_pieces import attempt_of, piece_at_home, piece_from_afar
from hopper.operations.log_text import plain_text, whole_end

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ATTEMPT = Attempt(id="a1", number=1, worker="w", intended_at=NOW)


def job(**more: object) -> Job:
    known: dict[str, object] = {
        "id": "j",
        "spec": JobSpec(name="j"),
        "state": JobState.RUNNING,
        "submitted_at": NOW,
        "attempts": (ATTEMPT,),
    }
    return Job(**{**known, **more})  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(b"0123456789")
    return path


def test_the_end_is_shown_first_and_the_rest_on_demand(log: Path) -> None:
    end = piece_at_home(log, 10, None, 4, "")
    assert (end.start, end.content, end.size, end.first) == (6, b"6789", 10, 0)
    before = piece_at_home(log, 10, 2, 4, "")
    assert (before.start, before.content, before.end) == (2, b"2345", 6)
    assert piece_at_home(log, 10, 10, 4, "").content == b""
    assert piece_at_home(log, 10, 99, 4, "").content == b""


def test_places_are_those_of_the_whole_log_where_only_its_end_came_home(log: Path) -> None:
    end = piece_at_home(log, 1_000_010, None, 4, "")
    assert (end.start, end.content, end.first) == (1_000_006, b"6789", 1_000_000)
    assert "last 10 of 1000010" in end.remark
    assert piece_at_home(log, 1_000_010, 0, 3, "").start == 1_000_000


class Afar:
    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.asked: list[int] = []

    def part(self, job: Job, attempt: Attempt, offset: int, *, errors: bool) -> LogPart | None:
        del job, errors
        self.asked.append(offset)
        if self.content is None:
            return None
        size = len(self.content)
        start = max(0, size + offset) if offset < 0 else offset
        text = self.content[start:].decode("latin-1")
        return LogPart(attempt=attempt.id, size=size, offset=start, text=text)


def test_a_log_that_grows_is_asked_for_where_it_grows() -> None:
    far = Afar(b"abcdef")
    first = piece_from_afar(far, job(), ATTEMPT, errors=False, start=None, limit=4)
    assert (first.start, first.content, first.live) == (2, b"cdef", True)
    then = piece_from_afar(far, job(), ATTEMPT, errors=False, start=first.end, limit=4)
    assert (then.start, then.content) == (6, b"")
    assert far.asked == [-4, 6]


def test_a_log_that_is_not_there_yet_is_empty_and_may_come() -> None:
    piece = piece_from_afar(Afar(None), job(), ATTEMPT, errors=False, start=None, limit=4)
    assert (piece.start, piece.content, piece.live) == (0, b"", True)


def test_which_attempt_is_meant() -> None:
    assert attempt_of(job(), None) is ATTEMPT
    assert attempt_of(job(attempts=()), None) is None
    with pytest.raises(NotThere):
        attempt_of(job(), 2)
    with pytest.raises(UsageError):
        attempt_of(job(origin=Origin.EXTERNAL), None)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m\n", "red\n"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("10%\r20%\r\ndone\n", "10%\n20%\ndone\n"),
        ("a\x00b\x9bc", "a\ufffdb\ufffdc"),
        ("\u202eevil", "\ufffdevil"),
        ("plain\ttext\n", "plain\ttext\n"),
    ],
)
def test_a_page_is_given_no_command_to_a_terminal(raw: str, shown: str) -> None:
    assert plain_text(raw) == shown


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"", b""),
        (b"abc\n", b"abc\n"),
        ("aé".encode(), "aé".encode()),
        ("aé".encode()[:-1], b"a"),
        ("a\U0001f600".encode()[:-1], b"a"),
        ("a\U0001f600".encode(), "a\U0001f600".encode()),
        (b"a\x1b[3", b"a"),
        (b"a\x1b", b"a"),
        (b"a\x1b[3m", b"a\x1b[3m"),
        (b"a\r", b"a"),
        (b"\xff\xfe", b"\xff\xfe"),
        (b"\x80\x80\x80\x80\x80", b"\x80\x80\x80\x80\x80"),
    ],
)
def test_a_piece_is_cut_before_what_is_not_whole(content: bytes, kept: bytes) -> None:
    assert content[: whole_end(content)] == kept
