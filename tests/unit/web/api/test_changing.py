"""What is changed by the API, who did it, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hopper.model.states import JobState
from hopper.store.state import StateStore
from hopper.web.security.roles import Role
from tests.unit.web.api.conftest import Client, Lab, a_zip

ZIP = {"content-type": "application/zip"}


def submitted(answer: Any) -> list[str]:
    assert answer.status_code == 201, answer.text
    return [item["job"] for item in answer.json()["items"]]


def askers(lab: Lab) -> list[object]:
    with StateStore.open(lab.config.paths.db, readonly=True) as store:
        return [event.data.get("by") for event in store.events()]


def test_a_zip_becomes_a_job_that_is_there_at_once(lab: Lab) -> None:
    api = lab.client(Role.OPERATOR)
    answer = api.post("/jobs?name=fit&priority=5&env=A%3D1", content=a_zip(), headers=ZIP)
    (job,) = submitted(answer)
    assert answer.headers["location"] == f"/api/v1/jobs/{job}"
    spec = api.get(f"/jobs/{job}").json()["spec"]
    assert (spec["name"], spec["priority"], spec["env"]) == ("fit", 5, {"A": "1"})
    assert askers(lab)[-1] == "token operator"


def test_a_file_is_put_under_its_name(lab: Lab) -> None:
    answer = lab.client()("PUT", "/api/v1/uploads/train.zip", content=a_zip())
    assert submitted(answer)[0].startswith("train-")


def test_several_come_by_a_form_all_or_none(lab: Lab) -> None:
    api = lab.client()
    good = [("zip", ("a.zip", a_zip())), ("zip", ("b.zip", a_zip()))]
    jobs = submitted(api.post("/jobs", files=good, data={"hold": "true"}))
    assert [api.get(f"/jobs/{job}").json()["held"] for job in jobs] == [True, True]
    before = api.get("/jobs").json()["total"]
    bad = [*good, ("zip", ("c.zip", b"no zip"))]
    assert api.post("/jobs", files=bad).status_code == 422
    assert api.get("/jobs").json()["total"] == before


@pytest.mark.parametrize(
    ("query", "content", "status"),
    [
        ("", b"", 422),
        ("", b"no zip", 422),
        ("?prority=1", a_zip(), 422),
        ("?backend=nowhere", a_zip(), 422),
        ("?after=nobody", a_zip(), 422),
        ("?time_limit=soon", a_zip(), 422),
        ("", b"x" * 3_000_000, 413),
    ],
)
def test_what_is_not_fit_is_refused(lab: Lab, query: str, content: bytes, status: int) -> None:
    answer = lab.client().post(f"/jobs{query}", content=content, headers=ZIP)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert list((lab.config.paths.db / "uploads").glob("*")) == []


def test_the_same_key_does_it_once(lab: Lab) -> None:
    api = lab.client()
    headers = {**ZIP, "Idempotency-Key": "abc"}
    first = api.post("/jobs?name=fit", content=a_zip(), headers=headers)
    again = api.post("/jobs?name=fit", content=a_zip(), headers=headers)
    assert submitted(first) == submitted(again)
    assert again.headers["idempotent-replayed"] == "true"
    assert api.get("/jobs?name=fit").json()["total"] == 1
    other = api.post("/jobs?name=fit", content=a_zip("echo other\n"), headers=headers)
    assert other.status_code == 422
    somebody = lab.client(Role.OPERATOR).post("/jobs?name=fit", content=a_zip(), headers=headers)
    assert submitted(somebody) != submitted(first)


def test_a_refusal_does_not_use_up_a_key(lab: Lab) -> None:
    headers = {**ZIP, "Idempotency-Key": "abc"}
    api = lab.client()
    assert api.post("/jobs?after=nobody", content=a_zip(), headers=headers).status_code == 422
    assert api.post("/jobs", content=a_zip(), headers=headers).status_code == 201


def test_a_request_that_broke_off_is_not_done_again(lab: Lab) -> None:
    api, headers = lab.client(), {**ZIP, "Idempotency-Key": "abc"}
    submitted(api.post("/jobs", content=a_zip(), headers=headers))
    (kept,) = (lab.config.paths.db / "web" / "idempotency").iterdir()
    asked = re.search(rb'"asked":"[0-9a-f]{64}"', kept.read_bytes())
    assert asked is not None
    kept.write_bytes(b"{" + asked[0] + b"}")
    assert api.post("/jobs", content=a_zip(), headers=headers).status_code == 409


def test_one_job_is_changed(lab: Lab) -> None:
    api = lab.client(Role.OPERATOR)
    assert api.post("/jobs/waits-000001/hold").json()["job"] == "waits-000001"
    assert api.get("/jobs/waits-000001").json()["held"]
    assert api.post("/jobs/waits-000001/release").status_code == 200
    assert api.post("/jobs/waits-000001/priority", json={"priority": 9}).status_code == 200
    assert api.get("/jobs/waits-000001").json()["spec"]["priority"] == 9
    assert api.post("/jobs/waits-000001/cancel").status_code == 200
    assert api.get("/jobs/waits-000001").json()["state"] == "cancelled"
    assert askers(lab)[-1] == "token operator"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/jobs/done-000001/cancel", 409),
        ("/jobs/runs-000001/requeue", 409),
        ("/jobs/gone-000001/cancel", 409),
        ("/jobs/nobody-000001/cancel", 404),
        ("/jobs/waits-000001/priority", 422),
        ("/runs/sweep-000002/cancel", 409),
        ("/runs/nothing-000001/cancel", 404),
        ("/workers/node9/drain", 404),
        ("/backends/nowhere/pause", 404),
        ("/sources/nowhere/sync", 404),
        ("/runs", 422),
    ],
)
def test_what_does_not_go_is_refused(lab: Lab, path: str, status: int) -> None:
    answer = lab.client().post(path)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_many_are_changed_by_name_and_by_rule(lab: Lab) -> None:
    api = lab.client()
    named = {"do": "cancel", "jobs": ["waits-000001", "done-000001"]}
    told = api.post("/job-changes", json=named).json()
    assert list(told["done"]) == ["waits-000001"]
    assert list(told["refused"]) == ["done-000001"]
    told = api.post("/job-changes", json={"do": "requeue", "failed": True}).json()
    assert set(told["done"]) | set(told["refused"]) == {"failed-000001", "fit2-000001"}
    for wrong in (
        {"do": "cancel"},
        {"do": "cancel", "jobs": ["x-000001"], "all": True},
        {"do": "priority", "all": True},
        {"do": "cancel", "all": True, "abandon": True},
    ):
        assert api.post("/job-changes", json=wrong).status_code == 422
    assert api.post("/job-changes", json={"do": "hold", "jobs": ["no-1"]}).status_code == 404


def test_a_run_is_cancelled_rerun_and_deleted(lab: Lab) -> None:
    api = lab.client()
    assert api("DELETE", "/api/v1/runs/sweep-000001").status_code == 409
    assert "sum-0000001" in api.post("/runs/sweep-000001/cancel").json()["done"]
    again = api.post("/runs/sweep-000001/rerun", json={"failed": True}).json()
    assert "fit2-000001" in again["done"]
    assert "fit1-000001" not in again["done"]
    assert api("DELETE", "/api/v1/runs/sweep-000002").json()["jobs"] == ["old1-000001"]
    assert api.get("/runs/sweep-000002").status_code == 404
    assert api("DELETE", "/api/v1/runs/sweep-000002").status_code == 404


def test_a_worker_is_drained_and_resumed(lab: Lab) -> None:
    api = lab.client()
    assert api.post("/workers/node1/drain").json() == {
        "worker": "node1",
        "drained": True,
        "jobs": 1,
    }
    assert "hopper_drained: true" in (lab.config.source.parent / "inventory.yml").read_text()
    assert api.post("/workers/node1/resume").status_code == 200
    with StateStore.open(lab.config.paths.db, readonly=True) as store:
        assert "worker_drained" in [str(event.kind) for event in store.events()]


def test_backends_and_the_dispatcher_are_paused(lab: Lab) -> None:
    api = lab.client()
    assert api.post("/backends/cl/pause").json() == {"backend": "cl", "paused": True}
    assert api.get("/backends/cl").json()["paused"]
    assert api.post("/backends/cl/resume").json()["paused"] is False
    assert api.post("/dispatcher/pause").json() == {"paused": True}
    assert api.get("/dispatcher").json()["paused"]
    assert api.post("/dispatcher/resume").json() == {"paused": False}


def test_viewers_change_nothing(lab: Lab) -> None:
    api = lab.client(Role.VIEWER)
    for path in ("/jobs", "/jobs/waits-000001/cancel", "/runs", "/dispatcher/pause", "/scans"):
        assert api.post(path).status_code == 403, path


def test_tokens_and_users_come_and_go(lab: Lab) -> None:
    api = lab.client()
    made = api.post("/tokens", json={"name": "ci", "role": "viewer"})
    assert made.status_code == 201
    theirs = Client(lab.app, made.json()["token"])
    assert theirs.get("/whoami").json()["role"] == "viewer"
    assert api.post("/tokens", json={"name": "ci", "role": "viewer"}).status_code == 409
    assert api("DELETE", "/api/v1/tokens/ci").status_code == 204
    assert theirs.get("/whoami").status_code == 401
    assert api("DELETE", "/api/v1/tokens/ci").status_code == 404
    user = {"name": "alice", "role": "viewer", "password": "correct horse 7"}
    assert api.post("/users", json=user).json()["name"] == "alice"
    assert api.post("/users", json=user).status_code == 409
    assert api.post("/users", json={**user, "name": "bob", "password": "x" * 10}).status_code == 422
    changed = api("PATCH", "/api/v1/users/alice", json={"role": "operator"})
    assert changed.json()["role"] == "operator"
    assert api("DELETE", "/api/v1/users/alice").status_code == 204
    assert api.get("/users").json()["items"] == []
    with StateStore.open(lab.config.paths.db, readonly=True) as store:
        noted = [event for event in store.events() if event.kind == "account_changed"]
    assert len(noted) == 5
    assert not any("correct horse" in str(event) for event in noted)


def test_nothing_of_a_running_job_is_lost_by_a_look(lab: Lab) -> None:
    lab.client().get("/status")
    with StateStore.open(lab.config.paths.db, readonly=True) as store:
        assert store.jobs["runs-000001"].state is JobState.RUNNING
