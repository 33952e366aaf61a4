from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.errors import HopperError
from hopper.model import wire
from hopper.model.orders import External, Follow, Launch, Order, ReadLog, Release, Target
from hopper.remote import script
from hopper.remote.quoting import assignment, call, quote
from tests.fakes.shell_worker import SHELLS

MARK = "HOPPER-0123456789abcdef"
values = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def shell(text: str, name: str = "sh") -> bytes:
    return subprocess.run([name, "-c", text], capture_output=True, check=True).stdout


@given(st.lists(values, min_size=1, max_size=5))
def test_a_quoted_value_is_one_word_of_itself(words: list[str]) -> None:
    out = shell(call("printf", ["%s\\0", *words]))
    assert out == b"".join(word.encode() + b"\0" for word in words)


@given(values)
def test_an_assignment_holds_the_value(value: str) -> None:
    assert shell(f'{assignment("x", value)}\nprintf %s "$x"') == value.encode()


def test_nul_is_refused() -> None:
    with pytest.raises(HopperError, match="NUL"):
        quote("a\0b")


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize("rest", [b"", b"\0\xff rest\n"])
def test_the_script_is_read_off_stdin_and_leaves_the_rest(name: str, rest: bytes) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"no {name} on this machine")
    text = "# ü\nprintf '[%s]' \"it's ü\"\ncat\n"
    command = [name, "-c", script.command(text)]
    if name == "busybox":
        command.insert(1, "sh")
    done = subprocess.run(command, input=text.encode() + rest, capture_output=True, check=True)
    assert done.stdout == "[it's ü]".encode() + rest


def launch(path: Path, **parts: object) -> Launch:
    known: dict[str, object] = {
        "attempt": "a000000001",
        "job_id": "j",
        "name": "j",
        "zip_path": str(path),
        "zip_size": path.stat().st_size,
        "zip_sha256": "0",
        "command": "true",
        "env": {},
    }
    return Launch(**{**known, **parts})  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "job.zip"
    made.write_bytes(b"x" * 100)
    return made


def members(order: Order) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(script.payload(order))) as tar:
        return {m.name: (tar.extractfile(m) or io.BytesIO()).read() for m in tar}


def test_an_order_without_launches_has_no_payload() -> None:
    assert script.payload(Order(id="o", host="h")) == b""


def test_a_small_zip_travels_along_and_a_large_one_does_not(path: Path) -> None:
    small = Order(id="o", host="h", launches=(launch(path),), inline_limit=100)
    large = Order(id="o", host="h", launches=(launch(path),), inline_limit=99)
    assert members(small)["a000000001/job.zip"] == b"x" * 100
    assert "a000000001/job.zip" not in members(large)


def test_secrets_are_in_the_payload_and_in_no_command_line(path: Path) -> None:
    order = Order(id="o", host="h", launches=(launch(path, env={"TOKEN": "s3cr3t"}),))
    assert b"export TOKEN=s3cr3t" in members(order)["a000000001/env.sh"]
    assert "s3cr3t" not in script.command(script.render(order, MARK))


@given(values, values)
def test_facts_and_environment_are_read_back_as_they_are(text: str, command: str) -> None:
    item = Launch(
        attempt="a000000001",
        job_id="j",
        name=text,
        zip_path="/nowhere",
        zip_size=10**9,
        zip_sha256="0",
        command=command,
        env={"ODD": text},
    )
    files = members(Order(id="o", host="h", inbox=text, launches=(item,)))
    facts, env = files["a000000001/facts.sh"].decode(), files["a000000001/env.sh"].decode()
    out = shell(f'{facts}\n{env}\nprintf "%s\\0" "$hopper_name" "$hopper_inbox" "$ODD"')
    assert out == (text.encode() + b"\0") * 3


def test_orders_are_carried_out_in_the_order_of_the_fields(path: Path) -> None:
    target = Target(attempt="a000000001", name="j")
    order = Order(
        id="o",
        host="h",
        cancels=(target,),
        discards=(target,),
        releases=(Release(attempt="a000000001", files=("it's.zip",)),),
        cleans=(target,),
        launches=(launch(path),),
        follows=(
            Follow(attempt="a000000001", name="j", globs=("a b", "c")),
            Follow(attempt="a000000002", name="k", collect=False),
        ),
        externals=(External(attempt="x000000001", name="e", collect=True),),
        log=ReadLog(attempt="a000000001", offset=-5, limit=9),
    )
    text = script.render(order, MARK)
    [calls] = text.split("\nlook\n")[1:]
    assert [line.split()[0] for line in calls.splitlines() if line not in {"c' ", "c'"}] == [
        "cancel",
        "discard",
        "release",
        "clean",
        "receive_zips",
        "launch",
        "follow",
        "observe",
        "external",
        "collect_external",
        "read_log",
        "finish",
    ]
    assert wire.from_json(Order, wire.to_json(order)) == order
