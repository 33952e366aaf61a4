"""The fake mailbox and the real one do the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hopper.bootstrap.adapters import LetterBox
from hopper.dispatch.ports import Mailbox
from hopper.store.codec import decode_object, encode
from hopper.store.files import make_folder, write_whole
from tests.fakes.small import FakeMailbox


@dataclass(kw_only=True)
class Place:
    """Where letters are left, and answers found."""

    leave: Callable[[int], None]
    answers: Callable[[], list[Mapping[str, Any]]]
    box: Callable[[], Mailbox]
    """A new dispatcher's side."""


def fake_place(_: Path) -> Place:
    first = FakeMailbox()

    def box() -> Mailbox:
        it = FakeMailbox(first.letters)
        it.answers = first.answers
        return it

    return Place(
        leave=lambda number: _ignore(first.leave(do="look", number=number)),
        answers=lambda: list(first.answers.values()),
        box=box,
    )


def _ignore(_: object) -> None:
    return None


def real_place(folder: Path) -> Place:
    control = folder / "control"

    def leave(number: int) -> None:
        make_folder(control)
        name = f"{number:020}-1-00000000.command.json"
        write_whole(control / name, [encode({"do": "look", "number": number})])

    def answers() -> list[Mapping[str, Any]]:
        return [decode_object(path.read_bytes()) for path in sorted(control.glob("*.answer.json"))]

    return Place(leave=leave, answers=answers, box=lambda: LetterBox(folder))


@pytest.fixture(params=[fake_place, real_place], ids=["fake", "real"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    made = request.param(tmp_path)
    assert isinstance(made, Place)
    return made


def numbers(box: Mailbox) -> list[object]:
    return [letter.body["number"] for letter in box.take()]


def test_an_empty_box(place: Place) -> None:
    assert numbers(place.box()) == []


def test_letters_come_once_and_in_order(place: Place) -> None:
    box = place.box()
    place.leave(1)
    place.leave(2)
    assert numbers(box) == [1, 2]
    place.leave(3)
    assert numbers(box) == [3]


def test_who_died_before_the_answer_gets_the_letter_again(place: Place) -> None:
    place.leave(1)
    place.leave(2)
    box = place.box()
    first, _ = box.take()
    box.answer(first, {"done": True})
    assert numbers(place.box()) == [2]
    assert place.answers() == [{"done": True}]
