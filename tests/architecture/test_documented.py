"""What users can touch is documented: every page, setting and command; every command shows an example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from pydantic import BaseModel

from core import yaml_file
from core.cli.main import app
from core.quality.check import QualityPolicy
from core.quality.schema_file import Schema
from core.registry.policy import parse_policy
from core.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HIDDEN_PAGES = {"run", "version", "request", "start"}


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))
    else:
        yield " ".join(path), command


ALL = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", ALL)
def test_a_command_shows_an_example(name: str) -> None:
    assert f"python -m core {name}" in (ALL[name].help or "")


@pytest.mark.parametrize("name", ALL)
def test_a_command_is_in_the_readme(name: str) -> None:
    assert f"`{name}" in README


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.+?)```", README, re.DOTALL))
def test_a_file_that_the_readme_shows_is_read(block: str) -> None:
    if "tiers:" in block:
        assert parse_policy(block.encode(), "README.md").tiers
    else:
        model = Schema if "columns:\n" in block else QualityPolicy
        assert yaml_file.parse(block.encode(), "README.md", model, "file")


def settings_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from settings_keys(section, f"{prefix}{name}.")
        elif name != "root":
            yield f"{prefix}{name}"


@pytest.mark.parametrize("key", settings_keys(Settings))
def test_a_setting_is_in_the_readme(key: str) -> None:
    assert f"`{key}`" in README


def test_every_page_has_a_section() -> None:
    pages = {file.stem for file in (ROOT / "dashboard" / "app_pages").glob("*.py")} - HIDDEN_PAGES
    for name in pages:
        assert f"### {name.title()}" in README


def test_every_make_verb_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    verbs = [
        line for line in makefile if line[:1].isalpha() and ":" in line.split("=")[0] and ":=" not in line
    ]
    explained = [line for line in verbs if "## " in line]
    assert len(explained) >= 10
    assert [line for line in verbs if "## " not in line] == ["test-setup: setup $(VENV)/.tests"]
