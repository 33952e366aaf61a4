"""The reference of the HTTP API, made from its description: ``python -m hopper.web.api.reference``.

It is written for people; programs read ``/api/v1/openapi.json``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from hopper.web.api.docs import Endpoint, groups_of
from hopper.web.api.v1 import openapi_document

_HEAD = """\
# HTTP API reference

Made from the code by `python -m hopper.web.api.reference`; do not edit. How to use it, with
examples: [Use the HTTP API](../how-to/use-the-http-api.md). `hopper web` serves the same as a page
at `/api/v1/docs`, and as OpenAPI at `/api/v1/openapi.json`.
"""


def reference() -> str:
    """Return the whole page, in Markdown."""
    document = openapi_document()
    parts = [_HEAD, document["info"]["description"]]
    for group in groups_of(document):
        parts.append(f"## {group.name}\n\n{group.about}\n")
        for one in group.endpoints:
            parts += _section(one)
    parts.append("## What the answers hold\n")
    schemas = document["components"]["schemas"]
    parts += [_schema(name, schemas[name]) for name in sorted(schemas)]
    return "\n".join(parts)


def _section(one: Endpoint) -> Iterator[str]:
    yield f"### {one.method} {one.path}\n"
    yield f"{one.description}\n"
    if one.parameters:
        rows = [f"| `{name}` | {where} | {_cell(said)} |" for name, where, said in one.parameters]
        yield "| parameter | in | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    if one.body:
        yield f"Body: {one.body}.\n"
    good = [f"{status} {said}" for status, said in one.answers if status.startswith("2")]
    bad = [status for status, _ in one.answers if not status.startswith("2")]
    yield f"Answers: {'; '.join(good)}. Problems: {', '.join(bad)}.\n"


def _schema(name: str, schema: dict[str, Any]) -> str:
    keys = ", ".join(f"`{key}`" for key in schema.get("properties", {}))
    about = " ".join(str(schema.get("description", "")).split())
    return f"- **{name}**: {about} {keys}".rstrip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference() + "\n")
