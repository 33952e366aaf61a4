"""Ansible's own connections as transports: all that is internal to Ansible is in this file.

The order of calls was found on ansible-core 2.17 to 2.21 and is tested on both ends of what
``pyproject.toml`` allows. Connections are made in the main thread and used in others.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader

from hopper.errors import TransportError
from hopper.remote.quoting import call, quote
from hopper.remote.transport import Answer

CHUNK = 16 << 20
"""Bytes of a piped transfer that are in memory at a time."""

NEVER_CONNECTED = re.compile(
    r"ssh: connect to host|Could not resolve hostname|Host key verification failed|"
    r"Permission denied \(|timed out during banner exchange|kex_exchange_identification|"
    r"Too many authentication failures|UNPROTECTED PRIVATE KEY|Bad configuration option|"
    r"no matching (host key|key exchange|cipher)|Connection to UNKNOWN port"
)
"""What ssh says when it has not got as far as to start a command."""


def open_connection(host: str, hostvars: Mapping[str, Any], *, timeout: int) -> ConnectionBase:
    """Make the connection object of an inventory host with the inventory's own settings.

    ``hostvars`` is Ansible's, of that host; values are templated one by one when asked for.
    Raises TransportError where the settings cannot be used.
    """
    try:
        return _open_connection(host, hostvars, timeout)
    except AnsibleError as error:
        raise TransportError(f"{host}: {error}", delivered=False) from error


def _open_connection(host: str, hostvars: Mapping[str, Any], timeout: int) -> ConnectionBase:
    name = str(_value(host, hostvars, "ansible_connection") or constants.DEFAULT_TRANSPORT)
    if name == "smart":
        name = "ssh"
    context = PlayContext()
    address = _value(host, hostvars, "ansible_ssh_host") or _value(host, hostvars, "ansible_host")
    context.remote_addr = str(address or host)
    context.timeout = timeout
    connection = connection_loader.get(name, context, task_uuid=f"hopper-{host}")
    if connection is None:
        raise TransportError(f"{host}: Ansible has no connection {name!r}", delivered=False)
    options = _options(host, hostvars, "connection", connection._load_name)
    options.setdefault("inventory_hostname", host)
    connection.set_options(var_options=options)
    shell = getattr(connection, "_shell", None)
    if shell is not None:
        shell.set_options(var_options=_options(host, hostvars, "shell", shell._load_name))
    return connection


def _options(host: str, hostvars: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    variables = constants.config.get_plugin_vars(kind, name)
    return {key: _value(host, hostvars, key) for key in variables if key in hostvars}


def _value(host: str, hostvars: Mapping[str, Any], key: str) -> Any:
    if key not in hostvars:
        return None
    value = hostvars[key]
    # Up to 2.18 a template with an undefined variable comes through as it stands.
    if isinstance(value, str) and "{{" in value:
        raise TransportError(f"{host}: {key} has an undefined variable: {value}", delivered=False)
    return value


def route(host: str, hostvars: Mapping[str, Any]) -> str:
    """Return what the way to a host goes through: its jump host, or its own address."""
    arguments = " ".join(
        str(_value(host, hostvars, key) or "")
        for key in ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")
    )
    jump = re.search(r"(?:-J\s*|ProxyJump[=\s]|-W\s+%h:%p\s+)(\S+)", arguments)
    if jump:
        return jump.group(1)
    return str(_value(host, hostvars, "ansible_host") or host)


class AnsibleTransport:
    """A host behind one of Ansible's connections."""

    def __init__(self, connection: ConnectionBase, *, transfer_mode: str = "scp") -> None:
        self._connection = connection
        self._ssh = connection._load_name.rsplit(".", 1)[-1] == "ssh"
        self._mode = transfer_mode
        if self._ssh:
            # Our own piped mode goes in chunks; what Ansible does is sftp, else scp.
            connection.set_option("ssh_transfer_method", "smart")

    def exec(self, command: str, stdin: bytes = b"") -> Answer:
        """Run a command line in the host's login shell."""
        if self._ssh and not stdin:
            # Ansible would leave ssh's own input open, and a command that reads it would wait.
            command = f"{call('sh', ['-c', command])} </dev/null"
        try:
            code, stdout, stderr = self._connection.exec_command(
                command, in_data=stdin, sudoable=False
            )
        except AnsibleConnectionFailure as error:
            raise _unreachable(error) from error
        except AnsibleError as error:
            raise TransportError(str(error)) from error
        return Answer(code=code, stdout=stdout, stderr=stderr)

    def login_words(self) -> list[str]:
        """Return the local command that runs another on the host, on a terminal.

        Its last word is the address; empty for a host that is this machine.
        """
        connection = self._connection
        if connection._load_name.rsplit(".", 1)[-1] == "local":
            return []
        if not self._ssh:
            raise TransportError(f"there is no terminal over {connection._load_name}")
        address = str(connection.get_option("host"))
        connection.host = address
        executable = connection.get_option("ssh_executable")
        words = [
            word.decode() if isinstance(word, bytes) else word
            for word in connection._build_command(executable, "ssh", "-t", address)
        ]
        # A password came through a pipe that nobody else has: ssh is to ask for it.
        return words[2:] if words[0] == "sshpass" else words

    def put(self, local: Path, remote: str) -> None:
        """Copy a file to the host in the transfer mode of the config."""
        if self._ssh and self._mode == "rsync":
            self._rsync(str(local), self._remote_spec(remote))
        elif self._ssh and self._mode == "piped":
            self._put_piped(local, remote)
        else:
            self._transfer(self._connection.put_file, str(local), remote)

    def fetch(self, remote: str, local: Path) -> None:
        """Copy a file from the host in the transfer mode of the config."""
        if self._ssh and self._mode == "rsync":
            self._rsync(self._remote_spec(remote), str(local))
        elif self._ssh and self._mode == "piped":
            self._fetch_piped(remote, local)
        else:
            self._transfer(self._connection.fetch_file, remote, str(local))

    def _transfer(self, copy: Any, source: str, target: str) -> None:
        try:
            copy(source, target)
        except AnsibleConnectionFailure as error:
            raise _unreachable(error) from error
        except AnsibleError as error:
            raise TransportError(str(error)) from error

    def _put_piped(self, local: Path, remote: str) -> None:
        """Send the file in chunks, from where an earlier try stopped."""
        position = int(self._checked(f"wc -c < {quote(remote)} 2>/dev/null || echo 0") or b"0")
        size = local.stat().st_size
        if position > size:
            position = 0
        with local.open("rb") as file:
            file.seek(position)
            first = position == 0
            while (chunk := file.read(CHUNK)) or first:
                redirect = ">" if first else ">>"
                self._checked(f"cat {redirect} {quote(remote)}", chunk)
                first = False

    def _fetch_piped(self, remote: str, local: Path) -> None:
        position = local.stat().st_size if local.exists() else 0
        with local.open("ab") as file:
            while True:
                start = quote(f"+{position + 1}")
                chunk = self._checked(f"tail -c {start} -- {quote(remote)} | head -c {CHUNK}")
                if not chunk:
                    return
                file.write(chunk)
                position += len(chunk)

    def _checked(self, command: str, stdin: bytes = b"") -> bytes:
        answer = self.exec(call("sh", ["-c", command]), stdin)
        if answer.code != 0:
            said = answer.stderr.decode("utf-8", "replace").strip()[-300:]
            raise TransportError(f"transfer failed: {said or f'exit code {answer.code}'}")
        return answer.stdout

    def _remote_spec(self, remote: str) -> str:
        address = str(self._connection.get_option("host"))
        return f"[{address}]:{remote}" if ":" in address else f"{address}:{remote}"

    def _rsync(self, source: str, target: str) -> None:
        """Copy with rsync, which goes on where an earlier try stopped."""
        connection = self._connection
        address = str(connection.get_option("host"))
        connection.host = address
        executable = connection.get_option("ssh_executable")
        words = [
            word.decode() if isinstance(word, bytes) else word
            for word in connection._build_command(executable, "ssh", address)
        ]
        # rsync adds the host and the command itself.
        shell = shlex.join(words[: words.index(address)] if address in words else words[:-1])
        command = ["rsync", "--partial", "--inplace", "--append-verify", "--protect-args"]
        try:
            done = subprocess.run(
                [*command, "-e", shell, "--", source, target],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except FileNotFoundError as error:
            raise TransportError("rsync is not installed here; transfer_mode needs it") from error
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip()[-300:]
            raise TransportError(f"rsync failed ({done.returncode}): {said}")


def _unreachable(error: AnsibleError) -> TransportError:
    text = " ".join(str(error).split())
    text = text.removeprefix("Failed to connect to the host via ssh: ")
    return TransportError(text[-400:], delivered=not NEVER_CONNECTED.search(text))
