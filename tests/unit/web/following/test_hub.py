from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Sequence

import pytest

from hopper.web.following import hub as hubs
from hopper.web.following.changes import Changes
from hopper.web.following.hub import Hub, Watcher, is_view, message

NOTHING = Changes()


def run(coroutine: Coroutine[None, None, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await coroutine

    asyncio.run(limited())


def a_hub() -> tuple[Hub, list[tuple[str, tuple[str, ...]]]]:
    rendered: list[tuple[str, tuple[str, ...]]] = []
    hub = Hub(lambda changes: str(changes.version))

    def render(view: str, ids: Sequence[str]) -> str:
        rendered.append((view, tuple(ids)))
        return "".join(f"<tr id='job-{one}'>\n</tr>" for one in ids)

    hub.render = render
    return hub, rendered


def changed(version: int, *ids: str, run: str = "r1") -> Changes:
    return Changes(
        version=version,
        jobs=dict.fromkeys(ids, run),
        runs=frozenset({run}),
        tables=frozenset({"jobs"}),
    )


async def heard(messages: AsyncIterator[bytes], event: str) -> str:
    """The next message of that kind."""
    async for one in messages:
        if one.startswith(f"event: {event}\n".encode()):
            return one.decode()
    raise AssertionError(f"the stream ended without {event}")


def test_one_rendering_for_all_who_watch() -> None:
    async def scene() -> None:
        hub, rendered = a_hub()
        streams = [hub.watch("jobs", NOTHING).messages() for _ in range(20)]
        hub.tell(changed(1, "j1"))
        told = [await heard(stream, "rows") for stream in streams]
        assert rendered == [("jobs", ("j1",))]
        assert set(told) == {"event: rows\ndata: <tr id='job-j1'>\ndata: </tr>\nid: 1\n\n"}
        for stream in streams:
            text = await heard(stream, "changed")
            assert json.loads(text.split("data: ")[1].split("\n")[0])["jobs"] == ["j1"]

    run(scene())


def test_what_comes_soon_after_is_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "GATHER", 0.05)

    async def scene() -> None:
        hub, rendered = a_hub()
        stream = hub.watch("jobs", NOTHING).messages()
        hub.tell(changed(1, "j1"))
        await heard(stream, "rows")
        for version in range(2, 12):
            hub.tell(changed(version, f"j{version % 3}"))
        assert "id: 11\n" in await heard(stream, "rows")
        assert rendered == [("jobs", ("j1",)), ("jobs", ("j2", "j0", "j1"))]

    run(scene())


def test_each_view_hears_of_its_own() -> None:
    async def scene() -> None:
        hub, rendered = a_hub()
        one, other = hub.watch("run:r1", NOTHING), hub.watch("run:r2", NOTHING)
        job, workers = hub.watch("job:j1", NOTHING), hub.watch("events", NOTHING)
        streams = [watcher.messages() for watcher in (one, job)]
        hub.tell(changed(1, "j1"))
        for stream in streams:
            await heard(stream, "changed")
        hub.tell(Changes(version=2, tables=frozenset({"events"})))
        await heard(workers.messages(), "changed")
        hub.tell(changed(3, "j9", run="r2"))
        assert "j9" in await heard(other.messages(), "changed")
        assert sorted(view for view, _ in rendered) == ["job:j1", "run:r1", "run:r2"]

    run(scene())


def test_who_takes_nothing_is_let_go_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "GATHER", 0.0)
    monkeypatch.setattr(hubs, "MOST_WAITING", 6)

    async def scene() -> None:
        hub, _ = a_hub()
        slow, quick = hub.watch("jobs", NOTHING), hub.watch("jobs", NOTHING)
        stream = quick.messages()
        for version in range(1, 10):
            hub.tell(changed(version, "j1"))
            await heard(stream, "changed")
        assert slow.over
        assert len(hub) == 1
        assert [one async for one in slow.messages()] == []

    run(scene())


def test_who_goes_leaves_nothing_behind() -> None:
    async def scene() -> None:
        hub, rendered = a_hub()
        stream = hub.watch("jobs", NOTHING).messages()
        assert await anext(stream)
        taking = asyncio.create_task(heard(stream, "rows"))
        await asyncio.sleep(0)
        hub.tell(changed(1, "j1"))
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert len(hub) == 0
        hub.tell(changed(2, "j1"))
        assert rendered == []

    run(scene())


def test_all_are_let_go_at_the_end() -> None:
    async def scene() -> None:
        hub, _ = a_hub()
        watchers = [hub.watch(view, NOTHING) for view in ("jobs", "jobs", "overview")]

        async def drain(watcher: Watcher) -> int:
            return len([one async for one in watcher.messages()])

        tasks = [asyncio.create_task(drain(watcher)) for watcher in watchers]
        await asyncio.sleep(0)
        hub.close()
        await asyncio.gather(*tasks)
        assert len(hub) == 0
        late = hub.watch("jobs", NOTHING)
        assert [one async for one in late.messages()] == []

    run(scene())


def test_too_much_is_told_as_stale() -> None:
    async def scene() -> None:
        hub, rendered = a_hub()
        for what in (
            Changes(version=1, whole=True),
            changed(2, *[f"j{number}" for number in range(hubs.MOST_ROWS + 1)]),
        ):
            stream = hub.watch("jobs", what).messages()
            assert f"id: {what.version}\n" in await heard(stream, "stale")
        assert rendered == []

    run(scene())


def test_a_faulty_template_ends_no_stream() -> None:
    async def scene() -> None:
        hub, _ = a_hub()
        hub.render = lambda _view, _ids: str(1 / 0)
        stream = hub.watch("jobs", NOTHING).messages()
        hub.tell(changed(1, "j1"))
        await heard(stream, "stale")

    run(scene())


def test_what_was_missed_comes_first() -> None:
    async def scene() -> None:
        hub, _ = a_hub()
        stream = hub.watch("jobs", changed(5, "j1")).messages()
        found = [(await anext(stream)).split(b"\n")[0] for _ in range(3)]
        assert found == [b"event: hello", b"event: rows", b"event: changed"]

    run(scene())


@pytest.mark.parametrize("name", ["run:", "job", "shoes", "shoes:1", ":", ""])
def test_views_that_are_none(name: str) -> None:
    assert not is_view(name)


def test_a_line_break_of_any_kind_ends_no_message() -> None:
    raw = message("rows", "a\r\nb\rc\u2028d\n\nid: 99\ndata: e", "7").decode()
    lines = raw.split("\n")
    assert lines[-2:] == ["", ""]
    assert all(line.startswith(("event:", "data:", "id: 7")) for line in lines[:-2])
    assert "\r" not in raw
