"""The Dockerfile and the compose file fit hopper and each other; no image is built here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from hopper.config.web import Web
from hopper.service.unit import render_unit
from tests.content.test_docs import complaint

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["hopper"]
UNIT = render_unit(config=Path("/lab/hopper.yaml"), python=Path("/bin/python"), environment={})


def last(instruction: str) -> str:
    """Return what the last such instruction of the Dockerfile says."""
    found = re.findall(rf"^{instruction}\s+(.*)$", DOCKERFILE, re.MULTILINE)
    return str(found[-1]).strip()


def test_the_container_runs_a_command_that_hopper_takes() -> None:
    program, *words = json.loads(last("CMD"))
    assert program == "hopper"
    assert complaint(words) == ""
    assert words[:2] == ["web", "--dispatch"]


def test_it_is_asked_on_the_port_that_the_page_is_at() -> None:
    port = Web().port
    assert last("EXPOSE") == str(port)
    assert f"http://127.0.0.1:{port}/health" in last("HEALTHCHECK")
    assert COMPOSE["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_config_and_state_are_in_the_volume() -> None:
    place = last("VOLUME")
    assert last("WORKDIR") == place
    assert f"HOPPER_CONFIG={place}/hopper.yaml" in last("ENV")
    assert f"./lab:{place}" in COMPOSE["volumes"]


def test_it_runs_as_the_user_that_compose_names() -> None:
    assert last("USER") == "hopper"
    for name in COMPOSE["build"]["args"]:
        assert re.search(rf"^ARG {name}=", DOCKERFILE, re.MULTILINE)


def test_the_base_can_be_another() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert set(bases) == {"${BASE}"}


def test_the_dispatcher_is_given_the_same_time_to_end_as_by_systemd() -> None:
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert COMPOSE["stop_grace_period"] == f"{seconds}s"
