from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from hopper.ansible.host_keys import (
    Address,
    HostKeyChanged,
    is_recorded,
    known_hosts,
    record,
    shown_key,
)
from hopper.errors import HopperError, UsageError

SSH = """#!/bin/sh
echo "$@" >> "{folder}/asked"
case " $* " in
*" -G "*) cat "{folder}/settings"; exit 0 ;;
esac
for word in "$@"; do
    case $word in UserKnownHostsFile=*) file=${{word#*=}} ;; esac
done
[ -s "{folder}/shows" ] || {{ echo "ssh: connect to host x: Connection refused" >&2; exit 255; }}
cat "{folder}/shows" > "$file"
echo "Permission denied" >&2
exit 255
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that shows what is in the file ``shows``."""
    program = tmp_path / "bin/ssh"
    program.parent.mkdir()
    program.write_text(SSH.format(folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    show(tmp_path, b"first")
    return tmp_path


def show(machine: Path, key: bytes) -> None:
    # As ssh-keygen reads it: the kind's length, the kind, the key's length, the key.
    kind = b"ssh-ed25519"
    body = key.ljust(32, b".")
    blob = len(kind).to_bytes(4, "big") + kind + len(body).to_bytes(4, "big") + body
    (machine / "shows").write_text(f"[box]:2222 ssh-ed25519 {base64.b64encode(blob).decode()}\n")


def address(options: str = "") -> Address:
    return Address(host="box", port=2222, user="alice", options=options)


def test_the_fingerprint_is_that_of_ssh_keygen(machine: Path) -> None:
    key = shown_key(address())
    (machine / "pub").write_text(f"{key.kind} {key.blob}\n")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", machine / "pub"], capture_output=True, text=True, check=True
    )
    assert key.fingerprint == shown.stdout.split()[1]


def test_the_key_is_asked_for_as_later_connections_will_be(machine: Path) -> None:
    shown_key(address("-o 'ProxyCommand=nc %h %p'"))
    asked = (machine / "asked").read_text()
    assert asked.rstrip().endswith("-o ProxyCommand=nc %h %p -p 2222 -l alice -- box true")
    assert asked.index("StrictHostKeyChecking=accept-new") < asked.index("ProxyCommand")


def test_a_machine_that_cannot_be_reached_has_no_key(machine: Path) -> None:
    (machine / "shows").write_text("")
    with pytest.raises(HopperError, match="Connection refused"):
        shown_key(address())


def test_a_key_is_recorded_once_and_found_again(machine: Path) -> None:
    file = machine / "new/known_hosts"
    key = shown_key(address())
    assert not is_recorded(key, file)
    record(key, file)
    assert is_recorded(key, file)
    assert file.read_text() == key.line
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_in_the_file_stays(machine: Path) -> None:
    file = machine / "known_hosts"
    file.write_text("# no end of line")
    key = shown_key(address())
    record(key, file)
    assert file.read_text() == f"# no end of line\n{key.line}"


def test_another_key_than_before_is_an_alarm(machine: Path) -> None:
    file = machine / "known_hosts"
    record(shown_key(address()), file)
    show(machine, b"second")
    with pytest.raises(HostKeyChanged, match="ssh-keygen -R"):
        is_recorded(shown_key(address()), file)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("userknownhostsfile {}/a {}/b", "a"),
        ("user x\nuserknownhostsfile {}/with space", "with space"),
    ],
)
def test_the_file_is_the_one_that_ssh_goes_by(machine: Path, settings: str, expected: str) -> None:
    (machine / "with space").touch()
    (machine / "settings").write_text(settings.replace("{}", str(machine)) + "\n")
    assert known_hosts(address()) == machine / expected


def test_without_ssh_there_is_a_way_out(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine))
    with pytest.raises(UsageError, match="install openssh-client"):
        shown_key(address())
