"""Sizes, durations, times and words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.backends.base import BackendSettings
from hopper.backends.registry import BUILT_IN, GROUP, backend, kinds
from hopper.backends.units import (
    clock,
    mebibytes,
    parse_clock,
    parse_count,
    parse_epoch,
    parse_number,
    parse_size,
    whole_seconds,
)
from hopper.backends.words import (
    gpu_count,
    log_path,
    one_line,
    portions,
    safe_name,
    short_name,
    word,
)
from hopper.errors import ConfigError, HopperError
from hopper.model.task import BatchResources


@given(st.integers(0, 2**60))
def test_memory_is_never_asked_for_short(memory: int) -> None:
    asked = mebibytes(memory)
    assert asked >= 1
    assert asked * 1024**2 >= memory
    assert (asked - 1) * 1024**2 < max(memory, 1)
    assert parse_size(f"{asked}M") == asked * 1024**2


@given(st.timedeltas(timedelta(0), timedelta(days=3650)))
def test_time_is_never_asked_for_short(limit: timedelta) -> None:
    seconds = whole_seconds(limit)
    assert timedelta(seconds=seconds) >= limit
    assert seconds >= 1
    assert parse_clock(clock(limit)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:07", 7),
        ("1-02:03:04", 93784),
        ("26:03:04", 93784),
        ("1:02:03:04", 93784),
        ("00:00.271", 0.271),
        ("03:04", 184),
        ("", None),
        ("7", None),
        ("a:b", None),
        ("-1:00", None),
        ("UNLIMITED", None),
    ],
)
def test_clocks(text: str, seconds: float | None) -> None:
    assert parse_clock(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("302584K", 302584 * 1024),
        ("6544kb", 6544 * 1024),
        ("1.703MB", int(1.703 * 1024**2)),
        ("1.5G", 1536 * 1024**2),
        ("12", 12),
        ("0.000B", 0),
        ("", None),
        ("-1K", None),
        ("9" * 15 + "E", None),
        ("1 2", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@given(st.text())
def test_anything_is_parsed_without_an_error(text: str) -> None:
    for parse in (parse_clock, parse_count, parse_epoch, parse_number, parse_size):
        found = parse(text)
        assert found is None or found >= 0


def test_epochs() -> None:
    assert parse_epoch("1795239530") == 1795239530
    assert parse_epoch("0") is None
    assert parse_epoch("Unknown") is None


@given(st.text())
def test_words_for_a_batch_system_are_safe(text: str) -> None:
    assert safe_name(text).replace(".", "").replace("-", "").replace("_", "").isalnum()
    assert safe_name(text).isascii()
    assert short_name(text, "abcdefghij", 15).startswith("abcdefghij")
    assert len(short_name(text, "abcdefghij", 15)) <= 15
    assert "\n" not in one_line(text)
    assert one_line(text).isprintable()
    for safe in (accepted(lambda: word(text, "x")), accepted(lambda: log_path(text))):
        assert not set(safe) & set(" \t\n\r'\"\\$`;&|<>()*?[]#!~{}%")


def accepted(make: Callable[[], str]) -> str:
    """Return what was made; nothing where it was refused."""
    try:
        return make()
    except HopperError:
        return ""


def test_gpus_in_the_words_of_slurm() -> None:
    assert gpu_count(BatchResources(gres="gpu:a100:2")) == 2
    assert gpu_count(BatchResources(gres="gpu")) == 1
    assert gpu_count(BatchResources(gres="license:3,gpu:2", gpus=1)) == 2
    assert gpu_count(BatchResources(gpus=3)) == 3
    assert gpu_count(BatchResources(gres="shard:9")) == 0


def test_portions_hold_all_ids_once() -> None:
    ids = [str(number) for number in range(30_000)]
    found = portions([*ids, *ids])
    assert [native for portion in found for native in portion] == ids
    assert max(len(" ".join(portion)) for portion in found) < 100_000
    assert portions([]) == [[]]


def test_the_registry() -> None:
    for kind in BUILT_IN:
        made = backend(BackendSettings(name="x", kind=kind))
        assert made.kind == kind
    assert kinds()[: len(BUILT_IN)] == list(BUILT_IN)
    with pytest.raises(ConfigError, match=r"no backend type 'slrum'.*slurm, pbs, lsf"):
        backend(BackendSettings(name="x", kind="slrum"))


def test_backends_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "cloud"
        value = "cloud:Cloud"

        def load(self) -> object:
            raise ImportError("no boto")

    class Local(Point):
        name = "mine"

        def load(self) -> object:
            from hopper.backends.local import Local as Loaded

            return Loaded

    points = {GROUP: [Point(), Local()]}
    monkeypatch.setattr(
        "hopper.backends.registry.entry_points", lambda group: points.get(group, [])
    )
    assert kinds()[-2:] == ["cloud", "mine"]
    assert backend(BackendSettings(name="x", kind="mine")).kind == "local"
    with pytest.raises(ConfigError, match="cloud:Cloud does not load: no boto"):
        backend(BackendSettings(name="x", kind="cloud"))
