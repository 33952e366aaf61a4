"""A login node for tests of commands: its questions are answered by this machine's own sh."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from hopper.model.batch import BatchOrder, BatchReport, Said
from hopper.model.orders import LogPart
from tests.unit.cli.conftest import Desk

TOOLS = (
    "sh bash tar git sha256sum timeout id du cat getconf mkdir chmod rm mv uname find head tail wc"
)
"""All that is on the node's PATH; a machine may have a cluster's commands too."""
CONFIG: dict[str, Any] = {
    "environments": [{"name": "lab", "variables": {"COLOUR": "blue"}}],
    "poll": {"interval_seconds": 1},
}


class Node:
    """Put in the place of ``visiting.Visitor``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / ".programs"
        self.programs.mkdir(parents=True)
        for name in TOOLS.split():
            found = shutil.which(name)
            assert found is not None, name
            (self.programs / name).symlink_to(found)
        self.orders: list[BatchOrder] = []
        self.error = ""
        self.logs: dict[str, bytes] = {}
        """By the file that is read."""
        self.closed = 0

    def program(self, name: str, text: str) -> None:
        """Put a program on the node's PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)

    def __call__(self, config: object) -> Node:
        del config
        return self

    def ask(self, order: BatchOrder, timeout: float = 0.0) -> BatchReport:
        del timeout
        self.orders.append(order)
        report: dict[str, Any] = {"order": order.id, "host": order.host, "at": 0.0}
        if self.error:
            return BatchReport(**report, error=self.error)
        acts = (order.submissions, order.cancels, order.withdrawals, order.cleans, order.follows)
        assert not any(acts), "a question changes nothing"
        answers = tuple((query.name, self._said(order, query.name)) for query in order.queries)
        return BatchReport(
            **report,
            answers=answers,
            log=self._log(order),
            free_bytes=5_000_000_000,
            clock_skew=0.2,
        )

    def _said(self, order: BatchOrder, name: str) -> Said:
        text = next(query.shell for query in order.queries if query.name == name)
        uploads = self.folder / "uploads"
        shutil.rmtree(uploads, ignore_errors=True)
        uploads.mkdir()
        for path, to in order.uploads:
            shutil.copy(path, uploads / to)
        done = subprocess.run(
            ["sh", "-c", text],
            env={
                "PATH": str(self.programs),
                "HOME": str(self.folder),
                "hopper_uploads": str(uploads),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Said(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def _log(self, order: BatchOrder) -> LogPart | None:
        if order.log is None:
            return None
        content = self.logs.get(order.log.file, b"")
        start = order.log.offset if order.log.offset >= 0 else len(content) + order.log.offset
        start = min(max(0, start), len(content))
        text = content[start : start + order.log.limit].decode("latin-1")
        return LogPart(attempt=order.log.attempt, size=len(content), offset=start, text=text)

    def close(self) -> None:
        self.closed += 1


def configure(desk: Desk, folder: Path, **more: Any) -> None:
    """Give a desk a config with one backend, whose home is that folder."""
    backend = {"name": "here", "type": "local", "work_dir": f"{folder}/work"}
    backend["clone_dir"] = f"{folder}/clones"
    text = yaml.safe_dump({"backends": [backend], **CONFIG, **more})
    (desk.folder / "hopper.yaml").write_text(text, encoding="utf-8")
