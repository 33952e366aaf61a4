"""What is advised, as the page says it."""

from __future__ import annotations

import pytest

from hopper.web.advised import advised


@pytest.mark.parametrize(
    ("said", "words", "route", "given"),
    [
        ("hopper release a-1", "Release it", "job", {"job_id": "a-1"}),
        ("hopper requeue a-1", "Requeue a-1", "job", {"job_id": "a-1"}),
        ("hopper requeue --abandon a-1", "Abandon and requeue it", "job", {"job_id": "a-1"}),
        ("hopper explain b-2", "Why b-2?", "explain_job", {"job_id": "b-2"}),
        ("hopper workers resume", "Resume dispatching", "overview", {}),
        ("hopper workers resume box", "Resume box", "workers", {}),
        ("hopper backend check hpc", "Check hpc", "workers", {}),
        ("hopper dispatch", "", "", {}),
        ("hopper requeue ../a", "", "", {}),
        ("mend the zip and submit it anew", "", "", {}),
    ],
)
def test_where_it_can_be_done(said: str, words: str, route: str, given: dict[str, str]) -> None:
    (one,) = advised([said])
    assert (one.said, one.words, one.route, one.given) == (said, words, route, given)


def test_each_place_is_told_once() -> None:
    found = advised(["hopper logs --error a-1", "hopper logs a-1", "hopper requeue a-1"])
    assert [one.words for one in found] == ["Its output", "Requeue a-1"]


def test_words_are_no_command() -> None:
    assert [one.command for one in advised(["mend it", "hopper dispatch"])] == [False, True]
