"""The OpenAPI document: what FastAPI gathers, with what it does not know of."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hopper.web.api.models import Problem

ADDRESS = "/api/v1/openapi.json"
_ABOUT = """\
All that the command line can do, as JSON. Keys of answers stay; new ones may come. Times are
ISO 8601 in UTC, sizes bytes, durations seconds. Problems are `application/problem+json` (RFC 9457)
with `detail` and often `way_out`. Lists go on by `cursor`; `next` and the header `Link` have the
address of the next page.

A program sends `Authorization: Bearer TOKEN`; `hopper web token create` makes one. Viewers may
read, operators change jobs, runs, workers and backends, admins see the config and access. A
browser that goes by its session's cookie sends the page's token as `X-CSRF-Token` with all that
changes something.
"""
TAGS = (
    ("Jobs", "Zips, tasks of runs, and the jobs of others."),
    ("Runs", "Runs of workflows."),
    ("Workflows", "What yields the tasks of runs, and where it lies."),
    ("Workers", "Machines that take jobs."),
    ("Backends", "Batch systems that take tasks."),
    ("Events", "What has happened."),
    ("Dispatcher", "Who sends jobs."),
    ("Access", "Who may do what."),
    ("Server", "The server itself, and how everything stands."),
)
_NO_LONGER = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> None:
    """Have an application describe itself so."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = made  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="hopper",
        version=app.version,
        description=_ABOUT,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS],
    )
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in _NO_LONGER:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "hopper_session",
            "description": "The cookie of a login; its name has an ending of its own for each "
            "state folder.",
        },
    }
    for path, methods in document["paths"].items():
        for operation in methods.values():
            operation["summary"] = _summary(operation)
            for said in operation["responses"].values():
                if said.get("description") == "Successful Response":
                    said["description"] = "What was asked for."
            if path != "/health":
                operation["security"] = [{"token": []}]
    return document


def _summary(operation: dict[str, Any]) -> str:
    said = str(operation.get("description", operation.get("summary", "")))
    return re.split(r"(?<=[.:;])\s", said.replace("\n", " "), maxsplit=1)[0].rstrip(".:;")
