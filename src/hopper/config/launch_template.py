"""The launch command's template, made into a shell line that no value can break out of.

Each placeholder becomes an expansion of a shell variable, quoted as its surroundings
need it, so values never enter shell text: they travel in the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from hopper.errors import ConfigError

PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "job_id": "HOPPER_JOB_ID",
        "worker_inbox": "HOPPER_INBOX",
        "worker_outbox": "HOPPER_OUTBOX",
        "zip_name": "HOPPER_ZIP_NAME",
        "extract_dir": "HOPPER_EXTRACT_DIR",
    }
)
"""Each placeholder, and the environment variable that holds its value at the launch."""

DEFAULT_TEMPLATE = (
    "cd {extract_dir} && "
    "bash run_job.sh {job_id} {worker_inbox} {worker_outbox} {zip_name} {extract_dir}"
)

LEGAL = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)

# What encloses a place in the text. A closing bracket or quote leads back to what is around it.
PLAIN = ""
SINGLE = "'"
DOUBLE = '"'
BACKTICK = "`"
COMMENT = "#"
SUBSHELL = "("
SUBSTITUTION = "$("
ARITHMETIC = "$(("
NESTED = "(("
PARAMETER = "${"

_COMMANDS = {PLAIN, SUBSHELL, SUBSTITUTION}
_EXPANSIONS = {
    PLAIN: '"${%s}"',
    SUBSHELL: '"${%s}"',
    SUBSTITUTION: '"${%s}"',
    COMMENT: '"${%s}"',
    DOUBLE: "${%s}",
    SINGLE: "'\"${%s}\"'",
}
_REFUSED = {
    BACKTICK: "stands between backticks; write $(…) instead",
    ARITHMETIC: "stands in $((…)), where a shell would run it; take it out of there",
    NESTED: "stands in $((…)), where a shell would run it; take it out of there",
    PARAMETER: "stands in ${{…}}; give it to a shell variable before",
}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_CASE = re.compile(r"case\s")


def needs_run_job(template: str) -> bool:
    """Tell whether the template runs the zip's ``run_job.sh``, so that a zip must have one."""
    return "run_job.sh" in template


def shell_line(template: str) -> str:
    """Return the shell text (POSIX sh) that a template means, free of any value.

    ``{{`` and ``}}`` are literal braces. Raises ConfigError for an unknown placeholder, a lone
    brace, an unclosed quote or bracket, and for places where no expansion is safe.
    """
    return _Reading(template).finish()


