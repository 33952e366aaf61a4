"""The shell text runs in real shells, with a real git, on repositories in local folders."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from hopper.config.workflows import GitClone
from hopper.model.batch import Said
from hopper.workflows.globs import match
from hopper.workflows.shell import (
    KEY_NAME,
    MOST_FILES,
    Fetched,
    SourceError,
    clone_folder,
    in_clone,
    in_folder,
    list_files,
    newest_commit,
    parse,
    path_word,
    read_file,
    run_command,
)

SHELLS = [
    name for name in ("dash", "bash", "busybox", "mksh") if shutil.which(name) is not None
] or ["sh"]
KEY = "-----BEGIN A KEY-----\n"
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")


class Host:
    """A home folder with a repository, and a shell there."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.home = folder / "home $(it's)"
        self.repo = folder / "a repo.git"
        self.uploads = folder / "uploads"
        self.shell = ["busybox", "sh"] if shell == "busybox" else [shell]
        self.home.mkdir()
        self.uploads.mkdir()
        self.environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "hopper_uploads": str(self.uploads),
        }

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(self.repo)]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=True, env=self.environment
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        if not self.repo.exists():
            self.repo.mkdir()
            self.git("init", "-q", "-b", "main")
        for name, text in files.items():
            path = self.repo / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "m")
        return self.git("rev-parse", "HEAD")

    def say(self, text: str) -> Said:
        done = subprocess.run(
            [*self.shell, "-c", text],
            capture_output=True,
            text=True,
            env=self.environment,
            check=False,
            timeout=60,
        )
        return Said(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def clone(self, **more: object) -> GitClone:
        return GitClone.model_validate({"repo": str(self.repo), **more})

    def fetch(self, git: GitClone, *steps: str, sha: str = "") -> Fetched:
        text = in_clone(git, steps, clone_dir="~/clones", work_dir="~/.hopper", sha=sha)
        return parse(self.say(text), "workflow w")

    def upload(self) -> None:
        (self.uploads / KEY_NAME).write_text(KEY)

    def leftovers(self) -> list[Path]:
        found = [*(self.home / ".hopper/private").iterdir()]
        return [*found, *(self.home / "clones").glob(".part*")]


@pytest.fixture(params=SHELLS)
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Host:
    return Host(tmp_path, request.param)


def test_a_commit_is_cloned_once(host: Host) -> None:
    first = host.commit(a="1")
    found = host.fetch(host.clone())
    assert (found.sha, found.cloned) == (first, True)
    folder = host.home / "clones" / first
    assert (folder / "a").read_text() == "1"
    assert clone_folder(host.clone(), "~/clones/", first) == f"~/clones/{first}"
    (folder / "mine").write_text("kept")
    assert not host.fetch(host.clone()).cloned
    assert (folder / "mine").exists()
    second = host.commit(a="2")
    assert host.fetch(host.clone()).sha == second
    assert (folder / "a").read_text() == "1"
    assert host.leftovers() == []


def test_an_older_commit_can_be_asked_for(host: Host) -> None:
    first = host.commit(a="1")
    host.commit(a="2")
    assert host.fetch(host.clone(), read_file("a"), sha=first).content == "1"
    with pytest.raises(SourceError, match="is not on branch main"):
        host.fetch(host.clone(), sha="0" * 40)
    assert host.leftovers() == []


def test_only_the_head(host: Host) -> None:
    sha = host.commit(a="1")
    found = parse(host.say(newest_commit(host.clone(), work_dir="~/.hopper")), "w")
    assert (found.sha, found.cloned) == (sha, False)
    assert not (host.home / "clones").exists()


def test_the_folders_mode_is_the_persons_own(host: Host) -> None:
    sha = host.commit(a="1")
    host.fetch(host.clone())
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((host.home / "clones" / sha / "a").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((host.home / ".hopper/private").stat().st_mode) == 0o700


def test_what_git_cannot_do_is_told_in_its_words(host: Host) -> None:
    host.commit(a="1")
    with pytest.raises(SourceError, match=r"workflow w: there is no branch nope in .*a repo"):
        host.fetch(host.clone(branch="nope"))
    with pytest.raises(SourceError, match=r"git cannot reach /no/such .*appear to be a git"):
        host.fetch(host.clone(repo="/no/such"))


def test_postclone_runs_once_where_the_clone_stays(host: Host) -> None:
    sha = host.commit(a="1")
    git = host.clone(postclone="pwd >> ../log\necho to-stdout\necho 'it''s' > made")
    assert host.fetch(git).sha == sha
    host.fetch(git)
    clone = host.home / "clones" / sha
    assert (host.home / "clones/log").read_text() == f"{clone}\n"
    assert (clone / "made").read_text() == "its\n"


def test_a_postclone_that_failed_runs_again(host: Host) -> None:
    host.commit(a="1")
    git = host.clone(postclone="echo why >&2; test -e ../ok")
    with pytest.raises(SourceError, match=r"postclone failed with code 1 .*\(why\)"):
        host.fetch(git)
    (host.home / "clones/ok").touch()
    host.fetch(git)


def test_files_are_found_and_read(host: Host) -> None:
    host.commit(
        **{
            ".hut__workflows__a.json": "[]",
            ".hut__workflows__it's $(b).json": "[1]\n",
            "x__y.hut.json": "",
        }
    )
    host.repo.joinpath("x", "bad\nname.hut.json").write_text("")
    host.repo.joinpath("x", "link.hut.json").symlink_to("/etc/passwd")
    host.commit()
    found = host.fetch(host.clone(), list_files(".hut/workflows/*.json"))
    assert match(".hut/workflows/*.json", found.files) == (
        ".hut/workflows/a.json",
        ".hut/workflows/it's $(b).json",
    )
    found = host.fetch(host.clone(), list_files("**/*.hut.json"))
    assert match("**/*.hut.json", found.files) == ("x/y.hut.json",)
    assert not found.more
    assert host.fetch(host.clone(), list_files("no/such/*.json")).files == ()
    assert host.fetch(host.clone(), read_file(".hut/workflows/it's $(b).json")).content == "[1]\n"
    with pytest.raises(SourceError, match=r"there is no file \./nope"):
        host.fetch(host.clone(), read_file("nope"))
    with pytest.raises(SourceError, match="is larger than 2 bytes"):
        host.fetch(host.clone(), read_file(".hut/workflows/it's $(b).json", limit=2))


def test_a_command_runs_in_the_clone(host: Host) -> None:
    host.commit(**{"get.sh": "echo '[\"ünï\"]'; pwd >&2"})
    found = host.fetch(host.clone(), run_command("sh get.sh\necho '  '"))
    assert found.content == '["ünï"]\n  \n'


def test_a_command_in_a_folder(host: Host) -> None:
    (host.home / "jobs").mkdir()
    text = in_folder("~/jobs", [run_command('printf %s "$PWD"')], work_dir="~/.hopper")
    assert parse(host.say(text), "w").content == str(host.home / "jobs")
    text = in_folder("~/none", [run_command("true")], work_dir="~/.hopper")
    with pytest.raises(SourceError, match=r"there is no folder .*none"):
        parse(host.say(text), "w")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo oh dear >&2; exit 3", r"the command ended with code 3 \(oh dear\)"),
        ("echo out; kill -9 $$", "the command ended with code 137"),
        ("if", "the command ended with code"),
        ("yes", "the command printed more than 1000 bytes"),
        ("echo hopper:error no; exit 1", "the command ended with code 1"),
    ],
)
def test_a_command_that_fails(host: Host, command: str, said: str) -> None:
    text = in_folder("~", [run_command(command, limit=1000)], work_dir="~/.hopper")
    with pytest.raises(SourceError, match=said):
        parse(host.say(text), "workflow w")


