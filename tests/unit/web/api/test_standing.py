from __future__ import annotations

from datetime import timedelta

from hopper.bootstrap.state import read_state
from hopper.documents.overview import screen_document
from hopper.model.states import JobState
from hopper.operations.glance import Glance
from tests.unit.web.api.conftest import Client, Lab
from tests.unit.web.following.states import T0, a_job


def test_the_status_is_what_a_look_at_all_jobs_tells(lab: Lab, api: Client) -> None:
    lab.has(
        a_job("early-00001", at=T0 - timedelta(hours=1)),
        a_job("later-00001", at=T0 + timedelta(minutes=1)),
        a_job("onnode-0001", state=JobState.SUBMITTED, worker="node2"),
    )
    answer = api.get("/status").json()
    with read_state(lab.config) as store:
        expected = screen_document(Glance(lab.config, store).screen(0))
    assert {**answer, "at": None} == {**expected, "at": None}
    assert [job["id"] for job in answer["pending"]][:1] == ["early-00001"]


def test_the_status_names_no_more_jobs_than_are_wanted(api: Client) -> None:
    answer = api.get("/status?limit=1").json()
    assert len(answer["pending"]) == len(answer["on_workers"]) == 1
    assert answer["counts"]["pending"] == 3
    assert api.get("/status?limit=0").json()["pending"] == []
