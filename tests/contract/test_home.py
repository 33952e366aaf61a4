"""The fake home and the real one do the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hopper.config.model import HopperConfig, Paths, Poll
from hopper.dispatch.commands import new_job
from hopper.dispatch.ports import Arrival, Home, Refusal, ZipGone
from hopper.home.at_home import FilesAtHome
from hopper.model.job import Job
from hopper.model.orders import Collected
from hopper.model.states import JobState
from tests.conftest import Eventually
from tests.fakes.clock import START
from tests.fakes.home import FOLDERS, FakeHome
from tests.unit.home.zips import SCRIPT, zip_bytes


@dataclass(kw_only=True)
class House:
    """A home, and what people and workers do to it."""

    home: Home
    drop: Callable[[], None]
    spoil: Callable[[], None]
    """Drop what is no zip."""
    zips: Callable[[str], set[str]]
    """The names in a folder."""
    take_away: Callable[[], None]
    """Remove all zips."""
    write: Callable[[str, bytes], None]
    results: Callable[[], dict[str, bytes]]


def fake_house(_: Path) -> House:
    home = FakeHome()

    def take_away() -> None:
        for zips in home.zips.values():
            zips.clear()

    return House(
        home=home,
        drop=lambda: _ignore(home.drop("job-abcdef")),
        spoil=lambda: home.refuse("bad-abcdef", "it is no zip"),
        zips=lambda folder: home.zips[folder],
        take_away=take_away,
        write=home.write,
        results=lambda: home.results,
    )


def _ignore(_: object) -> None:
    return None


def real_house(folder: Path) -> House:
    names = ("inbox", "queue", "running", "done", "failed", "db")
    paths = Paths(**{name: folder / name for name in names}, log=folder / "log")
    config = HopperConfig(paths=paths, poll=Poll(settle_seconds=0))

    def drop_bytes(name: str, content: bytes) -> None:
        (paths.queue / name).write_bytes(content)
        os.utime(paths.queue / name, (1, 1))

    def write(path: str, content: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)

    def take_away() -> None:
        for name in FOLDERS.values():
            for path in (folder / name).glob("*.zip"):
                path.unlink()

    return House(
        home=FilesAtHome(config),
        drop=lambda: drop_bytes("job.zip", zip_bytes(SCRIPT)),
        spoil=lambda: drop_bytes("bad.zip", b"no zip"),
        zips=lambda name: {path.name for path in (folder / name).glob("*.zip")},
        take_away=take_away,
        write=write,
        results=lambda: {p.name: p.read_bytes() for p in paths.inbox.iterdir() if p.is_file()},
    )


@pytest.fixture(params=[fake_house, real_house], ids=["fake", "real"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    made = request.param(tmp_path)
    assert isinstance(made, House)
    yield made
    if isinstance(made.home, FilesAtHome):
        made.home._pool.shutdown()


def arrived(house: House, eventually: Eventually) -> Arrival | Refusal:
    """What has arrived, once it has been looked into."""
    found = eventually(lambda: house.home.arrivals({}), what="an arrival")
    [item] = found
    return item


def a_job(house: House, eventually: Eventually) -> Job:
    house.drop()
    arrival = arrived(house, eventually)
    assert isinstance(arrival, Arrival)
    return new_job(arrival, START)


def test_a_dropped_zip_arrives_once(house: House, eventually: Eventually) -> None:
    assert not house.home.arrivals({})
    job = a_job(house, eventually)
    assert house.zips("queue") == {job.zip_name}
    assert not house.home.arrivals({job.id: job})
    assert house.home.arriving() is None


def test_what_is_no_zip_is_refused(house: House, eventually: Eventually) -> None:
    house.spoil()
    refusal = arrived(house, eventually)
    assert isinstance(refusal, Refusal)
    assert refusal.reason
    assert house.zips("failed") == {refusal.zip_name}


def test_a_zip_is_in_one_folder_and_follows_the_state(house: House, eventually: Eventually) -> None:
    job = a_job(house, eventually)
    for state, folder in FOLDERS.items():
        moved = replace(job, state=state)
        for _ in range(2):
            house.home.place(moved)
            there = [name for name in set(FOLDERS.values()) if job.zip_name in house.zips(name)]
            assert there == [folder]
        path = house.home.path(moved)
        assert (path.parent.name, path.name) == (folder, job.zip_name)
    house.home.write_reason(replace(job, state=JobState.FAILED, reason="so"))


def test_a_zip_that_is_gone(house: House, eventually: Eventually) -> None:
    job = a_job(house, eventually)
    house.take_away()
    with pytest.raises(ZipGone):
        house.home.place(job)


def test_results_land_once_and_nothing_is_overwritten(house: House, eventually: Eventually) -> None:
    job = a_job(house, eventually)

    def collected(attempt: str, content: bytes) -> list[Collected]:
        path = f"{house.home.incoming()}/{attempt}/0.result"
        house.write(path, content)
        digest = hashlib.sha256(content).hexdigest()
        return [
            Collected(
                attempt=attempt,
                kind="result",
                name=f"{job.id}.a.zip",
                path=path,
                size=len(content),
                sha256=digest,
            )
        ]

    [first] = house.home.land(job, collected("aaaaaaaaaa", b"one"))
    [again] = house.home.land(job, collected("aaaaaaaaaa", b"one"))
    [other] = house.home.land(job, collected("bbbbbbbbbb", b"two"))
    assert first == again
    assert first.remote_name == f"{job.id}.a.zip"
    assert sorted(house.results().values()) == [b"one", b"two"]
    assert house.results()[other.name] == b"two"
    assert house.home.free_bytes() > 0
