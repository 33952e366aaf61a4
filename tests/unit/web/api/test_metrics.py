"""Figures for Prometheus, and whether the server is well."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from hopper.model.states import JobState
from hopper.web.pages import metrics
from hopper.web.security.roles import Role
from tests.unit.web.api.conftest import Client, Lab
from tests.unit.web.following.states import a_job, told


def figures(client: Client) -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by name and the values of their labels."""
    answer = client("GET", "/metrics")
    assert answer.status_code == 200, answer.text
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_the_state_is_told_in_figures(lab: Lab) -> None:
    told_now = figures(lab.client(Role.VIEWER))
    jobs = told_now["hopper_jobs"]
    assert (jobs["completed",], jobs["failed",], jobs["settling",]) == (3, 2, 0)
    assert told_now["hopper_place_jobs"]["cl", "failed"] == 1
    assert told_now["hopper_runs"] == {("running",): 1, ("completed",): 1}
    assert told_now["hopper_queue_depth"] == {(): 2}
    assert told_now["hopper_held_jobs"] == {(): 1}
    assert told_now["hopper_oldest_wait_seconds"][()] > 0
    assert told_now["hopper_contact_age_seconds"]["node1",] > 0
    assert told_now["hopper_unreachable"] == {("node1",): 0}
    assert told_now["hopper_dispatcher_up"] == {(): 0}
    assert told_now["hopper_events_last_seq"] == {(): 9}
    assert told_now["process_resident_memory_bytes"][()] > 0


def test_requests_are_counted_by_route_and_not_by_path(lab: Lab) -> None:
    client = lab.client()
    for path in (
        "/jobs/done-000001",
        "/jobs/nobody-1",
        "/jobs/nobody-2",
        "/nowhere-1",
        "/nowhere-2",
    ):
        client.get(path)
    lab.client(None).get("/jobs")
    counted = figures(client)["hopper_http_requests_total"]
    assert counted["GET", "api_show_job", "200"] == 1
    assert counted["GET", "api_show_job", "404"] == 2
    assert counted["GET", "none", "404"] == 2
    assert counted["GET", "none", "401"] == 1
    assert figures(client)["hopper_http_request_seconds_count"]["api_show_job",] == 3


def test_many_places_do_not_make_many_labels(lab: Lab) -> None:
    workers = [f"w{number}" for number in range(metrics.MOST_PLACES + 20)]
    jobs = [replace(a_job(f"many-{name}", state=JobState.RUNNING, worker=name)) for name in workers]
    lab.has(*jobs, events=(told(jobs[0]),))
    lab.site.following.look()
    places = {place for place, _ in figures(lab.client())["hopper_place_jobs"]}
    assert len(places) == metrics.MOST_PLACES + 1


def test_figures_are_for_viewers_and_health_for_all(lab: Lab) -> None:
    nobody = lab.client(None)
    assert nobody("GET", "/metrics").status_code == 401
    answer = nobody("GET", "/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    lab.site.following.trouble = "state.json is damaged at byte 7"
    answer = nobody("GET", "/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
    assert "byte 7" not in answer.text  # little is told to those who need no login
