"""What every connection to a host does: the fake, Ansible's local one, and real ssh."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hopper.errors import TransportError
from hopper.model.orders import Order
from hopper.remote.connections import AnsibleTransport, open_connection, route
from hopper.remote.host import carry_out
from hopper.remote.transport import Transport
from tests.fakes.shell_worker import ShellWorker

SSH = ("ssh-scp", "ssh-piped", "ssh-rsync")
Made = tuple[Transport, Path, str]
"""A transport, a folder of the host as seen from here, and what the host calls it."""


def of_shell(request: pytest.FixtureRequest, mode: str) -> Made:
    folder: Path = request.getfixturevalue("tmp_path")
    worker = ShellWorker.make(folder / "shell", "sh")
    return worker.transport, worker.inbox, str(worker.inbox)


def of_local(request: pytest.FixtureRequest, mode: str) -> Made:
    folder: Path = request.getfixturevalue("tmp_path") / "there"
    folder.mkdir()
    return local_transport(), folder, str(folder)


def local_transport() -> AnsibleTransport:
    return AnsibleTransport(open_connection("here", {"ansible_connection": "local"}, timeout=5))


def of_ssh(request: pytest.FixtureRequest, mode: str) -> Made:
    if mode == "rsync" and shutil.which("rsync") is None:
        pytest.skip("no rsync on this machine")
    farm = request.getfixturevalue("farm")
    path = farm.inventory(request.getfixturevalue("tmp_path") / "inventory.yml")
    worker = farm.workers[0]
    hostvars = variables(path, worker.name)
    # Run with the same checks of host keys as hopper's own runs.
    hostvars.setdefault("ansible_host_key_checking", True)
    connection = open_connection(worker.name, hostvars, timeout=10)
    folder = worker.outside(worker.inbox)
    folder.mkdir(exist_ok=True)
    os.chown(folder, worker.home.stat().st_uid, worker.home.stat().st_gid)
    return AnsibleTransport(connection, transfer_mode=mode), folder, worker.inbox


def variables(inventory: Path, host: str) -> dict[str, Any]:
    """Return what the farm's inventory says of a host; nothing in it is templated."""
    group = yaml.safe_load(inventory.read_text())["all"]["children"]["hopper_workers"]
    return {**(group.get("vars") or {}), **(group["hosts"][host] or {})}


MAKERS: dict[str, Callable[[pytest.FixtureRequest, str], Made]] = {
    "shell": of_shell,
    "local": of_local,
    "ssh": of_ssh,
}
KINDS = [
    "shell",
    pytest.param("local", marks=pytest.mark.ansible),
    *(pytest.param(name, marks=[pytest.mark.ansible, pytest.mark.rig]) for name in SSH),
]


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest) -> Made:
    kind, _, mode = str(request.param).partition("-")
    return MAKERS[kind](request, mode or "scp")


def test_a_command_gets_its_input_and_all_its_output_is_kept(made: Made) -> None:
    transport, _, _ = made
    data = bytes(range(256)) * 2000
    answer = transport.exec("cat; echo oh >&2; exit 3", data)
    assert (answer.code, answer.stdout) == (3, data)
    assert b"oh" in answer.stderr


def test_a_command_without_input_does_not_wait_for_any(made: Made) -> None:
    transport, _, _ = made
    assert transport.exec("wc -c").stdout.split() == [b"0"]


def test_a_command_line_reaches_the_shell_as_it_is(made: Made) -> None:
    transport, _, _ = made
    answer = transport.exec("printf '%s|' \"it's\" '$HOME' \"a  b\"; echo $((1 + 1))")
    assert answer.stdout == b"it's|$HOME|a  b|2\n"


def test_files_go_there_and_come_back(made: Made, tmp_path: Path) -> None:
    transport, folder, remote = made
    local, back = tmp_path / "local file", tmp_path / "back"
    local.write_bytes(os.urandom(3_000_000))
    transport.put(local, f"{remote}/name with 'quotes' and $(x)")
    assert (folder / "name with 'quotes' and $(x)").read_bytes() == local.read_bytes()
    transport.fetch(f"{remote}/name with 'quotes' and $(x)", back)
    assert back.read_bytes() == local.read_bytes()


def test_an_empty_file_goes_and_comes(made: Made, tmp_path: Path) -> None:
    transport, folder, remote = made
    (tmp_path / "empty").touch()
    transport.put(tmp_path / "empty", f"{remote}/empty")
    assert (folder / "empty").read_bytes() == b""
    transport.fetch(f"{remote}/empty", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b""


def test_an_order_is_carried_out(made: Made, tmp_path: Path) -> None:
    transport, _, remote = made
    order = Order(id="o", host="h", inbox=remote, outbox=remote, incoming=str(tmp_path))
    report = carry_out(transport, order)
    assert not report.error
    assert report.inbox == remote
    assert not report.missing


@pytest.mark.ansible
@pytest.mark.rig
@pytest.mark.parametrize("mode", ["piped", "rsync"])
def test_a_transfer_goes_on_where_it_stopped(
    request: pytest.FixtureRequest, tmp_path: Path, mode: str
) -> None:
    transport, folder, remote = of_ssh(request, mode)
    content = os.urandom(2_000_000)
    local = tmp_path / "local"
    local.write_bytes(content)
    (folder / "there").write_bytes(content[:700_000])
    os.chown(folder / "there", folder.stat().st_uid, folder.stat().st_gid)
    (tmp_path / "back").write_bytes(content[:900_000])
    transport.put(local, f"{remote}/there")
    assert (folder / "there").read_bytes() == content
    transport.fetch(f"{remote}/there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content


# Hosts out of reach


@pytest.mark.ansible
def test_a_refused_connection_is_known_not_to_have_delivered() -> None:
    hostvars = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    transport = AnsibleTransport(open_connection("h", hostvars, timeout=5))
    with pytest.raises(TransportError) as caught:
        transport.exec("true", b"input")
    assert not caught.value.delivered


@pytest.mark.ansible
@pytest.mark.parametrize(
    "hostvars",
    [
        {"ansible_host": "{{ undefined_thing }}"},
        {"ansible_connection": "ssh", "ansible_port": "not a number"},
    ],
)
def test_settings_that_cannot_be_used_are_told(hostvars: dict[str, Any]) -> None:
    with pytest.raises(TransportError, match="h: ") as caught:
        open_connection("h", hostvars, timeout=5)
    assert not caught.value.delivered


@pytest.mark.ansible
@pytest.mark.parametrize(
    ("hostvars", "through"),
    [
        ({}, "h"),
        ({"ansible_host": "10.0.0.1"}, "10.0.0.1"),
        ({"ansible_ssh_common_args": "-J alice@jump"}, "alice@jump"),
        ({"ansible_ssh_common_args": "-o ProxyJump=jump"}, "jump"),
        ({"ansible_ssh_extra_args": '-o ProxyCommand="ssh -W %h:%p jump"'}, 'jump"'),
    ],
)
def test_the_route_is_the_jump_host_or_the_address(hostvars: dict[str, Any], through: str) -> None:
    assert route("h", hostvars) == through
