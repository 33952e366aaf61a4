"""Shell text that gets at workflows on a backend, and what its answer means.

The text is POSIX sh and runs without input. It prints lines ``hopper:KEY VALUE``, then perhaps
``hopper:content`` and the bytes of a file as they are; errors of git and of commands go to
standard error. Nothing secret is in it: a deploy key is uploaded beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hopper.config.workflows import GitClone
from hopper.errors import HopperError
from hopper.model.batch import Said
from hopper.remote.quoting import assignment, call, quote
from hopper.workflows.documents import LARGEST
from hopper.workflows.globs import search

KEY_NAME = "deploy_key"
"""The name that a deploy key is uploaded under."""
MOST_FILES = 1000
"""Workflow files of one source."""

_USER = re.compile(r"~[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_SHA = re.compile(r"[0-9a-f]{40,64}\Z")
_TIMED_OUT = (124, 137, 143)
_CONTENT = "hopper:content"
_LINE = re.compile(r"hopper:([a-z]+) (.*)\Z")


class SourceError(HopperError):
    """A workflow, or the repository or folder of a source, that cannot be got at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What came of it."""

    sha: str = ""
    """The commit, where there is a repository."""
    cloned: bool = False
    """True when the clone was made now."""
    files: tuple[str, ...] = ()
    """What was found below the folder and may be what the glob means."""
    more: bool = False
    """True when there were more files than are told."""
    content: str = ""
    """The file, or what the command printed."""


def path_word(path: str) -> str:
    """Return a path as shell text whose leading ``~`` or ``~user`` still expands."""
    head, slash, rest = path.partition("/")
    if head == "~":
        return f'"$HOME"{slash}{quote(rest) if rest else ""}'
    if _USER.match(head):
        return f"{head}{slash}{quote(rest) if rest else ''}"
    return quote(path)


def list_files(glob: str) -> str:
    """Return the step that names the files a glob may mean; ``globs.match`` then chooses."""
    start, depth, name = search(glob)
    return call("list", [start, depth, MOST_FILES + 1, name])


def read_file(name: str, *, limit: int = LARGEST) -> str:
    """Return the step that gives a file of the folder, of at most ``limit`` bytes."""
    return call("content", [f"./{name}", limit])


def run_command(command: str, *, login_shell: bool = False, limit: int = LARGEST) -> str:
    """Return the step that runs a command in the folder and gives what it prints."""
    return call("produce", [command, limit, int(login_shell)])


def in_folder(folder: str, steps: Sequence[str], *, work_dir: str) -> str:
    """Return shell text that does the steps in a folder of the backend."""
    return _text(work_dir, [f"folder={path_word(folder)}", "enter", *steps])


def in_clone(
    git: GitClone, steps: Sequence[str], *, clone_dir: str, work_dir: str, sha: str = ""
) -> str:
    """Return shell text that does the steps in a clone at a commit, made when there is none.

    Args:
        git: the repository. With a deploy key, its file must be uploaded as ``KEY_NAME`` into
            the folder that ``$hopper_uploads`` names; it is moved into a private folder, and
            removed when the shell ends, whatever ends it.
        steps: what to do there.
        clone_dir: the folder of the clones, where ``git`` names none.
        work_dir: hopper's folder on the backend.
        sha: the commit; if not given, the branch's newest.
    """
    repo = path_word(git.repo) if git.repo.startswith("~") else quote(git.repo)
    branch, clones = quote(git.branch), path_word(git.clone_dir or clone_dir)
    lines = ["use_git", call("lend", [KEY_NAME]) if git.deploy_key is not None else "own_login"]
    lines.append(assignment("sha", sha) if sha else f"resolve {repo} {branch}")
    lines += ['tell head "$sha"', f"check_out {repo} {branch} {clones}"]
    if git.postclone.strip():
        lines.append(call("after_clone", [git.postclone]))
    return _text(work_dir, [*lines, "enter", *steps])


def newest_commit(git: GitClone, *, work_dir: str) -> str:
    """Return shell text that only asks for the branch's newest commit."""
    repo = path_word(git.repo) if git.repo.startswith("~") else quote(git.repo)
    login = call("lend", [KEY_NAME]) if git.deploy_key is not None else "own_login"
    resolve = f"resolve {repo} {quote(git.branch)}"
    return _text(work_dir, ["use_git", login, resolve, 'tell head "$sha"'])


def parse(said: Said, what: str) -> Fetched:
    """Return what the answer to one of these texts means.

    ``what`` is what was asked for, for errors. Raises SourceError when it is not all there,
    with the words of git or of the command.
    """
    head, found, content = said.stdout.partition(f"{_CONTENT}\n")
    lines = [match for line in head.splitlines() if (match := _LINE.match(line))]
    values = {match[1]: match[2] for match in lines}
    if "error" in values:
        raise SourceError(f"{what}: {values['error']}{_words(said)}", way_out=_way_out(said))
    if said.code in _TIMED_OUT:
        raise SourceError(
            f"{what}: it took too long and was ended{_words(said)}",
            way_out="a workflow's 'timeout' in the config says how long its command may take",
        )
    if said.code != 0 or not (found or "done" in values):
        raise SourceError(f"{what}: the shell there ended with code {said.code}{_words(said)}")
    if found:
        _check_size(content, values.get("size", ""), what)
    sha = values.get("head", "")
    if sha and not _SHA.match(sha):
        raise SourceError(f"{what}: {sha!r:.80} is no commit")
    names = tuple(match[2] for match in lines if match[1] == "file")
    return Fetched(
        sha=sha,
        cloned=values.get("clone") == "made",
        files=names[:MOST_FILES],
        more=len(names) > MOST_FILES,
        content=content,
    )


def _check_size(content: str, size: str, what: str) -> None:
    if size == str(len(content.encode("utf-8", "surrogateescape"))):
        return
    if "\ufffd" in content:
        raise SourceError(f"{what}: what came is not UTF-8", way_out="let it write UTF-8")
    raise SourceError(f"{what}: the answer did not come whole", way_out="try again")


def _words(said: Said) -> str:
    """Return the last that git or the command said on standard error, in one line."""
    lines = [line.strip() for line in said.stderr.splitlines() if line.strip()]
    text = " ".join("".join(c if c.isprintable() else " " for c in " / ".join(lines[-6:])).split())
    return f" ({text[-400:]})" if text else ""


def _way_out(said: Said) -> str:
    if "Host key verification failed" in said.stderr:
        return "log in to the backend and connect to the git host once, to accept its key"
    if "Permission denied" in said.stderr:
        return "see that the deploy key is the repository's"
    return ""


def clone_folder(git: GitClone, clone_dir: str, sha: str) -> str:
    """Return where the clone of a commit is; a leading ``~`` is left to the backend."""
    return f"{(git.clone_dir or clone_dir).rstrip('/')}/{sha}"


def _text(work_dir: str, lines: Sequence[str]) -> str:
    first = f"work={path_word(work_dir)}"
    lines = [first, _library() + "begin", "use_bash", *lines]
    return "\n".join([*lines, '[ -n "$gave" ] || tell done yes', ""])


@cache
def _library() -> str:
    text = files("hopper.workflows").joinpath("scripts", "source.sh").read_text("utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))
