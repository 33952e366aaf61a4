"""What all tests share: a clean environment, one rig for all that need it, waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
from hypothesis import HealthCheck, settings

_HERE = Path(__file__).parent
pytest_plugins = ["tests.rigs.fixtures"] if (_HERE / "rigs" / "fixtures.py").is_file() else []

T = TypeVar("T")

# Wall time on a shared machine says nothing about the code.
settings.register_profile(
    "hopper", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "hopper"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a rig in one xdist worker, so that they share it."""
    for item in items:
        if item.get_closest_marker("rig") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("rig"))


@pytest.hookimpl
def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long bytes by their parameter: a zip holds the time, and xdist compares names."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the person who runs it."""
    for name in list(os.environ):
        if name.startswith(("HOPPER_", "ANSIBLE_")):
            monkeypatch.delenv(name)


class Eventually(Protocol):
    """Waits until ``condition`` gives something true, and returns that."""

    def __call__(self, condition: Callable[[], T], *, within: float = 30.0, what: str = "") -> T:
        """Fail the test after ``within`` seconds, naming ``what`` was waited for."""


def waited(condition: Callable[[], T], *, within: float = 30.0, what: str = "") -> T:
    """Wait for a condition with a deadline; for what is no test."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within:g} s: {what or condition}, last was {value!r}")
        time.sleep(0.02)
    return value


@pytest.fixture
def eventually() -> Eventually:
    """Wait for a condition with a deadline, never for a fixed time."""
    return waited


@pytest.fixture(scope="session")
def patience() -> Eventually:
    """The same, for what several tests share."""
    return waited


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return _HERE.parent


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder that is the working directory while the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
