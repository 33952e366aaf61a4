"""The whole application over a state made up, and a client that behaves like a browser."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from anyio.from_thread import BlockingPortal, start_blocking_portal

from hopper.config.load import load
from hopper.dispatch.changes import Changes
from hopper.store.state import StateStore
from hopper.web.app import create_app
from hopper.web.opening import open_site
from hopper.web.security.roles import Role
from hopper.web.site import Site

HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}
TOKEN = re.compile(r'X-CSRF-Token": "([^"]+)"')
BASE = "http://localhost:8000"


def a_home(folder: Path, changes: Changes | None = None, **config: object) -> Path:
    """Make a home with a state; return its config."""
    (folder / "inventory.yml").write_text(
        "hopper_workers:\n  hosts:\n    w1:\n      ansible_connection: local\n"
        "      hopper_slots: 2\n      hopper_tags: [gpu]\n",
        encoding="utf-8",
    )
    said = {"inventory": "inventory.yml", "web": {"port": 0}, **config}
    path = folder / "hopper.yaml"
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    home = load(path)
    home.paths.db.mkdir(parents=True, exist_ok=True)
    with StateStore.open(home.paths.db) as store:
        if changes is not None:
            store.commit(changes)
    return path


class Browser:
    """Sends requests as a browser on this machine does, and keeps cookies."""

    def __init__(self, site: Site, portal: BlockingPortal) -> None:
        self.site = site
        self._portal = portal
        transport = httpx.ASGITransport(create_app(site), client=("127.0.0.1", 50_000))
        self._http = httpx.AsyncClient(
            transport=transport, base_url=BASE, headers={"Accept": "text/html"}
        )

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Get a page as it is now."""
        return self.send("GET", path, headers=headers)

    def post(
        self, path: str, *, part: bool = True, page: str = "/events", **fields: object
    ) -> httpx.Response:
        """Send a form as the page's own would; ``part`` as htmx does."""
        headers = {"Origin": BASE, **(HTMX if part else {})}
        data = {"csrf_token": self.token(page), **fields}
        return self.send("POST", path, data=data, headers=headers)

    def token(self, page: str = "/events") -> str:
        """Return the token of the forms of a page."""
        found = TOKEN.search(self.get(page).text)
        assert found is not None
        return found[1]

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request."""

        async def sent() -> httpx.Response:
            self.site.following.look()
            return await self._http.request(method, path, **options)

        return self._portal.call(sent)

    def run(self, work: Callable[[], Awaitable[object]]) -> None:
        """Have something done in the server's loop."""
        self._portal.call(work)

    def as_role(self, role: Role) -> None:
        """Be somebody with that role from now on."""
        guard = self.site.guard
        secret, _ = guard.tokens.create(f"a-{role}", role, now=guard.now())
        self._http.headers["Authorization"] = f"Bearer {secret}"

    def close(self) -> None:
        """Close all."""
        self._portal.call(self._http.aclose)
        self._portal.call(self.site.following.close)


@contextmanager
def browser(config: Path) -> Iterator[Browser]:
    """Serve a home's pages to a browser on this machine."""
    with start_blocking_portal() as portal:
        found = Browser(portal.call(open_site, load(config)), portal)
        try:
            yield found
        finally:
            found.close()
