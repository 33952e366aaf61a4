"""What all config models share: frozen, no unknown keys, errors that name the right one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]


class Settings(BaseModel):
    """A group of config keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_group_is_default(cls, data: object) -> object:
        """Take a group that is not there, or all commented out, for one without keys."""
        if not isinstance(data, dict):
            return data
        # Written out, since a default made by the field would not see the context's base.
        filled = dict(data)
        for name, field in cls.model_fields.items():
            if nested_model(field.annotation) is None:
                continue
            if field.annotation is nested_model(field.annotation):
                filled[name] = {} if filled.get(name) is None else filled[name]
            elif name in filled and filled[name] is None:
                del filled[name]
        return filled


def key(default: Any, description: str, *, unit: str = "", **constraints: Any) -> Any:
    """Return a config key's field; ``unit`` says what its value is counted in."""
    if isinstance(constraints.get("ge", constraints.get("le")), int | float):
        # A number must be one: true is no 1.
        constraints["strict"] = True
    return Field(default, description=description, json_schema_extra={"unit": unit}, **constraints)


def group(model: type[Settings], description: str) -> Any:
    """Return the field of a group of keys; an empty group means its defaults."""
    return Field(default_factory=model, description=description)


def dotted(location: Location) -> str:
    """Return a location as people write it: ``workers[0].host``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


SCRIPTHUT_KEYS = frozenset({"clusters", "settings", "task_sources"})
"""Keys at the top of its config that this one does not have."""


def nested_model(annotation: object) -> type[Settings] | None:
    """Return the model in an annotation: the type itself, or what a tuple holds of it."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    for argument in get_args(annotation):
        found = nested_model(argument)
        if found is not None:
            return found
    return None


def all_keys(model: type[Settings], prefix: str = "") -> Iterator[str]:
    """Yield every key below a model, with dots."""
    for name, field in model.model_fields.items():
        yield prefix + name
        nested = nested_model(field.annotation)
        if nested is not None:
            yield from all_keys(nested, f"{prefix}{name}.")


_PLAIN = {
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must hold keys of its own",
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
}
"""What a person is told of the commonest faults."""


def problems(error: ValidationError, model: type[Settings]) -> list[tuple[Location, str]]:
    """Return each thing that is wrong: where, and one line that names the key."""
    return [(detail["loc"], _sentence(detail, model)) for detail in error.errors()]


def _sentence(detail: ErrorDetails, model: type[Settings]) -> str:
    location, kind = detail["loc"], detail["type"]
    name = dotted(location)
    if kind == "extra_forbidden":
        return f"{name} is not a key; {_nearest(location, model)}"
    if kind == "missing":
        return f"{name} is missing"
    if kind == "model_type":
        return f"{name or 'the file'} must hold keys of its own, not {detail['input']!r:.40}"
    text = fault(detail)
    return f"{name}{text}" if name else text.lstrip(": ")


def fault(detail: ErrorDetails) -> str:
    """Return what is wrong with a value, to stand right behind its name."""
    kind = detail["type"]
    if kind in _PLAIN:
        return f" {_PLAIN[kind]}" + (f", not {detail['input']!r:.60}" if detail["input"] else "")
    text = str(detail.get("ctx", {}).get("error", detail["msg"]))
    text = text[:1].lower() + text[1:] if text.startswith("Input ") else text
    shown = "" if kind == "value_error" else f" (it is {detail['input']!r:.60})"
    return f": {text}{shown}"


def _nearest(location: Location, model: type[Settings]) -> str:
    wrong = str(location[-1])
    here: type[Settings] | None = model
    for part in location[:-1]:
        if isinstance(part, str) and here is not None and part in here.model_fields:
            here = nested_model(here.model_fields[part].annotation)
    names = list(here.model_fields) if here is not None else []
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {dotted((*location[:-1], close[0]))}?"
    elsewhere = [k for k in all_keys(model) if k.rpartition(".")[2] == wrong]
    if elsewhere:
        return f"did you mean {elsewhere[0]}?"
    if location == (wrong,) and wrong in SCRIPTHUT_KEYS:
        return "'hopper import FILE' converts a config of ScriptHut"
    return f"the keys here are {', '.join(names)}"
