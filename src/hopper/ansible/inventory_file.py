"""Edits the user's own YAML inventory; comments, order and quotes stay."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode

from hopper.errors import ConfigError, HopperError, UsageError

GROUP = "hopper_workers"


def add_worker(path: Path, name: str, variables: Mapping[str, Any], *, group: str = GROUP) -> None:
    """Add a host with these variables to the group, which is made where it is missing.

    The file is made where there is none. Raises UsageError for a host that is there already and
    for an inventory that is no YAML file; ConfigError for one that cannot be understood.
    """
    line = f"{name}: {{{', '.join(f'{key}: {value}' for key, value in variables.items())}}}"

    def edit(document: CommentedMap) -> None:
        if _places(document, name):
            raise UsageError(
                f"host {name} is in {path} already",
                way_out=f"edit it there, or 'hopper workers remove {name}' first",
            )
        hosts = _inside(_group(document, group), "hosts")
        hosts[name] = CommentedMap(variables) if variables else None

    _edit(path, edit, f"write '{line}' under {group}: hosts:", create=True)


def remove_worker(path: Path, name: str) -> None:
    """Remove a host from every group of the inventory. UsageError where there is none."""

    def edit(document: CommentedMap) -> None:
        places = _places(document, name)
        if not places:
            raise _no_host(path, name)
        for hosts in places:
            del hosts[name]
        _empty_to_nothing(document)

    by_hand = f"take the line of {name} out"
    try:
        text = without_host(_read(path, by_hand, create=False), name)
    except YAMLError:
        text = None  # the other way says what is wrong with it
    if text is None:
        _edit(path, edit, by_hand)
    else:
        _write(path, text)


def set_var(path: Path, host: str, key: str, value: Any) -> None:
    """Give a host variable a value; None removes it. UsageError where there is no such host.

    A variable that the file has already is changed where it stands.
    """

    def edit(document: CommentedMap) -> None:
        places = _places(document, host)
        if not places:
            raise _no_host(path, host)
        holding = [hosts for hosts in places if key in (hosts[host] or {})]
        if value is None:
            for hosts in holding:
                del hosts[host][key]
            return
        for hosts in holding or places[:1]:
            _inside(hosts, host)[key] = value

    _edit(path, edit, f"write '{key}: {value}' as a variable of {host}")


def _no_host(path: Path, name: str) -> UsageError:
    return UsageError(
        f"no host {name} in {path}",
        way_out="a range or a pattern of hosts has to be edited by hand; "
        "see 'hopper workers list' for the names",
    )


# --- the text


def without_host(text: str, name: str) -> str | None:
    """Return an inventory's text without the lines of a host, all other lines as they were.

    None where that is not possible: the host is not there, or not in lines of its own.
    """
    yaml = YAML(typ="safe", pure=True)
    root = yaml.compose(text)
    lines = text.splitlines(keepends=True)
    keys = list(_host_keys(root, name))
    for key, value in sorted(keys, key=lambda pair: -int(pair[0].start_mark.line)):
        # A block ends where the next thing begins, a {} where it is closed.
        last = value.end_mark.line + bool(getattr(value, "flow_style", False))
        first, end = key.start_mark.line, max(last, key.start_mark.line + 1)
        while end > first + 1 and lines[end - 1].strip()[:1] in {"", "#"}:
            end -= 1
        del lines[first:end]
    shorter = "".join(lines)
    try:
        return shorter if keys and _same_but(text, shorter, name) else None
    except YAMLError:
        return None


def _host_keys(node: Any, name: str) -> Iterator[tuple[Any, Any]]:
    """Yield the key and value nodes of a host in all groups below a mapping of groups."""
    for group in _mapping(node).values():
        parts = _mapping(group)
        hosts = parts.get("hosts")
        pairs = hosts.value if isinstance(hosts, MappingNode) else []
        yield from ((key, value) for key, value in pairs if key.value == name)
        yield from _host_keys(parts.get("children"), name)


def _mapping(node: Any) -> dict[Any, Any]:
    if not isinstance(node, MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key.value, str)}


def _same_but(text: str, shorter: str, name: str) -> bool:
    """Tell whether two inventories say the same, but for the host of that name."""
    before, after = (YAML().load(content) for content in (text, shorter))
    for hosts in _places(before, name):
        del hosts[name]
    for document in (before, after):
        _empty_to_nothing(document)
    return bool(before == after)


def _empty_to_nothing(groups: Any) -> None:
    """Leave nothing, and no braces, where the last host has gone."""
    for group in groups.values() if isinstance(groups, dict) else ():
        if isinstance(group, dict):
            if "hosts" in group and not group["hosts"]:
                group["hosts"] = None
            _empty_to_nothing(group.get("children"))


# --- the document


def _group(document: CommentedMap, name: str) -> CommentedMap:
    """Return the group of that name, wherever it stands, else a new one at the top."""
    found = _find_group(document, name)
    if found is None:
        document[name] = found = CommentedMap()
    return found


def _find_group(groups: Mapping[str, Any], name: str) -> CommentedMap | None:
    if name in groups:
        return _inside(groups, name)
    for group in groups.values():
        children = group.get("children") if isinstance(group, dict) else None
        if isinstance(children, dict):
            found = _find_group(children, name)
            if found is not None:
                return found
    return None


def _inside(mapping: Mapping[str, Any], key: str) -> CommentedMap:
    """Return the mapping below a key, made where the key is missing or empty."""
    value = mapping.get(key)
    if value is None:
        value = CommentedMap()
        mapping[key] = value  # type: ignore[index]
    if not isinstance(value, CommentedMap):
        raise ConfigError(f"{key}: in the inventory holds no mapping but {value!r:.60}")
    return value


def _places(groups: Mapping[str, Any], host: str) -> list[CommentedMap]:
    """Return every ``hosts`` mapping that names the host, the fullest entry first."""
    found = []
    for group in groups.values():
        if not isinstance(group, dict):
            continue
        hosts = group.get("hosts")
        if isinstance(hosts, CommentedMap) and host in hosts:
            found.append(hosts)
        children = group.get("children")
        if isinstance(children, dict):
            found += _places(children, host)
    return sorted(found, key=lambda hosts: -len(hosts[host] or ()))


# --- the file


def _edit(
    path: Path, edit: Callable[[CommentedMap], None], by_hand: str, *, create: bool = False
) -> None:
    text = _read(path, by_hand, create=create)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    _match_indent(yaml, text)
    try:
        # ruamel.yaml's round-trip loader: it makes plain values only, never objects of a tag.
        document = yaml.load(text)
    except YAMLError as error:
        where = " ".join(str(error).split())[:300]
        raise ConfigError(f"{path} is no YAML: {where}", way_out="mend it first") from error
    if document is None:
        document = CommentedMap()
        if comments := _bare_comments(text):
            # A file of comments alone; they stay in front.
            document.yaml_set_start_comment(comments)
    if not isinstance(document, CommentedMap) or "plugin" in document:
        raise _not_editable(path, "is no list of groups and hosts", by_hand)
    edit(document)
    out = io.StringIO()
    yaml.dump(document, out)
    _write(path, out.getvalue())


def _bare_comments(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)


def _match_indent(yaml: YAML, text: str) -> None:
    yaml.explicit_start = text.startswith("---") or "\n---\n" in text
    for line in text.splitlines():
        width = len(line) - len(line.lstrip(" "))
        if width and not line.lstrip().startswith(("#", "-")):
            yaml.indent(mapping=width, sequence=width + 2, offset=width)
            return


def _read(path: Path, by_hand: str, *, create: bool) -> str:
    if path.is_dir():
        raise _not_editable(path, "is a folder", by_hand)
    if not path.exists():
        if create and path.suffix in {".yml", ".yaml"}:
            return ""
        raise UsageError(f"the inventory {path} is not there", way_out="'hopper init' makes one")
    if os.access(path, os.X_OK) and path.read_bytes()[:2] == b"#!":
        raise _not_editable(path, "is a script", by_hand)
    if path.suffix not in {".yml", ".yaml"}:
        raise _not_editable(path, "is no YAML file (.yml, .yaml)", by_hand)
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _not_editable(path: Path, why: str, by_hand: str) -> UsageError:
    return UsageError(f"{path} {why} and is not edited by hopper", way_out=f"by hand: {by_hand}")


def _write(path: Path, text: str) -> None:
    """Write beside, sync and rename; a link stays one, the mode stays."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise HopperError(f"cannot write {path}: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
