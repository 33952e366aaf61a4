from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from shutil import which

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hopper.config.launch_template import (
    DEFAULT_TEMPLATE,
    PLACEHOLDERS,
    needs_run_job,
    shell_line,
)
from hopper.errors import ConfigError

SHELLS = [shell for shell in ("dash", "bash", "busybox") if which(shell)]
SHOW = "import json,os,sys; print(json.dumps([os.fsencode(a).hex() for a in sys.argv[1:]]))"
HOSTILE = [
    "$(touch PWNED)", "`touch PWNED`", "a b", "'", '"', "a'b\"c", "\n", "x\ny\n", "-n", "--", "*",
    "~", "~root", "é漢字", "\\", "a\\", "$HOME", "${HOME}", "{}", "{job_id}", "#x", ";exit 3", "&",
    "|", ">x", "!", "", " ", "\t", "[a-z]", "a=b", "%s", "\x01",
]  # fmt: skip
values = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
five = st.fixed_dictionaries(dict.fromkeys(PLACEHOLDERS.values(), values))


def argv_seen(shell: str, template: str, variables: dict[str, str], cwd: Path) -> list[str]:
    """Run the line of a template, in which ``show`` prints its arguments, and return them."""
    line = f'show() {{ "$PYTHON" -S -E -c "$SHOW" "$@"; }}\n{shell_line(template)}'
    argv = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*argv, "-c", line],
        env={"PYTHON": sys.executable, "SHOW": SHOW, "PATH": "/usr/bin:/bin", **variables},
        cwd=cwd,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert not list(cwd.iterdir())
    return [bytes.fromhex(word).decode() for word in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@pytest.mark.parametrize("shell", SHELLS)
@given(variables=five)
@example(variables=dict.fromkeys(PLACEHOLDERS.values(), "'\"$(touch PWNED)`id`\\\n"))
def test_values_arrive_as_they_are(shell: str, empty: Path, variables: dict[str, str]) -> None:
    job, inbox, outbox, zip_name, folder = (variables[name] for name in PLACEHOLDERS.values())
    template = (
        "show {job_id} '{worker_inbox}' \"{worker_outbox}\" x{zip_name}y "
        "\"a '{extract_dir}' b\" 'c \"{job_id}\" d' {job_id}{zip_name} \\'{job_id}\\'"
    )
    assert argv_seen(shell, template, variables, empty) == [
        job, inbox, outbox, f"x{zip_name}y", f"a '{folder}' b", f'c "{job}" d',
        job + zip_name, f"'{job}'",
    ]  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("template", "seen"),
    [
        ('show "$(printf %s {job_id})"', ["v 1"]),
        ('show "$(printf \'%s\' "<{job_id}>")"', ["<v 1>"]),
        ('show "$( (printf %s {job_id}) )" ")"', ["v 1", ")"]),
        ("(show {job_id})", ["v 1"]),
        ('X={job_id}; show "${{X}}" "${{Y:-its}}" "${{X#v}}"', ["v 1", "its", " 1"]),
        ("show ${{Y:-'a b'}} {job_id}", ["a b", "v 1"]),
        ("show $((1 + (2 * 3) << 1)) {job_id}", ["14", "v 1"]),
        ("show a#b {job_id} # don't {job_id}", ["a#b", "v 1"]),
        ("# it's\nshow {job_id}\n", ["v 1"]),
        ("show \\\n {job_id}", ["v 1"]),
        ("show \\{{{job_id}\\}}", ["{v 1}"]),
        ("show {{{job_id}}} '{{}}'", ["{v 1}", "{}"]),
        ("show '\\{job_id}'", ["\\v 1"]),
        ('show "\\"{job_id}\\\\"', ['"v 1\\']),
        ("show \\\\{job_id}", ["\\v 1"]),
        ("show `echo x` {job_id}", ["x", "v 1"]),
        ("case {job_id} in v*) show {job_id};; esac", ["v 1"]),
        ('show "$HOPPER_JOB_ID" {job_id}', ["v 1", "v 1"]),
        ("show '' {job_id}\"\"", ["", "v 1"]),
    ],
)
def test_quoting_follows_the_surroundings(
    shell: str, template: str, seen: list[str], empty: Path
) -> None:
    assert argv_seen(shell, template, {"HOPPER_JOB_ID": "v 1"}, empty) == seen


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("run {job}", "{job} is no placeholder; the five are {job_id}, {worker_inbox}"),
        ("run {}", "{} is no placeholder"),
        ("run {job_id!r}", "is no placeholder"),
        ("run { job_id }", "is no placeholder"),
        ("run {", "a lone { at character 5; write {{"),
        ("run {job_id", "a lone {"),
        ("run }", "a lone } at character 5; write }}"),
        ("run ${HOME}", "write ${{HOME}} for a shell variable"),
        ('run "${job_id}"', "or {job_id} without the $"),
        ("run $\\{job_id}", "a backslash before the {"),
        ('run "\\{job_id}"', "a backslash before the {"),
        ("run 'x", "the ' at character 5 is never closed"),
        ('run "x', 'the " at character 5 is never closed'),
        ("run `x", "is never closed"),
        ("run $(x", "the $( at character 5 is never closed"),
        ("run (x", "is never closed"),
        ("run ${{x", "the ${{ at character 5 is never closed"),
        ("run \\", "ends in a backslash"),
        ("run \0", "NUL"),
        (" \n", "it is empty"),
        ("run `x {job_id}`", "stands between backticks"),
        ('run `"{job_id}"`', "stands between backticks"),
        ("run $((1 + {job_id}))", "where a shell would run it"),
        ("run $((1 + ({job_id})))", "where a shell would run it"),
        ('run $((1 + "{job_id}"))', "where a shell would run it"),
        ("run $((1 + $(echo {job_id})))", "where a shell would run it"),
        ("(( {job_id} ))", "does not mean the same in every sh"),
        ("run ${{X:-{job_id}}}", "give it to a shell variable before"),
        ('run "${{Y:-it\'s}}" {job_id}', "quotes in ${{…}} between quotes"),
        ('run "${{Y:-"x"}}" {job_id}', "quotes in ${{…}} between quotes"),
        ("run $'{job_id}'", "does not mean the same in every sh"),
        ("cat <<E\n{job_id}\nE", "here-documents"),
        ('run "$(case x in x) echo {job_id};; esac)"', "'case' does not work between brackets"),
        ("run $((1)", "closes no $(("),
    ],
)
def test_what_cannot_be_safe_is_refused(template: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        shell_line(template)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shell", ["dash", "bash"])
@given(st.lists(st.sampled_from(
    ["{job_id}", "{zip_name}", "'", '"', "$(", ")", "(", "`", "\\", "{{", "}}", " ", "x", "$", "#",
     "\n", "${{X:-", "case ", "&&", ";"]
), max_size=9).map("".join))  # fmt: skip
def test_no_template_lets_a_value_become_a_command(shell: str, empty: Path, template: str) -> None:
    try:
        line = shell_line(template)
    except ConfigError:
        return
    variables = dict.fromkeys(PLACEHOLDERS.values(), "x;touch PWNED;$(touch PWNED)`touch PWNED`'\"")
    # With command_not_found out of the way: only what the value itself would run counts.
    subprocess.run(
        [shell, "-c", line],
        env={"PATH": "/usr/bin:/bin", **variables},
        cwd=empty,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert not list(empty.glob("*PWNED*"))


@given(st.text(st.sampled_from("{}'\"$()`\\#\n ax<"), max_size=30))
def test_any_text_is_a_template_or_refused(template: str) -> None:
    with suppress(ConfigError):
        assert shell_line(template)


def test_the_default_runs_the_script(tmp_path: Path) -> None:
    folder = tmp_path / "it's a $(folder)"
    folder.mkdir()
    (folder / "run_job.sh").write_text('printf "%s\\n" "$PWD" "$@"\n')
    variables = {name: f"{name} $x'" for name in PLACEHOLDERS.values()}
    variables["HOPPER_EXTRACT_DIR"] = str(folder)
    done = subprocess.run(
        ["sh", "-c", shell_line(DEFAULT_TEMPLATE)],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    names = ["JOB_ID", "INBOX", "OUTBOX", "ZIP_NAME", "EXTRACT_DIR"]
    assert done.stdout.splitlines() == [
        str(folder),
        *(variables[f"HOPPER_{name}"] for name in names),
    ]


def test_which_templates_need_a_script() -> None:
    assert needs_run_job(DEFAULT_TEMPLATE)
    assert not needs_run_job("cd {extract_dir} && make")
