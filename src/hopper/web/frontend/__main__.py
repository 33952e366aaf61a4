"""``python -m hopper.web.frontend [PINS TARGET]``: take the pinned files of npm packages.

Without arguments those of hopper's own pages. Exit code 1, with the reason on stderr, when they
cannot be had.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hopper.web.frontend.files import PINS, STATIC, VENDOR
from hopper.web.frontend.vendoring import NotTaken, take


def main(arguments: Sequence[str]) -> int:
    """Take the files and say so; gives the exit code."""
    if len(arguments) not in {0, 2}:
        sys.stderr.write("usage: python -m hopper.web.frontend [PINS TARGET]\n")
        return 2
    pins, target = map(Path, arguments) if arguments else (PINS, STATIC / VENDOR)
    try:
        done = take(pins, target)
    except NotTaken as error:
        sys.stderr.write(f"front-end files are missing: {error}\n")
        return 1
    if done:
        sys.stdout.write(f"front-end files are in {target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
