from __future__ import annotations

import os
import select
import threading
import time
from pathlib import Path

import pytest

from hopper.store.errors import NoAnswer, StoreError
from hopper.store.mailbox import Command, Doorbell, Mailbox, ask, ring
from tests.conftest import Eventually


def _leave(folder: Path, number: int = 1, content: bytes = b'{"do":"hold"}') -> Path:
    box = folder / "control"
    box.mkdir(parents=True, exist_ok=True)
    path = box / f"{number:020d}-77-0123abcd.command.json"
    path.write_bytes(content)
    return path


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "control").iterdir())


def test_a_command_gets_its_answer(folder: Path) -> None:
    bell, box = Doorbell.open(folder), Mailbox(folder)

    def dispatcher() -> None:
        select.select([bell], [], [], 30)
        assert bell.drain()
        (command,) = box.take()
        assert command.body == {"do": "hold", "job": "\udc80"}
        assert box.take() == []
        box.answer(command, {"ok": True})

    thread = threading.Thread(target=dispatcher)
    thread.start()
    assert ask(folder, {"do": "hold", "job": "\udc80"}, timeout=30) == {"ok": True}
    thread.join()
    bell.close()
    assert _files(folder) == []


def test_without_an_answer_the_command_is_withdrawn(folder: Path) -> None:
    with pytest.raises(NoAnswer, match=r"within 0.05 s.*hopper status") as caught:
        ask(folder, {"do": "hold"}, timeout=0.05)
    assert caught.value.seconds == 0.05
    assert Mailbox(folder).take() == []


def test_an_answer_at_the_last_moment_counts(folder: Path) -> None:
    box = Mailbox(folder)

    def answer_late(_seconds: float) -> None:
        while time.monotonic() < deadline:
            pass
        for command in box.take():
            box.answer(command, {"ok": 1})

    deadline = time.monotonic() + 0.1
    assert ask(folder, {"do": "x"}, timeout=0.09, pause=answer_late) == {"ok": 1}


def test_commands_come_in_order_of_arrival(folder: Path) -> None:
    for number in (3, 1, 2):
        _leave(folder, number, b'{"n":%d}' % number)
    assert [command.body["n"] for command in Mailbox(folder).take()] == [1, 2, 3]


def test_a_command_that_was_not_answered_comes_again_after_a_restart(folder: Path) -> None:
    _leave(folder)
    (first,) = Mailbox(folder).take()
    box = Mailbox(folder)
    (second,) = box.take()
    assert second == first
    box.answer(second, {})
    assert Mailbox(folder).take() == []


def test_a_command_that_was_answered_does_not_come_again(folder: Path) -> None:
    path = _leave(folder)
    box = Mailbox(folder)
    (command,) = box.take()
    box.answer(command, {"ok": 1})
    path.write_bytes(b'{"do":"hold"}')  # as if we had died before taking it out
    assert Mailbox(folder).take() == []
    assert not path.exists()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a":' + b" " * (5 << 20)]
)
def test_what_is_no_command_is_set_aside(folder: Path, content: bytes) -> None:
    bad = _leave(folder, 1, content)
    _leave(folder, 2)
    box = Mailbox(folder)
    assert [command.body for command in box.take()] == [{"do": "hold"}]
    assert bad.name + ".bad" in _files(folder)
    assert not bad.exists()


def test_no_hostile_file_holds_it_up(folder: Path) -> None:
    secret = folder.parent / "secret.json"
    secret.write_text('{"do":"steal"}')
    box = folder / "control"
    box.mkdir(parents=True)
    os.mkfifo(box / f"{1:020d}-1-00000000.command.json")
    (box / f"{2:020d}-1-00000000.command.json").symlink_to(secret)
    (box / f"{3:020d}-1-00000000.command.json").mkdir()
    (box / "..command.json").write_text("{}")
    (box / "x\n$(y).command.json").write_text("{}")
    assert Mailbox(folder).take() == []
    assert [name for name in _files(folder) if name.endswith(".command.json")] == ["..command.json"]
    assert secret.exists()


def test_a_box_that_is_not_there_is_empty(folder: Path) -> None:
    box = Mailbox(folder)
    assert box.take() == []
    box.clean(time.time())
    box.answer(Command(id=f"{1:020d}-1-00000000", body={}), {})


def test_old_papers_are_thrown_away(folder: Path) -> None:
    command = _leave(folder)
    answer = command.with_name("x.answer.json")
    answer.write_text("{}")
    box = Mailbox(folder)
    now = time.time()
    box.clean(now + 60)
    assert len(_files(folder)) == 2
    box.clean(now + 2 * 3600)
    assert _files(folder) == [command.name]
    box.clean(now + 25 * 3600)
    assert _files(folder) == []


def test_ringing_where_nobody_listens_is_silent(folder: Path) -> None:
    ring(folder)
    folder.mkdir()
    ring(folder)
    os.mkfifo(folder / "wake")
    ring(folder)
    (folder / "wake").unlink()
    (folder / "wake").write_text("mine")
    ring(folder)
    assert (folder / "wake").read_text() == "mine"


def test_the_bell_wakes_and_falls_silent(folder: Path, eventually: Eventually) -> None:
    bell = Doorbell.open(folder)
    assert not bell.drain()
    for _ in range(100_000):  # more than the pipe takes
        ring(folder)
    assert eventually(lambda: select.select([bell], [], [], 0)[0])
    assert bell.drain()
    assert select.select([bell], [], [], 0)[0] == []
    bell.close()
    bell.close()


def test_a_bell_is_not_hung_on_something_else(folder: Path) -> None:
    folder.mkdir()
    (folder / "wake").write_text("mine")
    with pytest.raises(StoreError, match="not a FIFO"):
        Doorbell.open(folder)
