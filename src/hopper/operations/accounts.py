"""Who may use the web page: that it was changed is put on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hopper.bootstrap import commands
from hopper.model.event import EventKind

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig


def note(config: HopperConfig, said: str, *, by: str | None = None) -> None:
    """Put on record that users or tokens were changed. NoAnswer, HopperError.

    ``by`` is who did it; the person whose process this is if nobody is named.
    """
    body = {"do": "note", "kind": str(EventKind.ACCOUNT_CHANGED), "reason": said}
    commands.give(config, {**body, **commands.asked_by(by)})
