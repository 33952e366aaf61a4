"""A program on a pty: it has a terminal, hears of its size, and is gone when it is ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from hopper.web.terminal.program import Program, environment_of

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/", "TERM": "xterm-256color", "PS1": "$ "}
SECONDS = 60


async def until(program: Program, words: bytes) -> bytes:
    """Read until the words came, or the program has ended."""
    said = b""
    while words not in said:
        part = await program.read()
        if not part:
            break
        said += part
    return said


def scene(words: list[str], act: Callable[[Program], Awaitable[None]]) -> None:
    async def play() -> None:
        program = await Program.start(words, ENVIRONMENT)
        try:
            await asyncio.wait_for(act(program), SECONDS)
        finally:
            await program.end()

    asyncio.run(play())


def there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_sits_on_a_terminal_of_its_own() -> None:
    async def act(program: Program) -> None:
        await program.write(b"tty && echo control >/dev/tty; echo $TERM\n")
        said = await until(program, b"\nxterm-256color")
        assert b"/dev/pts/" in said
        assert b"\r\ncontrol\r\n" in said

    scene(["/bin/sh"], act)


def test_it_hears_of_the_size_of_the_window() -> None:
    async def act(program: Program) -> None:
        program.resize(101, 37)
        program.resize(0, 100_000)  # nonsense changes nothing
        await program.write(b"stty size\n")
        assert b"37 101" in await until(program, b"37 101")

    scene(["/bin/sh"], act)


def test_it_says_nothing_more_once_it_has_ended() -> None:
    async def act(program: Program) -> None:
        said = await until(program, b"never said")
        assert b"over" in said
        assert await program.end() == 7

    scene(["/bin/sh", "-c", "echo over; exit 7"], act)


def test_one_that_will_not_go_is_ended_and_reaped() -> None:
    async def play() -> int:
        program = await Program.start(
            ["/bin/sh", "-c", "trap '' HUP TERM; echo begun; while :; do sleep 1; done"],
            ENVIRONMENT,
        )
        await until(program, b"begun")
        assert await program.end() != 0
        await program.write(b"too late")
        assert await program.read() == b""
        return program.pid

    assert not there(asyncio.run(play()))


def test_much_is_taken_and_given() -> None:
    async def act(program: Program) -> None:
        # A terminal's line is short; many lines are not.
        lines = b"".join(b"%06d\n" % number for number in range(20_000))
        writing = asyncio.create_task(program.write(lines + b"done-now\n"))
        said = await until(program, b"done-now")
        await writing
        assert b"019999" in said

    scene(["/bin/cat"], act)


def test_a_terminal_is_told_none_of_the_servers_secrets() -> None:
    known = {"HOME": "/h", "PATH": "/bin", "HOPPER_TOKEN": "s", "AWS_SECRET_ACCESS_KEY": "s"}
    assert environment_of(known) == {"HOME": "/h", "PATH": "/bin", "TERM": "xterm-256color"}
