"""What the tests of the worker's shell share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.fakes.login_node import LoginNode
from tests.fakes.shell_worker import SHELLS, Following, ShellWorker


@pytest.fixture(params=SHELLS)
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ShellWorker]:
    """A worker under each sh that is here."""
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} on this machine")
    made = ShellWorker.make(tmp_path, request.param)
    yield made
    made.close()


@pytest.fixture
def following(worker: ShellWorker, eventually: Eventually) -> Following:
    return Following(worker, eventually)


@pytest.fixture(params=SHELLS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LoginNode]:
    """A login node under each sh that is here."""
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} on this machine")
    made = LoginNode.make(tmp_path, request.param)
    yield made
    made.close()
