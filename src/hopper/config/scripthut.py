"""Taking over a ``scripthut.yaml``, of its first generation or of the later one.

The first had ``clusters`` and ``task_sources``, the later one ``backends`` and ``workflows``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hopper.config.jobhopper import Converted
from hopper.config.load import (
    InvalidConfig,
    keep_variables_as_written,
    read_bytes,
    validated,
)
from hopper.config.yaml_text import parse_mapping

_ITS_KEYS = {"clusters", "backends", "task_sources", "workflows", "sources", "settings"}
_HOPPERS_KEYS = {"paths", "workers", "poll", "dispatch", "inventory"}
_KINDS = {"slurm", "pbs", "local"}
_BACKEND = ("name", "type", "ssh", "account", "login_shell", "max_concurrent", "clone_dir", "queue")
_SSH = ("host", "port", "user", "key_path", "cert_path", "known_hosts")
_GIT = ("repo", "branch", "deploy_key", "clone_dir", "postclone")
_WORKFLOW = ("name", "backend", "command", "max_concurrent", "description", "git")
_SOURCE = (
    "name", "type", "backend", "workflows_glob", "max_concurrent", "description",
    "url", "branch", "deploy_key", "clone_dir", "postclone", "path",
)  # fmt: skip
_ENVIRONMENT = ("name", "variables", "extra_init")
_PRICING = ("region", "price_type", "partitions")
_SETTINGS = {
    "poll_interval": ("poll", "interval_seconds"),
    "retention_days": ("retention", "days"),
    "server_host": ("web", "host"),
    "server_port": ("web", "port"),
}
_HOMELESS = {
    "data_dir": "hopper keeps its files where paths.* say",
    "sources_cache_dir": "clones are on the backends, in their clone_dir",
}

Item = dict[str, Any]


def is_scripthut(raw: Mapping[object, object]) -> bool:
    """Return whether a config is a scripthut's by its keys."""
    return bool(raw.keys() & _ITS_KEYS) and not raw.keys() & _HOPPERS_KEYS


def convert(config_file: Path) -> Converted:
    """Return what a ``scripthut.yaml`` comes to. Changes no file.

    ConfigError when something in it cannot be. What has no place in hopper is a warning, and a
    comment in the new config.
    """
    raw, tree = parse_mapping(read_bytes(config_file), str(config_file))
    keep_variables_as_written(raw, tree)
    body, left = _Conversion(raw).result()
    values: dict[object, object] = dict(body.items())
    try:
        validated(values, config_file)
    except InvalidConfig as error:
        raise InvalidConfig(
            error.problems, way_out="mend it there, then import it again"
        ) from error
    return Converted(
        yaml_text=_text(body, left, config_file.name),
        inventory_yaml_text="",
        open_jobs=(),
        warnings=tuple(f"{config_file}: {line}" for line in left),
    )


def _text(body: Mapping[str, object], left: list[str], name: str) -> str:
    comments = "".join(f"# {line}\n" for line in left)
    text = yaml.safe_dump(dict(body), sort_keys=False, allow_unicode=True, width=1000)
    return (
        "---\n"
        f"# Made from {name} by 'hopper import'. All keys: docs/reference/config.md,\n"
        "# or 'hopper config show' for those in force.\n" + comments + text
    )


class _Conversion:
    """The new config, and what was left out of it."""

    def __init__(self, raw: Mapping[object, object]) -> None:
        self.left: list[str] = []
        self.raw = {str(key): value for key, value in raw.items() if value is not None}

    def result(self) -> tuple[dict[str, object], list[str]]:
        """Return the new config and a line for each thing that has no place in it."""
        backends = [self._backend(item) for item in self._items("backends", "clusters")]
        kept = [backend for backend in backends if backend is not None]
        names = [str(backend.get("name")) for backend in kept]
        workflows = [self._workflow(item) for item in self._items("workflows", "task_sources")]
        sources = [self._source(item, names) for item in self._items("sources")]
        body: dict[str, object] = dict(self._settings())
        body["backends"] = kept
        body["environments"] = [
            self._only(item, _ENVIRONMENT, f"environment {item.get('name')}")
            for item in self._items("environments")
        ]
        body["workflows"] = self._placed(workflows, names, "workflow")
        body["sources"] = self._placed(sources, names, "source")
        pricing = self.raw.get("pricing")
        if isinstance(pricing, dict):
            body["pricing"] = self._only(pricing, _PRICING, "pricing")
        known = _ITS_KEYS | {"environments", "pricing"}
        self.left += [f"{name} was left out" for name in self.raw if name not in known]
        return {name: value for name, value in body.items() if value}, self.left

    def _items(self, *names: str) -> list[Item]:
        found: list[Item] = []
        for name in names:
            value = self.raw.get(name, [])
            items = value if isinstance(value, list) else [value]
            found += [dict(item) for item in items if isinstance(item, dict)]
            odd = sum(not isinstance(item, dict) for item in items)
            if odd:
                self.left.append(f"{name}: {odd} of its items hold no keys and were left out")
        return found

    def _only(self, item: Mapping[str, Any], keys: tuple[str, ...], what: str) -> Item:
        self.left += [f"{what}: {key} was left out" for key in item if key not in keys]
        return {key: item[key] for key in keys if item.get(key) is not None}

    def _backend(self, item: Item) -> Item | None:
        what = f"backend {item.get('name')}"
        kind = item.setdefault("type", "slurm")
        if kind not in _KINDS:
            self.left.append(f"{what} is of type {kind} and was left out")
            return None
        kept = self._only(item, _BACKEND, what)
        if isinstance(kept.get("ssh"), dict):
            kept["ssh"] = self._only(kept["ssh"], _SSH, f"{what}: ssh")
            if "known_hosts" not in kept["ssh"]:
                self.left.append(f"{what}: its host key is checked; connect once by ssh")
        return kept

    def _workflow(self, item: Item) -> Item:
        what = f"workflow {item.get('name')}"
        if "cluster" in item:
            item.setdefault("backend", item.pop("cluster"))
        kept = self._only(item, _WORKFLOW, what)
        if isinstance(kept.get("git"), dict):
            kept["git"] = self._only(kept["git"], _GIT, f"{what}: git")
        return kept

    def _source(self, item: Item, backends: list[str]) -> Item:
        what = f"source {item.get('name')}"
        item.setdefault("type", "git" if "url" in item else "path")
        if item.get("backend") is None and len(backends) == 1:
            item["backend"] = backends[0]
            self.left.append(f"{what} names no backend; {backends[0]} was taken")
        return self._only(item, _SOURCE, what)

    def _placed(self, items: list[Item], backends: list[str], kind: str) -> list[Item]:
        """Return the items whose backend was kept."""
        self.left += [
            f"{kind} {item.get('name')} was left out: its backend "
            f"{item.get('backend', '(none named)')} is not there"
            for item in items
            if item.get("backend") not in backends
        ]
        return [item for item in items if item.get("backend") in backends]

    def _settings(self) -> Mapping[str, object]:
        settings = self.raw.get("settings")
        body: dict[str, dict[str, object]] = {}
        for name, value in (settings if isinstance(settings, dict) else {}).items():
            if name in _SETTINGS:
                group, key = _SETTINGS[name]
                body.setdefault(group, {})[key] = value
            else:
                why = _HOMELESS.get(str(name), "")
                self.left.append(f"settings.{name} was left out" + (f": {why}" if why else ""))
        return body
