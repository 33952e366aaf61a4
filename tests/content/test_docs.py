"""What holds for the documentation: links lead somewhere, commands are those of the code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

from hopper.cli.main import hopper
from hopper.cli.reference import examples_of, leaves, reference
from hopper.model.event import EventKind
from hopper.model.states import JobState
from hopper.web.api.reference import reference as api_reference

ROOT = Path(__file__).parents[2]
OURS = ("docs", "examples", "roles", "changelogs", "tests")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(path for folder in OURS for path in (ROOT / folder).rglob("*.md"))]
)
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")
MISSING = "is missing"
COMMAND = re.compile(r"(?:^\s*|[(;|&]\s*|\bdo\s+)hopper(?= |$)")
ENDS = {"|", "||", "&&", "&", ";", ">", ">>", "<", "(", ")"}


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# --- links


def prose(text: str) -> str:
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(page: Path) -> list[str]:
    found = []
    for link in LINK.findall(prose(page.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        other = (page.parent / target) if target else page
        known = other.exists() and other.resolve().is_relative_to(ROOT)
        if not known or (anchor and anchor not in anchors(other.read_text(encoding="utf-8"))):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.content.test_docs.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# One head\n[a](gone.md) [b](#one-head) [c](#another) [d](page.md)\n")
    assert broken_links(page) == ["gone.md", "#another"]


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {
        (index.parent / link.partition("#")[0]).resolve()
        for link in LINK.findall(index.read_text(encoding="utf-8"))
    }
    pages = {path for path in PAGES if path.is_relative_to(ROOT / "docs")} - {index}
    assert sorted(name(page) for page in pages - linked) == []


# --- commands


def shell_lines(text: str) -> Iterator[str]:
    """Yield the lines that a person would type."""
    for _, language, body in FENCE.findall(text):
        if language == "sh":
            yield from body.replace("\\\n", " ").splitlines()
        elif language == "console":
            yield from (line[2:] for line in body.splitlines() if line.startswith("$ "))


def hopper_calls(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the arguments of each call of hopper in these lines."""
    for line in lines:
        for start in COMMAND.finditer(line):
            lexer = shlex.shlex(line[start.end() :], posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = []
            try:
                for word in lexer:
                    if word in ENDS or set(word) <= {")", '"'}:
                        break
                    words.append(word)
            except ValueError:
                pass  # the quote of a $(…) around it
            yield words


def wrong_calls(text: str) -> list[str]:
    """Return the calls of hopper in a page that it would not take, each with the reason."""
    typed = hopper_calls(shell_lines(text))
    found = [(words, complaint(words)) for words in typed]
    for words in hopper_calls(SPAN.findall(prose(text))):
        why = complaint(words)
        # A command may be named without what it needs.
        found.append((words, "" if why.endswith(MISSING) else why))
    return [f"hopper {' '.join(words)}: {why}" for words, why in found if why]


def complaint(words: list[str]) -> str:
    """Return why the command line does not take these words; empty when it does."""
    command: click.Command = hopper
    context = click.Context(hopper, info_name="hopper")
    try:
        while True:
            options, rest, _ = command.make_parser(context).parse_args(list(words))
            if not isinstance(command, click.Group):
                return wrong_values(command, context, options, rest)
            if not rest:
                return ""
            found = command.get_command(context, rest[0])
            if found is None:
                return f"no command {rest[0]}"
            command, words = found, rest[1:]
            context = click.Context(command, info_name=found.name, parent=context)
    except click.UsageError as error:
        return error.format_message()


def wrong_values(
    command: click.Command, context: click.Context, options: dict[str, object], rest: list[str]
) -> str:
    if rest:
        return f"{rest} is too much"
    for parameter in command.params:
        value = options.get(parameter.name or "")
        given = isinstance(value, str | tuple | list) and bool(value)
        if parameter.required and not given:
            return f"{parameter.human_readable_name} {MISSING}"
        if given and isinstance(parameter.type, click.Choice | click.IntRange):
            parameter.type_cast_value(context, value)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_taken_as_they_are_written(page: Path) -> None:
    assert wrong_calls(page.read_text(encoding="utf-8")) == []


def test_the_pages_hold_commands() -> None:
    lines = [line for page in PAGES for line in shell_lines(page.read_text(encoding="utf-8"))]
    assert len(list(hopper_calls(lines))) > 100


@pytest.mark.parametrize(
    "line",
    [
        "hopper dance",
        "hopper workers dance",
        "hopper submit --nane x job.zip",
        "hopper show",
        "hopper workers add gpu1 --slots many",
        "cd x && hopper jobs --state gone",
    ],
)
def test_a_wrong_command_is_seen(line: str) -> None:
    assert wrong_calls(f"```sh\n{line}\n```\n")


@pytest.mark.parametrize(
    "line",
    [
        "hopper",
        "hopper submit --include train.py -- python3 train.py --lr 0.1",
        'unzip -p "$(hopper results hello)" fit.json',
        "hopper events --since 2h --json | jq .kind",
    ],
)
def test_a_right_command_is_taken(line: str) -> None:
    assert len(list(hopper_calls([line]))) == 1
    assert wrong_calls(f"```sh\n{line}\n```\n") == []


# --- pages made from the code, and pages that list what is in it


def test_the_command_reference_is_that_of_the_code() -> None:
    page = ROOT / "docs/reference/cli.md"
    assert page.read_text(encoding="utf-8") == reference(), (
        "run: python -m hopper.cli.reference > docs/reference/cli.md"
    )


@pytest.mark.parametrize(("words", "command"), list(leaves()), ids=str)
def test_every_command_has_examples_that_it_takes(words: str, command: click.Command) -> None:
    lines = examples_of(command)
    assert lines, f"{words} has no examples"
    for line in lines:
        assert wrong_calls(f"```sh\n{line}\n```\n") == []


def first_cells(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_the_page_of_events_lists_each_kind() -> None:
    assert sorted(first_cells("reference/events.md")) == sorted(EventKind)


def test_the_table_of_states_lists_each_state() -> None:
    assert set(JobState) <= set(first_cells("architecture.md"))


def test_the_readme_lists_each_command() -> None:
    listed = re.findall(r"`hopper ([a-z ]+)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    named = {words.split()[0] for words in listed}
    assert set(hopper.list_commands(click.Context(hopper))) <= named


def test_the_reference_of_the_http_api_is_that_of_the_code() -> None:
    page = ROOT / "docs/reference/http-api.md"
    assert page.read_text(encoding="utf-8") == f"{api_reference()}\n", (
        "run: python -m hopper.web.api.reference > docs/reference/http-api.md"
    )
