"""The API does what its own description says, whatever it is sent."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from hopper.operations import log_parts, sources
from hopper.operations.log_asking import NoContact
from hopper.web.api import places, run_changes
from hopper.web.api.v1 import openapi_document
from tests.unit.web.api.conftest import BASE, Client, Lab

DOCUMENT = openapi_document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS: list[Any] = [found.ok() for found in cast("Any", SCHEMA.get_all_operations())]
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
KNOWN = {
    "job": ["done-000001", "failed-000001", "waits-000001", "gone-000001", "fit2-000001"],
    "run": ["sweep-000001", "sweep-000002"],
    "task": ["fit.1", "sum"],
    "worker": ["node1"],
    "backend": ["cl"],
    "source": ["lab"],
    "workflow": ["sweep"],
    "result": ["done-000001.results.zip"],
}


def silence(*_: object, **__: object) -> Any:
    raise NoContact("no contact with node1: it is a test")


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers: neither workers nor login nodes."""
    for module, names in (
        (places, ("scan", "look_at", "check", "machines", "elsewhere")),
        (run_changes, ("planned_run",)),
        (log_parts, ("far_end",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, silence)
    monkeypatch.setattr(sources, "sync", silence)


def put(client: Client, case: Any) -> httpx.Response:
    if isinstance((case.query or {}).get("wait"), int | float):
        case.query["wait"] = 0
    sent = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
    headers = {
        name: value
        for name, value in sent.headers.items()
        if name.lower() not in {"authorization", "cookie", "content-length"}
    }
    return client(str(sent.method), str(sent.url), headers=headers, content=sent.body or b"")


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )


@pytest.mark.usefixtures("far_away")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: str(one.label))
def test_answers_are_as_described(operation: Any, lab: Lab) -> None:
    client = lab.client()

    @bounded(6)
    @given(data=st.data(), case=operation.as_strategy())
    def right(data: st.DataObject, case: Any) -> None:
        for name in case.path_parameters or {}:
            if name in KNOWN and data.draw(st.integers(0, 3)):
                case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
        response = put(client, case)
        if response.status_code != 503:
            case.validate_response(response, checks=CHECKS)

    @bounded(4)
    @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def wrong(case: Any) -> None:
        response = put(client, case)
        if response.status_code != 503:
            case.validate_response(response, checks=CHECKS)

    right()
    if operation.path != "/health":
        wrong()


def paths() -> dict[str, str]:
    """Paths that are filled in, and those that they are described by."""
    known = {name: values[0] for name, values in KNOWN.items()}
    more = {"filename": "x.zip", "token": "t", "user": "u"}
    return {path.format(**known, **more): path for path in DOCUMENT["paths"]}


def test_each_asks_who_it_is(lab: Lab) -> None:
    nobody = Client(lab.app)
    for path, described in paths().items():
        for method in DOCUMENT["paths"][described]:
            refused = nobody(method.upper(), path)
            if path == "/health":
                assert refused.status_code == 200
                continue
            assert refused.status_code == 401, path
            assert refused.headers["content-type"] == "application/problem+json"
            assert "bearer" in refused.headers["www-authenticate"].lower()


def test_each_says_which_methods_it_takes(lab: Lab) -> None:
    client = lab.client()
    for path, described in paths().items():
        right = {method.upper() for method in DOCUMENT["paths"][described]}
        wrong = min({"GET", "POST", "PUT", "PATCH", "DELETE"} - right)
        refused = client(wrong, path)
        assert refused.status_code == 405, (wrong, path)
        assert set(refused.headers["allow"].split(", ")) == right, path


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: str(one.label))
def test_it_is_described(operation: Any) -> None:
    said = operation.definition.raw
    assert said["summary"]
    assert said["tags"]
    assert said["operationId"]
    assert any(status.startswith("2") for status in said["responses"])
