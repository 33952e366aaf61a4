"""Who watches which view, and what each is told: rendered once for a view, not for each.

A view is a name: ``jobs``, ``overview``, ``run:ID`` … What changes is gathered for a moment and
then told to all who watch it. Nobody is waited for: whoever does not take what there is in time
is let go, and comes again by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

from hopper.store.codec import encode
from hopper.web.following.changes import Changes

log = logging.getLogger(__name__)

GATHER = 0.5
"""Seconds between two tellings of one view, at least."""
MOST_ROWS = 300
"""Above so many changed rows a page does better to ask for what it shows."""
MOST_WAITING = 64
"""Messages that may wait for one watcher."""

RenderRows = Callable[[str, Sequence[str]], str]
"""From a view and ids of jobs to the HTML of their rows; empty where that view shows none."""
Place = Callable[[Changes], str]
"""From changes to the text of the position after them."""

ALL_TABLES = frozenset(
    {"jobs", "runs", "workers", "externals", "clusters", "settings", "stored", "events"}
)
VIEWS: Mapping[str, frozenset[str]] = {
    "overview": ALL_TABLES,
    "jobs": frozenset({"jobs", "externals", "workers"}),
    "runs": frozenset({"jobs", "runs"}),
    "workers": frozenset({"workers", "jobs", "settings"}),
    "backends": frozenset({"clusters", "jobs", "externals", "workers"}),
    "queue": frozenset({"jobs"}),
    "workflows": frozenset({"runs"}),
    "events": frozenset({"events"}),
}
"""Views, and the tables whose changes they are told of; besides ``run:ID`` and ``job:ID``."""


def is_view(name: str) -> bool:
    """Return whether there is such a view."""
    kind, colon, item = name.partition(":")
    return bool(kind in {"run", "job"} and item) if colon else name in VIEWS


def seen_in(view: str, changes: Changes) -> Changes | None:
    """Return what a view shows of the changes; None for nothing."""
    kind, colon, item = view.partition(":")
    if colon:
        return changes.of_run(item) if kind == "run" else changes.of_job(item)
    return changes.of_tables(VIEWS[view])


def message(event: str, data: str, at: str = "") -> bytes:
    """Return one message of a stream of server-sent events; ``at`` is the position after it."""
    lines = [f"event: {event}", *(f"data: {line}" for line in data.splitlines() or [""])]
    if at:
        lines.append(f"id: {at}")
    return ("\n".join(lines) + "\n\n").encode(errors="replace")


class Watcher:
    """One who watches a view: an iterator of messages, until it is let go."""

    def __init__(self, leave: Callable[[Watcher], None]) -> None:
        self._waiting: deque[bytes] = deque()
        self._ring = asyncio.Event()
        self._leave = leave
        self.over = False

    def give(self, messages: Sequence[bytes]) -> None:
        """Have it take these next; let it go when it is too far behind."""
        self._waiting.extend(messages)
        if len(self._waiting) > MOST_WAITING:
            self.let_go()
        self._ring.set()

    def let_go(self) -> None:
        """End it, without what still waits."""
        self.over = True
        self._waiting.clear()
        self._leave(self)
        self._ring.set()

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Yield messages as they come."""
        try:
            while True:
                while self._waiting:
                    yield self._waiting.popleft()
                if self.over:
                    return
                self._ring.clear()
                await self._ring.wait()
        finally:
            self.over = True
            self._leave(self)


class _Channel:
    """One view that is watched."""

    def __init__(self) -> None:
        self.watchers: set[Watcher] = set()
        self.pending: Changes | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.told = float("-inf")
        """When it was told last, by the loop's clock."""


class Hub:
    """All who watch. Lives in one event loop."""

    def __init__(self, place: Place) -> None:
        self.render: RenderRows = lambda _view, _ids: ""
        """How rows become HTML; set by whoever has the templates."""
        self._place = place
        self._channels: dict[str, _Channel] = {}
        self._closed = False

    def __len__(self) -> int:
        return sum(len(channel.watchers) for channel in self._channels.values())

    def watch(self, view: str, missed: Changes) -> Watcher:
        """Return a new watcher of a view, who is first told what was missed."""
        channel = self._channels.setdefault(view, _Channel())
        watcher = Watcher(lambda one: self._leave(view, one))
        channel.watchers.add(watcher)
        shown = seen_in(view, missed)
        at = self._place(missed)
        watcher.give([message("hello", "{}", at), *(self._render(view, shown) if shown else ())])
        if self._closed:
            watcher.let_go()
        return watcher

    def tell(self, changes: Changes) -> None:
        """Tell all whom the changes concern, soon."""
        for view, channel in self._channels.items():
            shown = seen_in(view, changes)
            if shown is None:
                continue
            channel.pending = shown if channel.pending is None else channel.pending.then(shown)
            if channel.timer is None:
                loop = asyncio.get_running_loop()
                due = max(loop.time(), channel.told + GATHER)
                channel.timer = loop.call_at(due, self._flush, view, channel)

    def close(self) -> None:
        """Let all go."""
        self._closed = True
        for channel in list(self._channels.values()):
            for watcher in list(channel.watchers):
                watcher.let_go()

    def _flush(self, view: str, channel: _Channel) -> None:
        pending, channel.pending, channel.timer = channel.pending, None, None
        channel.told = asyncio.get_running_loop().time()
        if pending is not None and channel.watchers:
            messages = self._render(view, pending)
            for watcher in list(channel.watchers):
                watcher.give(messages)

    def _leave(self, view: str, watcher: Watcher) -> None:
        channel = self._channels.get(view)
        if channel is None:
            return
        channel.watchers.discard(watcher)
        if not channel.watchers:
            if channel.timer is not None:
                channel.timer.cancel()
            del self._channels[view]

    def _render(self, view: str, changes: Changes) -> list[bytes]:
        at = self._place(changes)
        if changes.whole or changes.size > MOST_ROWS:
            return [message("stale", "{}", at)]
        found = [message("changed", encode(_document(changes)).decode(), at)]
        try:
            rows = self.render(view, list(changes.jobs)) if changes.jobs else ""
        except Exception:  # a fault of one template must not end what is live
            log.exception("the rows of %s", view)
            return [message("stale", "{}", at)]
        # The rows come first: who hears of the change may look at them.
        return [message("rows", rows, at), *found] if rows else found


def _document(changes: Changes) -> dict[str, object]:
    return {
        "seq": changes.seq,
        "jobs": list(changes.jobs),
        "new": sorted(changes.new),
        "gone": list(changes.gone),
        "runs": sorted(changes.runs),
        "tables": sorted(changes.tables),
    }