def test_nothing_that_a_command_prints_is_taken_for_ours(host: Host) -> None:
    text = in_folder("~", [run_command("echo hopper:error no; echo hopper:content")], work_dir="~")
    assert parse(host.say(text), "w").content == "hopper:error no\nhopper:content\n"


def test_the_key_is_private_and_gone_afterwards(host: Host) -> None:
    host.commit(a="1")
    host.upload()
    look = 'stat -c "%a %n" "$HOPPER_DEPLOY_KEY"; cat "$HOPPER_DEPLOY_KEY"'
    git = host.clone(deploy_key="/home/of/the/key")
    found = host.fetch(git, run_command(f'{look}; sh -c "printf %s \\"$GIT_SSH_COMMAND\\""'))
    mode, _, rest = found.content.partition(" ")
    assert mode == "600"
    key_path, begin, options = rest.partition(f"\n{KEY}")
    assert begin
    assert Path(key_path).parent.parent == host.home / ".hopper/private"
    assert "StrictHostKeyChecking" not in options
    assert not Path(key_path).exists()
    assert not (host.uploads / KEY_NAME).exists()
    assert host.leftovers() == []


def test_git_hands_the_key_to_ssh_whatever_the_path_holds(host: Host) -> None:
    bin_folder = host.home / "bin"
    bin_folder.mkdir()
    ssh = bin_folder / "ssh"
    ssh.write_text('#!/bin/sh\nprintf "<%s>" "$@" > "$HOME/said"\ncat "$2" >> "$HOME/said"\nexit 1')
    ssh.chmod(0o755)
    host.environment["PATH"] = f"{bin_folder}:{host.environment['PATH']}"
    host.upload()
    with pytest.raises(SourceError, match=r"git cannot reach git@host:x\.git"):
        host.fetch(host.clone(repo="git@host:x.git", deploy_key="/k"))
    said = (host.home / "said").read_text()
    assert said.startswith(f"<-i><{host.home}/.hopper/private/")
    assert "<-o><IdentitiesOnly=yes>" in said
    assert said.endswith(KEY)


