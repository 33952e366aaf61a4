"""A page that lists the endpoints, made from their own description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from hopper.web.security.access import Viewer
from hopper.web.site import OfSite

router = APIRouter()


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One operation."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[tuple[str, str, str], ...]
    """Name, where it stands, and what it is."""
    body: str
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Operations on the same things."""

    name: str
    about: str
    endpoints: tuple[Endpoint, ...]


@router.get("/docs", include_in_schema=False)
async def show_docs(request: Request, site: OfSite, _: Viewer) -> HTMLResponse:
    """Show the endpoints of the API."""
    document = request.app.openapi()
    return site.rendering.page(
        request, "api_docs.html", about=document["info"]["description"], groups=groups_of(document)
    )


def groups_of(document: dict[str, Any]) -> list[Group]:
    """Return the operations of an OpenAPI document by their tags, in their order."""
    found: dict[str, list[Endpoint]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for tag in operation.get("tags", ()):
                found.setdefault(tag, []).append(_endpoint(method, path, operation))
    about = {tag["name"]: tag["description"] for tag in document["tags"]}
    return [
        Group(name=name, about=about.get(name, ""), endpoints=tuple(endpoints))
        for name, endpoints in found.items()
        if endpoints
    ]


def _endpoint(method: str, path: str, operation: dict[str, Any]) -> Endpoint:
    body = operation.get("requestBody", {}).get("content", {})
    return Endpoint(
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        parameters=tuple(
            (one["name"], one["in"], _about(one)) for one in operation.get("parameters", ())
        ),
        body=", ".join(_kind(kind, said) for kind, said in body.items()),
        answers=tuple(
            (status, _content(said)) for status, said in sorted(operation["responses"].items())
        ),
    )


def _about(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    need = "required" if parameter.get("required") else ""
    said = parameter.get("description") or schema.get("description") or ""
    return ", ".join(text for text in (said.rstrip("."), _type(schema), need) if text)


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(kind for one in schema["anyOf"] if (kind := _type(one)) != "null")
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "")


def _kind(kind: str, said: dict[str, Any]) -> str:
    name = _type(said.get("schema", {}))
    return f"{kind} ({name})" if name and name not in {"binary", "object"} else kind


def _content(said: dict[str, Any]) -> str:
    kinds = ", ".join(_kind(kind, one) for kind, one in said.get("content", {}).items())
    return f"{said.get('description', '')} {kinds}".strip()