class _Reading:
    """One pass over a template, from left to right."""

    def __init__(self, template: str) -> None:
        self.text = template
        self.at = 0
        self.out: list[str] = []
        self.around = [PLAIN]
        self.opened = [0]

    def finish(self) -> str:
        if "\0" in self.text:
            raise _wrong("it holds a NUL character")
        if not self.text.strip():
            raise _wrong("it is empty")
        while self.at < len(self.text):
            self.step()
        self.leave_comment()
        if len(self.around) > 1:
            opening = self.around[-1]
            shown = opening + "{" if opening == PARAMETER else opening
            raise _wrong(f"the {shown} at character {self.opened[-1] + 1} is never closed")
        return "".join(self.out)

    @property
    def context(self) -> str:
        return self.around[-1]

    def sees(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def copy(self, source: str, shell: str | None = None) -> None:
        self.out.append(source if shell is None else shell)
        self.at += len(source)

    def enter(self, context: str, source: str, shell: str | None = None) -> None:
        self.around.append(context)
        self.opened.append(self.at)
        self.copy(source, shell)

    def leave(self, source: str, shell: str | None = None) -> None:
        self.around.pop()
        self.opened.pop()
        self.copy(source, shell)

    def leave_comment(self) -> None:
        if self.context == COMMENT:
            self.leave("")

    def step(self) -> None:
        if self.brace():
            return
        if self.context == SINGLE:
            self.in_single()
        elif self.context == COMMENT:
            self.in_comment()
        elif self.context == PARAMETER and self.in_double() and self.text[self.at] in "'\"":
            raise _wrong("quotes in ${{…}} between quotes do not mean the same in every sh")
        elif not self.anywhere():
            if self.context == BACKTICK or self.in_double():
                self.copy(self.text[self.at])
            else:
                self.in_command()

    def anywhere(self) -> bool:
        """Read what means the same inside double quotes and outside of all quotes."""
        if self.sees("\\"):
            self.backslash()
        elif self.sees("$"):
            self.dollar()
        elif self.sees("`"):
            self.toggle(BACKTICK)
        elif self.sees('"') and self.context != BACKTICK:
            self.toggle(DOUBLE)
        else:
            return False
        return True

    def brace(self) -> bool:
        """Read a brace of the template, which means the same in every context."""
        if self.sees("{{"):
            self.copy("{{", "{")
        elif self.sees("}}"):
            if self.context == PARAMETER:
                self.leave("}}", "}")
            else:
                self.copy("}}", "}")
        elif self.sees("{"):
            self.placeholder()
        elif self.sees("}"):
            raise _wrong(f"a lone }} at character {self.at + 1}", "write }} for a literal brace")
        else:
            return False
        return True

    def placeholder(self) -> None:
        match = _PLACEHOLDER.match(self.text, self.at)
        if match is None:
            raise _wrong(f"a lone {{ at character {self.at + 1}", "write {{ for a literal brace")
        if match[1] not in PLACEHOLDERS:
            raise _wrong(f"{match[0]} is no placeholder", f"the five are {LEGAL}")
        for enclosing in self.around:
            if enclosing in _REFUSED:
                raise _wrong(f"{match[0]} {_REFUSED[enclosing]}")
        self.copy(match[0], _EXPANSIONS[self.context] % PLACEHOLDERS[match[1]])

    def in_double(self) -> bool:
        """Tell whether a single quote, a bracket and a # mean nothing special here."""
        outer = next((around for around in reversed(self.around) if around != PARAMETER), PLAIN)
        return outer == DOUBLE

    def in_single(self) -> None:
        if self.sees("'"):
            self.leave("'")
        else:
            self.copy(self.text[self.at])

    def in_comment(self) -> None:
        if self.sees("\n"):
            self.leave_comment()
        self.copy(self.text[self.at])

    def toggle(self, quote: str) -> None:
        if self.context == quote:
            self.leave(quote)
        else:
            self.enter(quote, quote)

    def backslash(self) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if not following:
            raise _wrong("it ends in a backslash")
        if self.sees("\\{{") or self.sees("\\}}"):
            self.copy(self.text[self.at : self.at + 3], "\\" + following)
        elif following == "{":
            raise _wrong(
                f"a backslash before the {{ at character {self.at + 2}",
                r"write \{{ for a literal brace, or put the backslash into single quotes",
            )
        else:
            # A lone } is reported by the next step.
            self.copy("\\" if following == "}" else "\\" + following)

    def dollar(self) -> None:
        """Read what a $ begins."""
        if self.sees("${{"):
            self.enter(PARAMETER, "${{", "${")
        elif self.sees("${"):
            self.dollar_brace()
        elif self.sees("$(("):
            self.enter(ARITHMETIC, "$((")
        elif self.sees("$("):
            self.enter(SUBSTITUTION, "$(")
        elif self.sees("$'") and self.context != DOUBLE:
            raise _wrong("$'…' does not mean the same in every sh", "use plain quotes")
        else:
            self.copy("$")

    def dollar_brace(self) -> None:
        match = _PLACEHOLDER.match(self.text, self.at + 1)
        name = match[1] if match else "NAME"
        hint = f"write ${{{{{name}}}}} for a shell variable"
        if name in PLACEHOLDERS:
            hint += f", or {{{name}}} without the $ for the placeholder"
        raise _wrong(f"${{{name}}} at character {self.at + 1}", hint)

    def in_command(self) -> None:
        """Read a character where the shell reads commands, arithmetic or ``${…}``."""
        if self.sees("'") and self.context not in {ARITHMETIC, NESTED}:
            self.enter(SINGLE, "'")
        elif self.sees("(") or self.sees(")"):
            self.bracket()
        elif self.context in _COMMANDS:
            self.word()
        else:
            self.copy(self.text[self.at])

    def bracket(self) -> None:
        if self.context == PARAMETER:
            self.copy(self.text[self.at])
        elif self.context in _COMMANDS and self.sees("(("):
            raise _wrong("((…)) does not mean the same in every sh", "write $((…)) or ( (…) )")
        elif self.sees("("):
            self.enter(SUBSHELL if self.context in _COMMANDS else NESTED, "(")
        elif self.context == ARITHMETIC:
            if not self.sees("))"):
                raise _wrong(f"the ) at character {self.at + 1} closes no $((")
            self.leave("))")
        elif self.context == PLAIN:
            self.copy(")")
        else:
            self.leave(")")

    def word(self) -> None:
        if self.sees("#") and self.begins_word():
            self.enter(COMMENT, "#")
        elif self.sees("<<"):
            raise _wrong("here-documents do not work in it", "put them into run_job.sh")
        elif self.context != PLAIN and _CASE.match(self.text, self.at) and self.begins_word():
            # Its patterns end in a ) that opens nothing.
            raise _wrong("'case' does not work between brackets", "put it into run_job.sh")
        else:
            self.copy(self.text[self.at])

    def begins_word(self) -> bool:
        return self.at == 0 or self.text[self.at - 1] in " \t\n;&|()"


def _wrong(what: str, way_out: str = "") -> ConfigError:
    return ConfigError(f"the command template cannot be used: {what}", way_out=way_out)
