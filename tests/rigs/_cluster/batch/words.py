"""Texts that both stand-ins read and write."""

from __future__ import annotations

import sys
import time


class Refused(Exception):
    """What a command says on stderr, and the exit code with which it ends."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


def complain(text: str) -> None:
    """Print a line on stderr."""
    sys.stderr.write(text + "\n")


def date(moment: float) -> str:
    """A time as C's `ctime` writes it, in the node's own timezone, without the year's end."""
    return time.strftime("%a %b %e %H:%M:%S %Y", time.localtime(moment))


def clock(seconds: float) -> str:
    """A duration as HH:MM:SS."""
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
