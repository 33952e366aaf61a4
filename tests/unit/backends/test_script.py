"""The submission script, run by a real bash."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.backends.base import BackendSettings
from hopper.backends.local import Local
from hopper.backends.script import render, render_array
from hopper.errors import HopperError

TEMPLATES = Path(__file__).parents[3] / "roles" / "batch_submit" / "templates"
KINDS = ("slurm", "pbs", "gridengine", "lsf", "local")
PLAIN = {"native": '"${NATIVE-77}"', "node": '"n1"'}


def script(side: Path | str, command: str, **more: object) -> str:
    settings: dict[str, object] = {
        "hopper_side": str(side),
        "attempt": "a123456789",
        "directives": [],
        "log_variables": PLAIN,
        "command": command,
        "working_dir": str(side),
        **more,
    }
    return render(TEMPLATES, "slurm.sh.j2", **settings)  # type: ignore[arg-type]


def run(text: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/bash", "-c", 'exec bash "$0"', _file(text)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def _file(text: str) -> str:
    path = Path(os.environ["HOPPER_TEST_SCRIPT"])
    path.write_bytes(text.encode())
    return str(path)


@pytest.fixture
def side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOPPER_TEST_SCRIPT", str(tmp_path / "script.sh"))
    folder = tmp_path / "it's $(a) side"
    folder.mkdir()
    return folder


def ending(side: Path) -> tuple[int, int]:
    code, epoch = (side / "exit").read_text().split()
    return int(code), int(epoch)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_runs_the_command_and_records_its_end(side: Path, kind: str) -> None:
    text = render(
        TEMPLATES,
        f"{kind}.sh.j2",
        hopper_side=str(side),
        attempt="a123456789",
        directives=["#SBATCH --ntasks=1"],
        log_variables=PLAIN,
        command="echo out; echo err >&2; exit 7",
        working_dir="/",
    )
    assert text.startswith("#!/bin/bash\n#SBATCH --ntasks=1\n")
    before = int(time.time())
    done = run(text)
    assert done.returncode == 7
    if kind in {"pbs", "lsf"}:
        assert (side / "log.out").read_bytes() == b"out\n"
        assert (side / "log.err").read_bytes() == b"err\n"
        assert (done.stdout, done.stderr) == (b"", b"")
    else:
        assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
    code, at = ending(side)
    assert code == 7
    assert before <= at <= time.time()
    began, native, node = (side / "started").read_text().split()
    assert before <= int(began) <= at
    assert (native, node) == ("77", "n1")
    assert not list(side.glob("*.part"))


def test_login_shell_and_directives_come_first(side: Path) -> None:
    text = script(side, "true", login_shell=True, directives=["#SBATCH --a=b", "#SBATCH --c=d"])
    assert text.split("\n")[:3] == ["#!/bin/bash -l", "#SBATCH --a=b", "#SBATCH --c=d"]


def test_the_order_is_init_variables_folder_command(side: Path) -> None:
    text = script(
        side,
        'echo "$ONE $PWD"',
        init="export ONE=init TWO=init",
        variables={"ONE": "own", "THREE": "$TWO"},
        working_dir=str(side),
    )
    done = run(text + "\n")
    assert done.stdout.decode() == f"own {side}\n"
    assert run(script(side / "b", "")).returncode == 1, "no side folder is an error, no end"


@pytest.mark.parametrize(
    ("command", "printed", "code"),
    [
        ("echo a | false | true", "", 1),
        ("exec echo gone", "gone\n", 0),
        ("trap 'echo bye' EXIT; exit 3", "bye\n", 3),
        ("set -e\nfalse\necho no", "", 1),
        ("cat <<EOF\nEOF2\n)\nEOF\necho done", "EOF2\n)\ndone\n", 0),
        ("echo ')'  # it's a comment", ")\n", 0),
        ("printf '%s\\n' '{{ attempt }}' \"{% raw %}\"", "{{ attempt }}\n{% raw %}\n", 0),
        ("echo a\r\necho b", "a\nb\n", 0),
        ("hopper_code=9; hopper_side=/x; PATH=/none", "", 0),
        ("exit() { :; }; false", "", 1),
        ("#SBATCH --time=1\n#$ -N x\n#BSUB -J y\necho on", "on\n", 0),
        ("sleep 60 & echo not waited for", "not waited for\n", 0),
        ("kill -KILL $BASHPID", "", 137),
        ("kill -INT $BASHPID; echo no", "", 130),
        ("kill -USR1 $BASHPID; echo no", "", 138),
        ("trap 'echo hey' USR1; kill -USR1 $BASHPID; exit 255", "hey\n", 255),
        ("ulimit -t 1; while :; do :; done", "", 137),
    ],
)
def test_commands_run_as_they_would_alone(
    side: Path, command: str, printed: str, code: int
) -> None:
    if "sleep 60" in command:
        command = command.replace("&", ">/dev/null 2>&1 &") + "; kill $!"
    done = run(script(side, command))
    assert done.stdout.decode() == printed
    if "ulimit" in command:
        assert done.returncode in {137, 128 + signal.SIGXCPU}
        return
    assert done.returncode == code
    assert ending(side)[0] == code


@pytest.mark.parametrize("command", ['echo "x', "if true", "cat <<EOF\nabc", "echo )\n)", "done"])
def test_a_syntax_error_is_recorded_as_a_failure(side: Path, command: str) -> None:
    done = run(script(side, command))
    assert done.returncode == 2
    assert ending(side)[0] == 2
    assert done.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"working_dir": "/nowhere/at all"}, "/nowhere/at all"),
        ({"output_file": "/proc/none/x"}, "/proc/none"),
        ({"init": "echo starting >&2; exit 4"}, "starting"),
    ],
)
def test_what_cannot_start_ends_as_failed(
    side: Path, more: Mapping[str, object], words: str
) -> None:
    done = run(script(side, "echo ran", **more))
    assert done.returncode in {1, 4}
    assert ending(side)[0] == done.returncode
    assert words in done.stderr.decode()
    assert not done.stdout


def test_it_runs_once(side: Path) -> None:
    text = script(side, "echo ran; exit 5")
    assert run(text).returncode == 5
    kept = {path: path.read_bytes() for path in side.iterdir() if path.is_file()}
    again = run(text, NATIVE="78")
    assert (again.returncode, again.stdout) == (0, b"")
    same = run(text)
    assert (same.returncode, same.stdout) == (1, b""), "the system started the same job again"
    assert b"again" in same.stderr
    assert kept == {path: path.read_bytes() for path in side.iterdir() if path.is_file()}


def test_a_side_folder_that_is_not_there_is_no_success(side: Path) -> None:
    done = run(script(side / "missing", "echo ran"))
    assert done.returncode == 1
    assert b"cannot make" in done.stderr
    assert not done.stdout


def test_tilde_is_the_home_there(side: Path, tmp_path: Path) -> None:
    home = tmp_path / "home dir"
    (home / "side").mkdir(parents=True)
    (home / "work").mkdir()
    text = script(
        "~/side", "pwd; echo e >&2", working_dir="~/work", output_file="~/o/u t", error_file="e/r"
    )
    assert run(text, HOME=str(home)).returncode == 0
    assert (home / "o/u t").read_text() == f"{home}/work\n"
    assert (home / "work/e/r").read_text() == "e\n"
    assert (home / "side/exit").exists()


def test_it_tells_where_its_folders_are(side: Path) -> None:
    done = run(script(side, 'echo "$HOPPER_TASK_DIR"; echo s >"$HOPPER_OUTPUT_DIR/summary.md"'))
    assert done.stdout.decode() == f"{side}\n"
    assert (side / "output/summary.md").read_text() == "s\n"


HOSTILE = [
    "plain",
    'it\'s "quoted" `id` $(id) $HOME ${x} \\ \\n',
    "line\nEOF\n)\nEND\n",
    "a\r\nb\rc",
    "{{ attempt }} {% if %} {# #}",
    "!# ~ *? [a] ;|&<>",
    "é漢\u202e😀\t",
    "-n",
    "",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_arrive_as_they_are(side: Path, value: str) -> None:
    text = script(side, "printf '%s|' \"$V\"; printenv -0 V", variables={"V": value})
    assert run(text).stdout == value.encode() + b"|" + value.encode() + b"\0"
    assert "\r\n" not in text, "Slurm refuses a script that holds a DOS line end"


@pytest.mark.parametrize("value", [v for v in HOSTILE if v])
def test_hostile_folders_and_files(side: Path, value: str) -> None:
    folder = side / f"d{value}"
    folder.mkdir()
    text = script(side, "pwd; echo e >&2", working_dir=str(folder), output_file=f"x{value}/{value}")
    assert run(text).returncode == 0
    assert (folder / f"x{value}" / value).read_bytes() == os.fsencode(f"{folder}\n")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_any_value_is_one_word(value: str) -> None:
    text = script("/x", "true", variables={"V": value})
    line = re.search(r"^export V=.*?^hopper_expand", text, re.MULTILINE | re.DOTALL)
    assert line
    shell = line[0].removesuffix("hopper_expand") + 'printf %s "$V"'
    printed = subprocess.run(["bash", "-c", shell], capture_output=True, check=True).stdout
    assert printed == value.encode()


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", "A\nB", "é", "A;id"])
def test_a_variable_needs_a_name(side: Path, name: str) -> None:
    with pytest.raises(HopperError, match="no name for an environment variable"):
        script(side, "true", variables={name: "x"})


def test_nul_bytes_are_refused(side: Path) -> None:
    for more in ({"command": "a\0"}, {"init": "a\0"}, {"variables": {"A": "a\0"}}):
        with pytest.raises(HopperError, match="NUL"):
            script(side, **{"command": "true", **more})  # type: ignore[arg-type]


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(HopperError, match=r"none\.sh\.j2"):
        render(
            tmp_path,
            "none.sh.j2",
            hopper_side="/",
            attempt="a",
            directives=[],
            log_variables=PLAIN,
            command="",
        )


@pytest.mark.parametrize("whom", ["group", "script"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("echo up; exec sleep 100", 143),
        ("trap 'echo saved; exit 9' TERM; echo up; while :; do read -t 0.1 <>/dev/zero; done", 9),
    ],
)
def test_term_is_recorded(side: Path, whom: str, command: str, code: int) -> None:
    with subprocess.Popen(
        ["bash", _file(script(side, command))],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        if whom == "group":
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
        assert process.wait(60) == code
    assert ending(side)[0] == code


def test_the_end_is_recorded_in_room_that_was_taken_before(side: Path) -> None:
    done = run(script(side, 'stat -c "%i %s" "$HOPPER_TASK_DIR/exit.part"; exit 6'))
    inode, size = done.stdout.split()
    kept = (side / "exit").stat()
    assert (kept.st_ino, kept.st_size) == (int(inode), int(size))
    assert ending(side)[0] == 6


def test_a_command_whose_shells_are_killed_is_no_success(side: Path) -> None:
    done = run(script(side, 'kill -KILL "$(ps -o ppid= -p $BASHPID | tr -d " ")" $BASHPID'))
    assert done.returncode == 137
    assert ending(side)[0] == 137


def test_a_local_script_makes_its_own_login_shell(side: Path, tmp_path: Path) -> None:
    (tmp_path / ".bash_profile").write_text("export FROM_PROFILE=yes\n")
    local = Local(BackendSettings(name="here", kind="local"))
    text = render(
        TEMPLATES,
        local.template,
        hopper_side=str(side),
        attempt="a123456789",
        directives=[],
        log_variables=local.log_variables(),
        command='echo "$FROM_PROFILE $0"',
        login_shell=True,
    )
    done = run(text, HOME=str(tmp_path))
    assert done.stdout.decode() == f"yes {tmp_path}/script.sh\n"
    native, node = (side / "started").read_text().split()[1:]
    assert native.isdigit()
    assert node


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("slurm", "out"), ("gridengine", "out"), ("pbs", "pbs.out"), ("lsf", "lsf.out")],
)
def test_a_member_of_an_array_has_a_side_folder_and_logs_of_its_own(
    side: Path, kind: str, kept: str
) -> None:
    """Its folder is not there before it starts; the system's output is named by the index."""
    own = side / "of its own"
    member = render(
        TEMPLATES,
        f"{kind}.sh.j2",
        hopper_side=str(own),
        attempt="a123456789",
        directives=[],
        log_variables=PLAIN,
        command="echo out; exit 7",
        working_dir="/",
        array="g123456789",
        array_index=4,
        array_log=f"{side}/log.4",
    )
    (side / "tasks").mkdir()
    (side / "tasks" / "4.sh").write_text(member)
    array = render_array(
        TEMPLATES,
        hopper_side=str(side),
        array="g123456789",
        directives=[],
        index='"$INDEX"',
        login_shell=False,
    )
    done = run(array, INDEX="4")
    assert done.returncode == 7
    assert ending(own)[0] == 7
    (side / f"log.4.{kept}").write_text("the system's own")
    assert (own / f"log.{kept}").read_text() == "the system's own"


def test_a_member_that_is_not_wanted_any_more_does_nothing_and_fails(side: Path) -> None:
    text = render_array(
        TEMPLATES,
        hopper_side=str(side),
        array="g1",
        directives=[],
        index='"$INDEX"',
        login_shell=False,
    )
    done = run(text, INDEX="4")
    assert done.returncode == 127, "success must not be told of what never ran"


def test_what_was_withdrawn_before_it_started_does_not_end_well(side: Path) -> None:
    (side / "run").mkdir()
    (side / "cancel").touch()
    assert run(script(side, "echo ran")).returncode == 143
    (side / "started").write_text("1 70 n1\n")
    assert run(script(side, "echo ran")).returncode == 0, "it has run, as another job"
