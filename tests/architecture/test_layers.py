"""The rules of the house, read from the imports: who may know whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "core").rglob("*.py"))
DASHBOARD = sorted((ROOT / "dashboard").rglob("*.py"))
MAX_LINES = 400


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path, *, at_load: bool = False) -> Iterator[str]:
    """Modules that ``file`` imports; with ``at_load`` only those imported when it is itself imported."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = tree.body if at_load else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            assert node.level == 0, f"{file}: relative import"
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def roots(file: Path) -> set[str]:
    return {module.split(".")[0] for module in imports(file)}


def ids(files: list[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files]


@pytest.mark.parametrize("file", CORE, ids=ids(CORE))
def test_core_knows_no_interface(file: Path) -> None:
    assert not roots(file) & {"streamlit", "plotly", "dashboard"}


@pytest.mark.parametrize("file", DASHBOARD, ids=ids(DASHBOARD))
def test_dashboard_knows_no_store(file: Path) -> None:
    assert not roots(file) & {"mlflow", "dvc", "sqlalchemy", "adbc_driver_sqlite", "psycopg"}


@pytest.mark.parametrize("file", CORE, ids=ids(CORE))
def test_mlflow_is_imported_in_its_adapters_alone(file: Path) -> None:
    allowed = file.name.startswith("mlflow_") or "demo" in file.relative_to(ROOT).parts
    assert allowed or "mlflow" not in roots(file)


@pytest.mark.parametrize("file", CORE, ids=ids(CORE))
def test_dvc_is_imported_in_pipeline_alone(file: Path) -> None:
    allowed = {"pipeline", "demo"} & set(file.relative_to(ROOT).parts)
    assert allowed or "dvc" not in roots(file)


def test_charts_are_pure() -> None:
    for file in (ROOT / "dashboard" / "charts").rglob("*.py"):
        assert "streamlit" not in roots(file), file


def test_only_services_caches() -> None:
    for file in DASHBOARD:
        if file.parent.name != "services":
            text = file.read_text(encoding="utf-8")
            assert "cache_data" not in text and "cache_resource" not in text, file


def test_pages_read_through_services() -> None:
    for file in (ROOT / "dashboard" / "app_pages").glob("*.py"):
        assert "core.workspace" not in set(imports(file)), file


def test_no_import_circles() -> None:
    modules = {name_of(file): file for file in CORE + DASHBOARD}
    graph = networkx.DiGraph()
    for name, file in modules.items():
        graph.add_edges_from(
            (name, other) for other in imports(file, at_load=True) if other in modules and other != name
        )
    assert list(networkx.simple_cycles(graph)) == []


@pytest.mark.parametrize("file", CORE + DASHBOARD, ids=ids(CORE + DASHBOARD))
def test_a_file_can_be_read_in_one_sitting(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
