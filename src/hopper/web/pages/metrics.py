"""``/metrics``: figures for Prometheus, counted when they are asked for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from hopper import __version__
from hopper.bootstrap.state import dispatching
from hopper.model.states import JobState
from hopper.web.api.keeping import OfKept
from hopper.web.api.parts import body_of, problems
from hopper.web.changing import apart
from hopper.web.following.rows import CLUSTER, JobRow
from hopper.web.following.state import Following
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite

router = APIRouter(tags=["Server"])
MOST_PLACES = 500
"""Workers and backends that have labels of their own; the others are counted as one."""
OTHERS = "others"


@router.get(
    "/metrics",
    name="metrics",
    response_class=Response,
    responses={**problems(), 200: body_of("text/plain", description="The figures.")},
)
async def metrics(site: OfSite, _: Viewer, kept: OfKept) -> Response:
    """Tell figures of jobs, runs, places and the server in Prometheus' text format."""
    up = await apart(lambda: dispatching(site.config) is not None)
    registry = CollectorRegistry()
    registry.register(Figures(site.following, dispatcher=up))
    text = generate_latest(registry) + generate_latest(kept.meter.registry)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


class Figures(Collector):
    """The state in figures."""

    def __init__(self, following: Following, *, dispatcher: bool) -> None:
        self._following = following
        self._dispatcher = dispatcher

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        following, now = self._following, time.time()
        rows = [row for row in following.index.rows.values() if row.origin != CLUSTER]
        yield from _of_jobs(rows, now)
        yield from _of_places(following, now)
        yield _gauge(
            "hopper_runs",
            "Live runs.",
            "state",
            Counter(str(tally.state) for tally in following.run_tallies()),
        )
        paused = following.store.settings.get("paused") is True
        for name, help_text, value in (
            ("hopper_dispatcher_up", "1 while a dispatcher runs.", self._dispatcher),
            ("hopper_dispatch_paused", "1 while launching is paused.", paused),
            ("hopper_events_last_seq", "Number of the newest event.", following.store.seen_seq),
            ("hopper_state_readable", "0 while the state cannot be read.", not following.trouble),
            (
                "hopper_state_age_seconds",
                "Since the state was last read.",
                max(0.0, now - following.seen_at),
            ),
            ("hopper_stream_clients", "Open streams of live pages.", len(following.hub)),
        ):
            yield GaugeMetricFamily(name, help_text, value=float(value))
        yield InfoMetricFamily("hopper", "What runs here.", value={"version": __version__})


def _of_jobs(rows: Iterable[JobRow], now: float) -> Iterator[Metric]:
    states, places = Counter[str](), Counter[tuple[str, str]]()
    waits: list[float] = []
    held = 0
    for row in rows:
        states[row.state] += 1
        if row.place:
            places[row.place, row.state] += 1
        if row.state == JobState.PENDING:
            held += row.held
            if not row.held and row.submitted_at is not None:
                waits.append(max(0.0, now - row.submitted_at.timestamp()))
    known = {str(state): states[state] for state in JobState}
    yield _gauge("hopper_jobs", "Live jobs.", "state", known)
    by_place = GaugeMetricFamily(
        "hopper_place_jobs", "Live jobs by worker or backend.", labels=("place", "state")
    )
    for (place, state), count in _bounded(places).items():
        by_place.add_metric((place, state), count)
    yield by_place
    for name, help_text, value in (
        ("hopper_queue_depth", "Pending jobs that are not held.", states["pending"] - held),
        ("hopper_held_jobs", "Pending jobs that are held.", held),
        (
            "hopper_oldest_wait_seconds",
            "Of the pending job that waits longest.",
            max(waits, default=0),
        ),
    ):
        yield GaugeMetricFamily(name, help_text, value=float(value))


def _bounded(places: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    totals = Counter[str]()
    for (place, _), count in places.items():
        totals[place] += count
    own = {place for place, _ in totals.most_common(MOST_PLACES)}
    found = Counter[tuple[str, str]]()
    for (place, state), count in places.items():
        found[place if place in own else OTHERS, state] += count
    return found


def _of_places(following: Following, now: float) -> Iterator[Metric]:
    ages = GaugeMetricFamily(
        "hopper_contact_age_seconds", "Since a worker or backend last answered.", labels=("place",)
    )
    away = GaugeMetricFamily(
        "hopper_unreachable", "1 while a worker or backend does not answer.", labels=("place",)
    )
    for name in sorted(following.store.workers)[:MOST_PLACES]:
        record = following.store.workers[name]
        if record.last_contact is not None:
            ages.add_metric((name,), _age(record.last_contact, now))
        away.add_metric((name,), float(record.no_contact_since is not None))
    yield ages
    yield away


def _age(moment: datetime, now: float) -> float:
    return max(0.0, now - moment.astimezone(UTC).timestamp())


def _gauge(name: str, help_text: str, label: str, values: Mapping[str, int]) -> Metric:
    found = GaugeMetricFamily(name, help_text, labels=(label,))
    for value, count in values.items():
        found.add_metric((value,), count)
    return found