def test_without_a_key_nobody_is_asked(host: Host) -> None:
    bin_folder = host.home / "bin"
    bin_folder.mkdir()
    ssh = bin_folder / "ssh"
    ssh.write_text('#!/bin/sh\necho "Host key verification failed." >&2\nexit 255')
    ssh.chmod(0o755)
    host.environment["PATH"] = f"{bin_folder}:{host.environment['PATH']}"
    with pytest.raises(SourceError, match="to accept its key"):
        host.fetch(host.clone(repo="git@host:x.git"))


def test_a_shell_that_is_ended_leaves_no_key(host: Host) -> None:
    host.commit(a="1")
    host.upload()
    git = host.clone(deploy_key="/k", postclone='touch "$HOME/begun"; exec sleep 60')
    text = in_clone(git, [], clone_dir="~/clones", work_dir="~/.hopper")
    with subprocess.Popen(
        [*host.shell, "-c", text],
        env=host.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as shell:
        wait_for(host.home / "begun")
        assert len(host.leftovers()) == 1
        shell.send_signal(signal.SIGTERM)
        assert shell.wait(timeout=30) == 143
    assert host.leftovers() == []


def test_what_a_killed_shell_left_is_swept_by_the_next(host: Host) -> None:
    host.commit(a="1")
    host.upload()
    git = host.clone(
        deploy_key="/k", postclone='[ -e "$HOME/begun" ] || { touch "$HOME/begun"; exec sleep 60; }'
    )
    text = in_clone(git, [], clone_dir="~/clones", work_dir="~/.hopper")
    with subprocess.Popen(
        [*host.shell, "-c", text],
        env=host.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as shell:
        wait_for(host.home / "begun")
        os.killpg(shell.pid, signal.SIGKILL)
    assert len(host.leftovers()) == 1
    host.upload()
    host.fetch(git)
    assert host.leftovers() == []


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (Said(code=124, stdout="hopper:head x\n", stderr=""), "it took too long.*timeout"),
        (Said(code=127, stdout="", stderr="sh: not found"), "code 127 .sh: not found"),
        (Said(code=0, stdout="", stderr=""), "the shell there ended with code 0"),
        (
            Said(code=0, stdout="hopper:size 9\nhopper:content\nabc", stderr=""),
            "did not come whole",
        ),
        (Said(code=0, stdout="hopper:head ../x\nhopper:done yes\n", stderr=""), "is no commit"),
        (Said(code=1, stdout="hopper:error a\n", stderr="x\x1b[1m\ny"), "w: a .x .1m / y"),
    ],
)
def test_half_an_answer_concludes_nothing(said: Said, text: str) -> None:
    with pytest.raises(SourceError, match=text):
        parse(said, "w")


def test_a_banner_before_is_no_matter() -> None:
    said = Said(code=0, stdout="Welcome\nhopper:size 1\nhopper:content\nx", stderr="")
    assert parse(said, "w").content == "x"


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("~", '"$HOME"'),
        ("~/a b", "\"$HOME\"/'a b'"),
        ("~bob/x", "~bob/x"),
        ("~$(x)/y", "'~$(x)/y'"),
        ("/a'b", "'/a'\"'\"'b'"),
    ],
)
def test_a_tilde_expands_and_nothing_else(path: str, word: str) -> None:
    assert path_word(path) == word


def test_a_found_file_too_many_is_said() -> None:
    files = "".join(f"hopper:file ./{n}.json\n" for n in range(MOST_FILES + 1))
    found = parse(Said(code=0, stdout=f"{files}hopper:done yes\n", stderr=""), "w")
    assert found.more
    assert len(found.files) == MOST_FILES


def test_what_is_wrong_with_a_key_is_hinted_at() -> None:
    said = Said(code=1, stdout="hopper:error git cannot reach x\n", stderr="Permission denied")
    with pytest.raises(SourceError, match="see that the deploy key"):
        parse(said, "w")


def test_a_repository_in_the_home(host: Host) -> None:
    sha = host.commit(a="1")
    host.repo.rename(host.home / "r.git")
    git = host.clone(repo="~/r.git", clone_dir="~/elsewhere")
    assert host.fetch(git).sha == sha
    assert (host.home / "elsewhere" / sha / "a").exists()


def test_two_that_clone_at_once_end_with_one_whole_clone(host: Host) -> None:
    sha = host.commit(**{f"f{n}": "x" for n in range(50)})
    git = host.clone()
    text = in_clone(git, [], clone_dir="~/clones", work_dir="~/.hopper")
    shells = [
        subprocess.Popen(
            [*host.shell, "-c", text],
            env=host.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for shell in shells:
        out, err = shell.communicate(timeout=60)
        assert parse(Said(code=shell.returncode, stdout=out, stderr=err), "w").sha == sha
    assert [path.name for path in (host.home / "clones").iterdir()] == [sha]
    assert len([*(host.home / "clones" / sha).iterdir()]) == 51
    assert host.leftovers() == []
