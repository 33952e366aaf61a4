"""The jobs of others on a cluster: seen, changed, gone, forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.dispatch import cluster_externals
from hopper.dispatch.cluster_externals import LONGEST, looked, wanted
from hopper.model.backend import ExternalJob
from hopper.model.native import NativePhase, NativeSighting
from tests.unit.dispatch.situations import NOW, later

RUNNING, QUEUED, ENDED = NativePhase.RUNNING, NativePhase.QUEUED, NativePhase.ENDED


def sighting(native: str = "9", phase: NativePhase = RUNNING, **parts: Any) -> NativeSighting:
    values = {"name": "train", "user": "eve", "word": str(phase).upper(), **parts}
    return NativeSighting(native_id=native, phase=phase, **values)


class Watch:
    """Looks at one cluster one after the other."""

    def __init__(self) -> None:
        self.known: dict[str, ExternalJob] = {}
        self.before: datetime | None = None
        self.writes = 0

    def look(self, second: float, *seen: NativeSighting) -> None:
        updates = looked(self.known, seen, backend="cl", now=later(second), before=self.before)
        self.before = later(second)
        self.writes = len(updates)
        for key, job in updates.items():
            if job is None:
                self.known.pop(key, None)
            else:
                self.known[key] = job

    def live(self) -> set[str]:
        return {job.native_id for job in self.known.values() if job.gone_at is None}


def test_from_the_first_look_to_the_end() -> None:
    watch = Watch()
    watch.look(0, sighting("9", QUEUED, reason="Priority", submitted_at=NOW.timestamp()))
    watch.look(60, sighting("9", QUEUED, reason="Resources"))
    assert watch.writes == 0, "why it waits is not kept"
    watch.look(120, sighting("9", started_at=later(90).timestamp(), node="n1", cpus=4))
    assert watch.writes == 1
    watch.look(180)
    [job] = watch.known.values()
    assert job == ExternalJob(
        id="cl/9", backend="cl", native_id="9", first_seen=NOW, phase=RUNNING, word="RUNNING",
        name="train", user="eve", node="n1", cpus=4, submitted_at=NOW, started_at=later(90),
        last_seen=later(120), gone_at=later(180),
    )  # fmt: skip
    watch.look(240)
    assert watch.writes == 0


def test_an_end_that_is_told_is_known() -> None:
    watch = Watch()
    watch.look(0, sighting("9"), sighting("8", ENDED))
    assert watch.live() == {"9"}, "what was over when it was first seen is nobody's concern"
    watch.look(60, sighting("9", ENDED, word="FAILED"))
    [job] = watch.known.values()
    assert (job.phase, job.word, job.last_seen, job.gone_at) == (
        ENDED,
        "FAILED",
        later(60),
        later(60),
    )


def test_an_id_that_is_given_again_is_another_job() -> None:
    watch = Watch()
    watch.look(0, sighting("9"))
    watch.look(60)
    watch.look(120, sighting("9", name="other"))
    [job] = watch.known.values()
    assert (job.name, job.first_seen, job.gone_at) == ("other", later(120), None)


@given(st.lists(st.sets(st.integers(0, 6)), max_size=12))
def test_what_is_kept_is_what_was_seen_and_never_too_much(looks: list[set[int]]) -> None:
    watch, most = Watch(), 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster_externals, "MOST", most)
        for number, seen in enumerate(looks):
            sightings = [sighting(str(native)) for native in sorted(seen)]
            before = watch.live()
            watch.look(60.0 * number, *sightings)
            names = {str(native) for native in seen}
            assert watch.live() <= names
            assert before & names <= watch.live(), "who is known stays known"
            assert len(watch.live()) == min(most, len(names))
            gone = [job for job in watch.known.values() if job.gone_at is not None]
            assert len(gone) <= most
            watch.look(60.0 * number + 1, *sightings)
            assert watch.writes == 0


def test_hostile_words_are_cut_and_times_that_are_none_left_out() -> None:
    watch = Watch()
    watch.look(0, sighting("9" * 999, name="n" * 999, user="u" * 999, started_at=1e300))
    [job] = watch.known.values()
    assert {len(job.native_id), len(job.name), len(job.user)} == {LONGEST}
    assert job.started_at is None
    watch.look(60, sighting("9" * 999, name="n" * 999, user="u" * 999))
    assert watch.writes == 0


@pytest.mark.parametrize(
    ("users", "me", "found"),
    [((), "eve", ["1"]), ((), "", []), (("bob",), "eve", ["2"]), (("*",), "eve", ["1", "2", "3"])],
)
def test_whose_jobs_are_kept(users: tuple[str, ...], me: str, found: list[str]) -> None:
    seen = [sighting("1"), sighting("2", user="bob"), sighting("3", user="")]
    assert [item.native_id for item in wanted(seen, users, me)] == found
