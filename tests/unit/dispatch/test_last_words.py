"""What is made of the words that batch systems leave in files of their own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.dispatch.last_words import LONGEST, last_words
from tests.unit.backends.captured import numbered


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (("lsf", "216-wl-out"), "Exited with exit code 140.; User defined signal 2"),
        (("lsf", "70-outfile-fail"), "Exited with exit code 3."),
        (("lsf", "69-outfile"), "Successfully completed.; hi"),
        (
            ("pbs", "96-job-output-walltime"),
            "=>> PBS: job killed: walltime 7 exceeded limit 5; Terminated",
        ),
    ],
)
def test_of_real_systems(sample: tuple[str, str], words: str) -> None:
    assert last_words(numbered(*sample)[1].stdout) == words


def test_the_reason_stands_in_lsfs_report() -> None:
    how = (
        "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit.\nExited with exit code 9."
    )
    text = numbered("lsf", "70-outfile-fail")[1].stdout.replace("Exited with exit code 3.", how)
    assert last_words(text).startswith("TERM_MEMLIMIT: job killed after reaching")


@given(st.text())
def test_one_printable_line(text: str) -> None:
    words = last_words(text)
    assert words.isprintable()
    assert len(words) <= LONGEST
