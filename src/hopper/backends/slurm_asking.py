"""What squeue, sacct and sinfo are asked, as shell text."""

from __future__ import annotations

from collections.abc import Sequence

from hopper.backends import slurm_reading as reading
from hopper.backends.slurm_states import CAUSES
from hopper.backends.words import joined
from hopper.remote.quoting import call

SEPARATE = "s=$(printf '\\037'); SLURM_TIME_FORMAT=%s; export SLURM_TIME_FORMAT"
"""Sets ``$s``, which parts fields, and asks for times as epoch seconds."""
_ENDED = "|".join(sorted(CAUSES))
_IDS_AT_ONCE = 400


def _format(fields: Sequence[str]) -> str:
    return "$s".join(fields)


SQUEUE = f'squeue -h -a -r -o "{_format(reading.QUEUE_FIELDS)}"'
SINFO = f'sinfo -h -a -N -o "{_format(reading.MACHINE_FIELDS)}"'
_SACCT = f'sacct -n -P --delimiter="$s" -o {",".join(reading.ACCOUNTING_FIELDS)}'
PAST = 'sacct -n -X -P --delimiter="$s" -S now-7days -u "$u" -o JobID,Comment,JobName'
_GONE = (
    """awk -F"$s" '$0=="=" {b=1; next} !b {if ($2 !~ /^(%s)/) l[$1]=1; next} !($1 in l)'""" % _ENDED  # noqa: UP031 # braces are awk's
)
# Everything that has the attempt as its comment or at the end of its name.
MATCH = """awk -F"$s" -v a="$a" '$2==a || substr($3, length($3)-length(a))=="." a {print $1}'"""


def marked(name: str, command: str) -> str:
    """Run a command whose answer ends with a line that says how it ended."""
    return joined([SEPARATE, command, f"printf '=hopper-{name} %s\\n' $?"])


def poll_command(ids: Sequence[str]) -> str:
    """Ask the live view; ask the accounting for those that are not alive in it."""
    lines = [
        SEPARATE,
        f'q=$({SQUEUE} -t all -u "$(id -un)"); c=$?',
        "printf '%s\\n=hopper-queue %s\\n' \"$q\" $c",
    ]
    if ids:
        listed = call("printf", ["%s\\n", *ids])
        lines += [
            f"ids() {{ {listed}; }}",
            "if [ $c = 0 ]; then g=$({ printf '%s\\n=\\n' \"$q\"; ids; } | " + _GONE + ")",
            "else g=$(ids); fi",
            'if [ -n "$g" ]; then',
            f"printf '%s\\n' \"$g\" | xargs -n {_IDS_AT_ONCE} | {{ c=0; while read -r i; do",
            f'{_SACCT} -j "$(printf %s "$i" | tr " " ,)" || c=$?; done',
            "printf '=hopper-accounting %s\\n' $c; }; fi",
        ]
    return joined(lines)
