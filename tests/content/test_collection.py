"""What holds for the Ansible collection: playbooks, roles, plugins."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import hopper

ROOT = Path(__file__).parents[2]
PLAYBOOKS = sorted(p.stem for p in (ROOT / "playbooks").glob("*.yml"))
ROLES = sorted(p.name for p in (ROOT / "roles").glob("*") if p.is_dir())
ACTIONS = sorted(p.stem for p in (ROOT / "plugins" / "action").glob("*.py") if p.stem[0] != "_")
# ansible-doc knows an action by the module of the same name, which holds its documentation.
OTHER_PLUGINS = sorted(
    f"{p.parent.name}/{p.stem}"
    for p in (ROOT / "plugins").glob("*/*.py")
    if p.parent.name not in {"action", "modules", "module_utils", "plugin_utils", "doc_fragments"}
    and p.stem[0] != "_"
)


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def ansible(*command: str, cwd: Path = ROOT) -> str:
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_collection_has_the_version_of_the_package() -> None:
    galaxy = read_yaml(ROOT / "galaxy.yml")
    assert (galaxy["namespace"], galaxy["name"]) == ("hopper", "dispatch")
    assert galaxy["version"] == hopper.__version__


def test_the_collection_and_the_package_want_the_same_ansible() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [core] = [d for d in project["dependencies"] if d.startswith("ansible-core")]
    wanted = read_yaml(ROOT / "meta" / "runtime.yml")["requires_ansible"]
    assert re.findall(r"\d+\.\d+", core) == re.findall(r"(\d+\.\d+)\.0", wanted)


def test_ansible_lint_asks_for_all_it_can() -> None:
    config = read_yaml(ROOT / ".ansible-lint")
    assert config["profile"] == "production"
    assert not config["skip_list"]
    assert not config["warn_list"]
    skipped = {p.rstrip("/") for p in config["exclude_paths"]}
    assert not skipped & {"playbooks", "roles", "plugins", "meta", "examples", "inventory"}


def test_no_line_silences_ansible_lint() -> None:
    found = [
        str(path.relative_to(ROOT))
        for folder in ("playbooks", "roles", "meta")
        for path in (ROOT / folder).rglob("*.yml")
        if "noqa" in path.read_text(encoding="utf-8")
    ]
    assert not found


@pytest.mark.parametrize("role", ROLES)
def test_every_option_of_a_role_is_typed(role: str) -> None:
    specs = read_yaml(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    assert "main" in specs
    for entry, spec in specs.items():
        assert spec.get("short_description"), entry
        for option, about in (spec.get("options") or {}).items():
            assert option.startswith(f"{role}_"), option
            assert about.get("type"), option
            assert about.get("description"), option


@pytest.mark.parametrize("role", ROLES)
def test_every_default_of_a_role_is_an_option(role: str) -> None:
    specs = read_yaml(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    options = {option for spec in specs.values() for option in (spec.get("options") or {})}
    path = ROOT / "roles" / role / "defaults" / "main.yml"
    defaults = set(read_yaml(path) or {}) if path.exists() else set()
    assert {d for d in defaults if not d.startswith("__")} <= options


@pytest.mark.ansible
def test_every_plugin_is_documented() -> None:
    names = [f"hopper.dispatch.{action}" for action in ACTIONS]
    shown = json.loads(ansible("ansible-doc", "-t", "module", "--json", *names))
    assert sorted(shown) == names
    for plugin, about in shown.items():
        assert about["doc"]["short_description"], plugin
        assert about["doc"]["description"], plugin
        assert (about["examples"] or "").strip(), plugin
        assert about["return"], plugin


@pytest.mark.ansible
@pytest.mark.parametrize("plugin", OTHER_PLUGINS)
def test_every_other_plugin_is_documented(plugin: str) -> None:
    kind, name = plugin.split("/")
    shown = json.loads(ansible("ansible-doc", "-t", kind, "--json", f"hopper.dispatch.{name}"))
    about = shown[f"hopper.dispatch.{name}"]["doc"]
    assert about["short_description"]
    assert about["description"]


@pytest.mark.ansible
def test_every_role_is_documented() -> None:
    shown = json.loads(ansible("ansible-doc", "-t", "role", "--json", "-l", "hopper.dispatch"))
    assert sorted(shown) == [f"hopper.dispatch.{role}" for role in ROLES]


@pytest.mark.ansible
@pytest.mark.parametrize("playbook", PLAYBOOKS)
@pytest.mark.parametrize("form", ["playbooks/{}.yml", "hopper.dispatch.{}"])
def test_a_playbook_resolves_in_the_checkout(playbook: str, form: str) -> None:
    ansible("ansible-playbook", "--syntax-check", "-i", "localhost,", form.format(playbook))
