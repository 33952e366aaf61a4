from __future__ import annotations

import pytest

from hopper.workflows.globs import DEEPEST, match, search

FILES = [
    "./.hut/workflows/a.json",
    "./.hut/workflows/sub/b.json",
    "./top.hut.json",
    "./x/y/deep.hut.json",
    "./.git/z.json",
    "./a[1].json",
]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        (".hut/workflows/*.json", [".hut/workflows/a.json"]),
        (".hut/**/*.json", [".hut/workflows/a.json", ".hut/workflows/sub/b.json"]),
        ("**/*.hut.json", ["top.hut.json", "x/y/deep.hut.json"]),
        ("*.json", ["a[1].json", "top.hut.json"]),
        ("./*.json", ["a[1].json", "top.hut.json"]),
        ("x/**", ["x/y/deep.hut.json"]),
        ("x/?/d*", ["x/y/deep.hut.json"]),
        ("**/z.json", []),
        ("nope", []),
    ],
)
def test_which_files_are_meant(glob: str, found: list[str]) -> None:
    assert list(match(glob, FILES)) == found


def test_what_leads_out_or_cannot_be_shown_never_fits() -> None:
    assert match("**", ["../x", "a/../../b", "a\tb", "ok"]) == ("ok",)


@pytest.mark.parametrize(
    ("glob", "where"),
    [
        (".hut/workflows/*.json", (".hut/workflows", 1, "*.json")),
        ("**/*.json", (".", DEEPEST, "*.json")),
        ("a/*/c.json", ("a", 2, "c.json")),
        ("a/b.json", ("a", 1, "b.json")),
        ("b.json", (".", 1, "b.json")),
        ("a/**", ("a", DEEPEST, "*")),
    ],
)
def test_where_to_search(glob: str, where: tuple[str, int, str]) -> None:
    assert search(glob) == where
