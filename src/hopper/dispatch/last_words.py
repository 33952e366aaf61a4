"""What a batch system's own files say last of an attempt whose script left nothing. Pure."""

from __future__ import annotations

import re

LONGEST = 200
_REPORT = re.compile(
    r"^-{20,}\n\n(?P<how>[^\n].*?)\n\nResource usage summary:.*?"
    r"^The output \(if any\) follows:\n(?P<output>.*?)(?:^PS:\n.*)?\Z",
    re.MULTILINE | re.DOTALL,
)
"""The report that LSF writes of each job, as far as it is behind the job's own lines."""


def last_words(text: str) -> str:
    """Return the last two lines with words in them as one; empty for none.

    Of LSF's report of a job, how the job ended counts, and what it printed.
    """
    report = _REPORT.search(text)
    if report is not None:
        text = f"{report['how']}\n{report['output']}"
    lines = [" ".join(line.split()) for line in text.split("\n")]
    said = "; ".join([line for line in lines if line][-2:])
    clean = "".join(c if c.isprintable() else "?" for c in said)
    return clean if len(clean) <= LONGEST else f"…{clean[1 - LONGEST :]}"
