"""The token in a form's own body, without holding a large upload in memory."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.types import Message, Receive

from hopper.web.security.refusals import AccessRefused

FIELD = "csrf_token"
LARGEST = 65_536
"""Bytes of a form that brings its token as a field; what is larger sends it as a header."""


async def token_in_form(receive: Receive) -> tuple[str, Receive]:
    """Read a small form; return its token ("" for none) and what gives the form again.

    AccessRefused for a larger one.
    """
    messages: list[Message] = []
    body = b""
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if len(body) > LARGEST:
            raise AccessRefused(
                413, "the form is too large", way_out="send its token as header X-CSRF-Token"
            )
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    return _field(body), _again(messages, receive)


def _field(body: bytes) -> str:
    try:
        pairs = parse_qsl(body.decode("ascii"), max_num_fields=200)
    except ValueError:
        return ""
    found = [value for name, value in pairs if name == FIELD]
    return found[0] if len(found) == 1 else ""


def _again(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def replay() -> Message:
        message = next(waiting, None)
        return message if message is not None else await receive()

    return replay
