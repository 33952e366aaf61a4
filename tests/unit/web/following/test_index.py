from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopper.errors import UsageError
from hopper.web.following.index import JobIndex
from hopper.web.following.listing import SORTS, JobFilter
from hopper.web.following.rows import JobRow

NOW = 1_000_000.0
IDS = [f"j{number}" for number in range(12)]


def moment(number: int) -> datetime:
    return datetime.fromtimestamp(NOW + number, UTC)


@st.composite
def rows(draw: st.DrawFn) -> JobRow:
    job_id = draw(st.sampled_from(IDS))
    name = draw(st.sampled_from(["fit", "Fit two", "sum"]))
    start = draw(st.none() | st.integers(-9000, 0))
    end = draw(st.sampled_from([-1.0, NOW]))
    return JobRow(
        id=job_id,
        name=name,
        run=draw(st.sampled_from(["", "r1", "r2"])),
        workflow=draw(st.sampled_from(["", "sweep"])),
        user=draw(st.sampled_from(["", "ada", "bob"])),
        state=draw(st.sampled_from(["pending", "running", "failed"])),
        backend=draw(st.sampled_from(["", "cl"])),
        worker=draw(st.sampled_from(["", "box", "cl"])),
        earlier=draw(st.sampled_from([(), ("old",), ("old", "box")])),
        held=draw(st.booleans()),
        tags=draw(st.sampled_from([(), ("gpu",), ("gpu", "big")])),
        submitted_at=draw(st.none() | st.integers(0, 3).map(moment)),
        utilization=draw(st.none() | st.floats(0, 1)),
        spans=() if start is None else (NOW + start, end, 2.0),
        text=f"{job_id}\n{name}".lower(),
    )


FILTERS = st.builds(
    JobFilter,
    states=st.frozensets(st.sampled_from(["pending", "failed", "completed"]), max_size=2),
    user=st.sampled_from(["", "", "ada"]),
    backend=st.sampled_from(["", "", "cl", "box", "old"]),
    run=st.sampled_from(["", "", "r1", "r9"]),
    workflow=st.sampled_from(["", "", "sweep"]),
    tags=st.sampled_from([frozenset(), frozenset({"big"}), frozenset({"gpu", "big"})]),
    name=st.sampled_from(["", "", "f*", "[Ff]it*"]),
    text=st.sampled_from(["", "", "FIT", "two j1"]),
    since=st.sampled_from([None, None, moment(1)]),
    held=st.sampled_from([None, None, True, False]),
)


def plainly(wanted: JobFilter, row: JobRow) -> bool:
    """Say without any haste whether a row is wanted."""
    places = {row.backend, row.worker, *row.earlier}
    return all(
        [
            not wanted.states or row.state in wanted.states,
            wanted.user in {"", row.user},
            not wanted.backend or wanted.backend in places,
            wanted.run in {"", row.run},
            wanted.workflow in {"", row.workflow},
            wanted.tags <= set(row.tags),
            not wanted.name or fnmatchcase(row.name, wanted.name),
            all(word in f"{row.id} {row.name}".lower() for word in wanted.text.lower().split()),
            wanted.since is None
            or (row.submitted_at is not None and row.submitted_at >= wanted.since),
            wanted.held in {None, row.held},
        ]
    )


STEPS = st.lists(
    st.lists(rows() | st.sampled_from(IDS), max_size=6)
    | st.tuples(FILTERS, st.sampled_from(list(SORTS)), st.booleans()),
    max_size=12,
)


@settings(max_examples=150)
@given(STEPS)
def test_whatever_happens_pages_are_what_a_plain_list_gives(
    steps: list[list[JobRow | str] | tuple[JobFilter, str, bool]],
) -> None:
    index, model = JobIndex(), dict[str, JobRow]()
    for step in steps:
        if isinstance(step, tuple):
            look_at(index, model, *step)
            continue
        changed = {
            one if isinstance(one, str) else one.id: None if isinstance(one, str) else one
            for one in step
        }
        index.update(changed)
        for job_id, row in changed.items():
            if row is None:
                model.pop(job_id, None)
            else:
                model[job_id] = row
        anew = JobIndex()
        anew.update(index.rows)
        assert {name: dict(found) for name, found in counts(anew).items()} == counts(index)
        for run in ("r1", "r2"):
            ids = {job_id for job_id, row in model.items() if row.run == run}
            assert {row.id for row in index.of_run(run)} == ids
    for sort in SORTS:
        look_at(index, model, JobFilter(), sort, True)


def counts(index: JobIndex) -> dict[str, dict[str, int]]:
    facets = index.facets()
    return {
        name: dict(getattr(facets, name))
        for name in ("states", "users", "backends", "runs", "workflows", "origins")
    }


def look_at(
    index: JobIndex, model: dict[str, JobRow], wanted: JobFilter, sort: str, descending: bool
) -> None:
    key = SORTS[sort]
    expected = sorted(
        (row for row in model.values() if plainly(wanted, row)),
        key=lambda row: (key(row, NOW), row.id),
        reverse=descending,
    )
    found: list[JobRow] = []
    at: str | None = None
    while True:
        page = index.page(wanted, sort=sort, descending=descending, limit=3, at=at, now=NOW)
        found += page.rows
        assert page.total == len(expected)
        at = page.next
        if at is None:
            break
    assert found == expected
    by_offset = index.page(
        wanted, sort=sort, descending=descending, offset=2, limit=3, now=NOW
    ).rows
    assert list(by_offset) == expected[2:5]


def test_a_cursor_holds_when_its_job_has_gone() -> None:
    index = JobIndex()
    index.update({job_id: JobRow(id=job_id, submitted_at=moment(0)) for job_id in IDS})
    first = index.page(JobFilter(), sort="id", descending=False, limit=2)
    index.update({first.rows[-1].id: None})
    second = index.page(JobFilter(), sort="id", descending=False, limit=2, at=first.next)
    assert [row.id for row in second.rows] == sorted(IDS)[2:4]


@pytest.mark.parametrize("cursor", ["x", "", "bnVsbA", "WyJuYW1lIiwxLDJd", "💥", "W1tbW1s"])
def test_a_cursor_of_something_else_is_refused(cursor: str) -> None:
    index = JobIndex()
    if cursor:
        with pytest.raises(UsageError, match="cursor"):
            index.page(JobFilter(), at=cursor)
    with pytest.raises(UsageError, match="cannot sort"):
        index.page(JobFilter(), sort="shoe size")


def test_many_changes_at_once_keep_the_order() -> None:
    index = JobIndex()
    many = {f"{n:04d}": JobRow(id=f"{n:04d}", submitted_at=moment(n)) for n in range(500)}
    index.update(many)
    assert index.page(JobFilter()).rows[0].id == "0499"
    index.update({job_id: JobRow(id=job_id, submitted_at=moment(-int(job_id))) for job_id in many})
    assert index.page(JobFilter()).rows[0].id == "0000"


def test_a_cursor_of_times_stays_exact() -> None:
    index = JobIndex()
    odd = [moment(0) + timedelta(microseconds=n * 7) for n in range(9)]
    index.update({f"j{n}": JobRow(id=f"j{n}", submitted_at=at) for n, at in enumerate(odd)})
    first = index.page(JobFilter(), limit=4)
    second = index.page(JobFilter(), limit=9, at=first.next)
    assert [row.id for row in [*first.rows, *second.rows]] == [f"j{n}" for n in range(8, -1, -1)]
