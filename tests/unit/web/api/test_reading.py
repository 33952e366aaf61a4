"""What the API tells of jobs, runs and events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from hopper.config.load import load
from hopper.documents import jobs as job_documents
from hopper.documents import runs as run_documents
from hopper.model.states import JobState
from hopper.web.api import models, run_models
from hopper.web.api.job_rows import row_document
from hopper.web.app import create_app
from hopper.web.security.roles import Role
from tests.unit.web.api.conftest import Client, Lab
from tests.unit.web.following.states import a_job, told


def ids(answer: Any, key: str = "id") -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item[key] for item in answer.json()["items"]]


def test_jobs_are_listed_and_filtered(api: Client) -> None:
    everything = ids(api.get("/jobs", params={"limit": 1000}))
    assert len(everything) == 11  # two are others' on the cluster
    assert everything[0] == "held-000001"
    assert ids(api.get("/jobs?state=failed&sort=id&order=asc")) == ["failed-000001", "fit2-000001"]
    assert ids(api.get("/jobs?run=sweep-000002")) == ["old1-000001"]
    assert ids(api.get("/jobs?tag=gpu")) == ["waits-000001"]
    assert ids(api.get("/jobs?name=gone-*")) == []
    assert ids(api.get("/jobs?name=gone-*&history=true")) == ["gone-000001"]


def test_pages_go_on_where_they_ended_while_jobs_come(lab: Lab) -> None:
    api, seen, path = lab.client(), [], "/api/v1/jobs?limit=2&sort=id&order=asc"
    number = 0
    while path:
        page = api("GET", path)
        seen += ids(page)
        document = page.json()
        path = document["next"]
        link = page.headers.get("link")
        assert link == (f'<{path}>; rel="next"' if path else None)
        lab.has(a_job(f"aa-00000{number}"), events=(told(a_job(f"aa-00000{number}")),))
        lab.site.following.look()
        number += 1
    assert len(seen) == len(set(seen)) == 11


def test_a_cursor_of_another_list_is_refused(api: Client) -> None:
    cursor = api.get("/jobs?limit=1").json()["cursor"]
    assert api.get(f"/jobs?limit=1&sort=name&cursor={cursor}").status_code == 422
    assert api.get(f"/runs?cursor={cursor}").status_code == 422
    assert api.get("/runs/sweep-000001/items?cursor=rubbish").status_code == 422
    assert api.get("/jobs?limit=0").status_code == 422
    assert api.get("/jobs?limit=1001").status_code == 422


def test_what_has_not_changed_is_not_sent_again(lab: Lab) -> None:
    api = lab.client()
    tag = api.get("/jobs").headers["etag"]
    assert api.get("/jobs", headers={"If-None-Match": tag}).status_code == 304
    lab.has(a_job("new-0000001"), events=(told(a_job("new-0000001")),))
    lab.site.following.look()
    assert api.get("/jobs", headers={"If-None-Match": tag}).status_code == 200


def test_a_job_that_came_this_moment_is_found(lab: Lab) -> None:
    lab.has(a_job("new-0000001"))
    assert lab.client().get("/jobs/new-0000001").json()["id"] == "new-0000001"


def test_one_job_is_told_live_and_of_the_history(api: Client) -> None:
    assert api.get("/jobs/done-000001").json()["result_paths"]
    assert api.get("/jobs/gone-000001").json()["state"] == "completed"
    unknown = api.get("/jobs/nobody-000001")
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "application/problem+json"
    assert "nobody-000001" in unknown.json()["detail"]


@pytest.mark.parametrize(
    ("query", "content", "offset", "after"),
    [
        ("", "one\ntwo\nend\n", 0, 12),
        ("?offset=4&limit=3", "two", 4, 7),
        ("?offset=-4", "end\n", 8, 12),
        ("?tail=2", "two\nend\n", 4, 12),
        ("?tail=0", "", 12, 12),
        ("?offset=99", "", 12, 12),
    ],
)
def test_a_log_is_told_in_parts(
    api: Client, query: str, content: str, offset: int, after: int
) -> None:
    answer = api.get(f"/jobs/done-000001/log{query}")
    assert (answer.status_code, answer.text) == (200, content)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["hopper-log-offset"] == str(offset)
    assert answer.headers["hopper-log-next"] == str(after)
    assert answer.headers["hopper-log-size"] == "12"
    assert answer.headers["hopper-log-growing"] == "false"


def test_there_is_no_log_of_what_has_not_run(api: Client) -> None:
    assert api.get("/jobs/waits-000001/log").status_code == 404
    assert api.get("/jobs/done-000001/log?attempt=7").status_code == 404
    assert api.get("/jobs/done-000001/log?error=true").status_code == 422


def test_results_are_handed_out_and_nothing_else(lab: Lab) -> None:
    api = lab.client()
    (one,) = api.get("/jobs/done-000001/results").json()["items"]
    answer = api("GET", one["href"])
    assert answer.content == b"zip"
    assert answer.headers["content-disposition"].startswith("attachment")
    for name in ("../hopper.yaml", "..%2Fhopper.yaml", "%2Fetc%2Fpasswd", "other.zip"):
        assert api.get(f"/jobs/done-000001/results/{name}").status_code == 404
    path = lab.config.paths.inbox / "done-000001.results.zip"
    path.unlink()
    path.symlink_to(lab.config.source)
    assert api("GET", one["href"]).status_code == 404


def test_runs_are_listed_by_age_and_paged(api: Client) -> None:
    first = api.get("/runs?limit=1")
    assert ids(first) == ["sweep-000002"]
    assert ids(api("GET", first.json()["next"])) == ["sweep-000001"]
    assert ids(api.get("/runs?active=true")) == ["sweep-000001"]
    assert ids(api.get("/runs?state=completed")) == ["sweep-000002"]
    assert ids(api.get("/runs?workflow=other")) == []


def test_tasks_of_a_run_are_listed(api: Client) -> None:
    path = "/runs/sweep-000001/items"
    assert ids(api.get(path), "task") == ["fit.1", "fit.2", "sum"]
    assert ids(api.get(f"{path}?group=fit"), "task") == ["fit.1", "fit.2"]
    assert ids(api.get(f"{path}?failed=true"), "task") == ["fit.2"]
    first = api.get(f"{path}?limit=2")
    assert ids(api("GET", first.json()["next"]), "task") == ["sum"]
    assert api.get("/runs/other-000001/items").status_code == 404
    assert api.get("/runs/sweep-000001/tasks/fit.1").json()["id"] == "fit1-000001"
    assert api.get("/runs/sweep-000001/tasks/other").status_code == 404


def test_events_go_on_from_a_number(api: Client) -> None:
    last = api.get("/events?limit=3").json()
    assert [one["seq"] for one in last["items"]] == [7, 8, 9]
    assert (last["after"], last["last_seq"]) == (9, 9)
    some = api.get("/events?after=2&limit=2").json()
    assert ([one["seq"] for one in some["items"]], some["after"]) == ([3, 4], 4)
    assert [one["job"] for one in api.get("/events?job=done-000001").json()["items"]] == [
        "done-000001"
    ]
    assert api.get("/events?after=0&kind=trouble").json()["items"] == []
    assert api.get("/events?after=9&wait=0.01").json()["items"] == []


def test_the_rest_is_told(api: Client) -> None:
    assert ids(api.get("/workers"), "name") == ["node1", "node2"]
    assert ids(api.get("/backends"), "name") == ["cl"]
    assert ids(api.get("/workflows"), "name") == ["sweep"]
    assert ids(api.get("/sources"), "name") == ["lab"]
    assert ids(api.get("/backends/cl/jobs"), "native_id") == ["1"]
    assert ids(api.get("/backends/cl/jobs?which=gone"), "native_id") == ["2"]
    assert api.get("/status").json()["counts"]["failed"] == 2
    assert api.get("/whoami").json()["by"] == "token admin"
    assert api.get("/jobs/waits-000001/explanation").json()["headline"]
    assert "swagger" not in api.get("/docs").text


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        (Role.VIEWER, "/jobs", 200),
        (Role.VIEWER, "/config", 403),
        (Role.VIEWER, "/tokens", 403),
        (Role.OPERATOR, "/users", 403),
        (Role.AGENT, "/jobs", 403),
        (Role.VIEWER, "/backends/cl/info", 403),
        (Role.VIEWER, "/backends/cl/jobs?which=now", 403),
        (None, "/jobs", 401),
    ],
)
def test_roles_count(lab: Lab, role: Role | None, path: str, status: int) -> None:
    assert lab.client(role).get(path).status_code == status


def keys(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


JOB = replace(a_job("x-0000001", state=JobState.RUNNING, worker="node1"))


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (models.JobBrief, lambda _: job_documents.job_document(JOB)),
        (
            models.JobBrief,
            lambda lab: row_document(lab.site.following.index.rows["done-000001"]),
        ),
        (run_models.RunTask, lambda _: run_documents.task_document(JOB, {})),
        (
            run_models.RunBrief,
            lambda lab: run_documents.run_document(lab.site.following.run_tallies()[0]),
        ),
    ],
)
def test_what_is_described_is_what_is_told(
    lab: Lab, model: type[BaseModel], document: Callable[[Lab], dict[str, object]]
) -> None:
    assert set(document(lab)) == keys(model)


def test_addresses_are_below_the_prefix_of_a_proxy(lab: Lab) -> None:
    web = lab.config.web.model_copy(update={"root_path": "/hopper"})
    config = lab.config.model_copy(update={"web": web})
    below = Client(create_app(replace(lab.site, config=config)), lab.tokens[Role.VIEWER])
    page = below("GET", "/hopper/api/v1/jobs?limit=1")
    assert page.json()["next"].startswith("/hopper/api/v1/jobs?limit=1&cursor=")
    assert below("GET", page.json()["next"]).status_code == 200
    (result,) = below.get("/jobs/done-000001/results").json()["items"]
    assert result["href"].startswith("/hopper/api/v1/jobs/")
    assert below("GET", "/hopper/api/v1/openapi.json").json()["servers"] == [{"url": "/hopper"}]


def test_secrets_of_the_config_are_masked(lab: Lab) -> None:
    lab.config.source.write_text(
        lab.config.source.read_text()
        + "environments:\n  - {name: e, variables: {API_KEY: hunter2}}\n"
        + "",
        encoding="utf-8",
    )
    config = load(lab.config.source)
    client = Client(create_app(replace(lab.site, config=config)), lab.tokens[Role.ADMIN])
    answer = client.get("/config")
    assert answer.json()["environments"][0]["name"] == "e"
    assert "hunter2" not in answer.text
