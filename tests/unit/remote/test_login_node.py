"""What becomes of an order when the line or the host does not play along."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hopper.errors import TransportError
from hopper.model.batch import BatchOrder, FollowBatch, Submission
from hopper.remote import login_node
from hopper.remote.transport import Answer

MARK = "HOPPER-0"


@dataclass
class Line:
    """Answers always the same."""

    stdout: bytes = b""
    error: Exception | None = None

    def exec(self, command: str, stdin: bytes = b"") -> Answer:
        del command, stdin
        if self.error:
            raise self.error
        return Answer(code=0, stdout=self.stdout, stderr=b"words of the shell")

    def put(self, local: Path, remote: str) -> None:
        raise AssertionError(local, remote)

    def fetch(self, remote: str, local: Path) -> None:
        del local
        raise TransportError(f"{remote} is gone")


@pytest.fixture(autouse=True)
def _mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_node, "new_mark", lambda: MARK)


def order(tmp_path: Path, **parts: Any) -> BatchOrder:
    values = {"id": "b1", "host": "login", "backend": "here", "incoming": str(tmp_path)}
    return BatchOrder(**{**values, **parts})


def records(*told: tuple[str, ...], raw: bytes = b"") -> bytes:
    fields = [field for record in (*told, ("end",)) for field in (str(len(record)), *record)]
    return f"\n{MARK}\n".encode() + "".join(f"{f}\0" for f in fields).encode() + raw


@pytest.mark.parametrize("delivered", [True, False])
def test_a_line_that_fails_is_an_error_and_no_more(tmp_path: Path, delivered: bool) -> None:
    line = Line(error=TransportError("no route", delivered=delivered))
    report = login_node.carry_out(line, order(tmp_path))
    assert (report.error, report.delivered) == ("no route", delivered)


@pytest.mark.parametrize(
    "stdout",
    [
        b"",
        b"Welcome to the cluster!",
        records()[:-2],
        records(("unheard of", "x")),
        records(("side", "a1")),
        records(("answer", "q", "", "0", "9", "0"), raw=b"short"),
    ],
)
def test_an_answer_that_is_none_says_nothing(tmp_path: Path, stdout: bytes) -> None:
    report = login_node.carry_out(Line(stdout=stdout), order(tmp_path))
    assert report.error
    assert (report.answers, report.sides, report.submitted) == ((), (), ())


def test_what_cannot_be_a_shell_text_is_told(tmp_path: Path) -> None:
    item = Submission(attempt="a1", script="", command="a\0b", lookup="")
    report = login_node.carry_out(Line(), order(tmp_path, submissions=(item,)))
    assert "NUL" in report.error


def test_files_that_nobody_asked_for_stay_away(tmp_path: Path) -> None:
    told = (("file", "../a2", "log", "/x/l", "2", "none", "1"), ("collected", "../a2"))
    report = login_node.carry_out(Line(stdout=records(*told, raw=b"ab")), order(tmp_path))
    assert not report.collected
    assert "nobody asked for" in report.troubles[0][1]
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_fetched_is_told_and_not_taken_for_gathered(tmp_path: Path) -> None:
    told = (("file", "a1", "tar", "/x/results.tar", "2", "none", "0"), ("collected", "a1"))
    asked = order(tmp_path, follows=(FollowBatch(attempt="a1"),))
    report = login_node.carry_out(Line(stdout=records(*told)), asked)
    assert not report.gathered
    assert report.troubles == (("a1", "bringing results home: /x/results.tar is gone"),)
    assert login_node.carry_out(
        Line(stdout=records(*told)), order(tmp_path, follows=asked.follows, fetch_limit=1)
    ).too_large == ("a1",)


@pytest.mark.parametrize(
    ("clock", "after", "off"),
    [(1000, 1000.5, 0.0), (1000, 1040.0, 0.0), (1100, 1040.0, 60.0), (900, 1001.0, -99.2)],
)
def test_a_clock_is_not_off_because_a_visit_took_long(
    clock: float, after: float, off: float
) -> None:
    assert login_node.skew(clock, 1000.2, after) == off
