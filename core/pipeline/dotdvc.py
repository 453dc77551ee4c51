""".dvc files: data added, imported from another repository, a URL or a database, cloud-versioned or legacy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from core.pipeline.grammar import Place, build_dep, build_out, command_of
from core.pipeline.lockfile import recorded
from core.pipeline.paths import is_url, project_path, without_login
from core.pipeline.types import Dep, DepKind, Finding, Hash, Out, OutKind, RepoOrigin, Stage
from core.pipeline.yaml12 import YamlFault, load

_KEYS = frozenset(("md5", "wdir", "deps", "outs", "locked", "frozen", "meta", "always_changed", "desc"))
_HASHES = (
    "md5",
    "checksum",
    "etag",
    "size",
    "nfiles",
    "isexec",
    "version_id",
    "path",
    "persist",
    "cloud",
    "hash",
)
_OUT_KEYS = frozenset(
    (*_HASHES, "desc", "type", "labels", "meta", "cache", "remote", "push", "files", "fs_config")
)
_DEP_KEYS = frozenset((*_HASHES, "repo", "db", "files", "fs_config"))


def read_data_file(root: str, file: str, data: bytes) -> tuple[Stage | None, tuple[Finding, ...]]:
    """The .dvc file as a stage named by its path, and what DVC would refuse in it."""
    try:
        document = load(data, line_depth=1)
    except YamlFault as fault:
        return None, (Finding(file, fault.line, fault.message),)
    body = document.value if document.value is not None else {}
    if not isinstance(body, dict):
        return None, (Finding(file, 1, "a mapping was expected"),)
    findings: list[Finding] = []

    def report(message: str, key: str = "") -> None:
        findings.append(Finding(file, document.lines.get((key,), 1), message))

    for unknown in body.keys() - _KEYS:
        report(f"unknown key '{unknown}', which DVC 3 refuses (a file of DVC before 1.0?)", str(unknown))
    return _stage(root, file, body, report), tuple(findings)


def _stage(root: str, file: str, body: Mapping[str, Any], report: Any) -> Stage:
    folder = file.rpartition("/")[0] or "."
    wdir = project_path(root, folder, str(body.get("wdir") or "."))
    place = Place(root, file, folder, 1)
    return Stage(
        name=file,
        key=file,
        file=file,
        line=1,
        wdir=wdir,
        cmd=command_of(body["cmd"]) if body.get("cmd") else None,
        deps=tuple(_deps(place, wdir, body, report)),
        outs=tuple(_outs(place, wdir, body, report)),
        frozen=body.get("frozen") is True or body.get("locked") is True,
        always_changed=body.get("always_changed") is True,
        desc=body.get("desc"),
        meta=body.get("meta"),
        has_lock=True,
        checksum=str(body["md5"]) if body.get("md5") else None,
    )


def _items(body: Mapping[str, Any], key: str, report: Any) -> Iterator[Mapping[str, Any]]:
    items = body.get(key) or []
    if not isinstance(items, list):
        report(f"{key} must be a list", key)
        return
    for item in items:
        if isinstance(item, dict):
            yield item
        else:
            report(f"{key} must be a list of mappings", key)


def _outs(place: Place, wdir: str, body: Mapping[str, Any], report: Any) -> Iterator[Out]:
    for item in _items(body, "outs", report):
        path = item.get("path")
        if not isinstance(path, str) or not path:
            report("an output has no path", "outs")
            continue
        for unknown in item.keys() - _OUT_KEYS:
            report(f"unknown key '{unknown}' of '{path}', which DVC 3 refuses", "outs")
        kind = OutKind.METRIC if item.get("metric") else OutKind.PLOT if item.get("plot") else OutKind.OUT
        yield build_out(place, wdir, path, kind, item, recorded(item, is_url(path)))


def _deps(place: Place, wdir: str, body: Mapping[str, Any], report: Any) -> Iterator[Dep]:
    for item in _items(body, "deps", report):
        for unknown in item.keys() - _DEP_KEYS:
            report(f"unknown key '{unknown}' of a dependency, which DVC 3 refuses", "deps")
        if isinstance(item.get("db"), dict):
            yield _database(item)
            continue
        path = item.get("path")
        if not isinstance(path, str) or not path:
            report("a dependency has no path", "deps")
        elif isinstance(item.get("repo"), dict):
            yield _imported(path, item)
        else:
            yield build_dep(place, wdir, path, recorded(item, is_url(path)))


def _imported(path: str, item: Mapping[str, Any]) -> Dep:
    repo = item["repo"]
    url = without_login(str(repo.get("url", "")))
    origin = RepoOrigin(url, _optional(repo.get("rev")), _optional(repo.get("rev_lock")))
    return Dep(path=path, written=path, kind=DepKind.REPO, repo=origin)


def _database(item: Mapping[str, Any]) -> Dep:
    # The text of a query may name patients: only the connection and the table are kept.
    database = item["db"]
    table = _optional(database.get("table")) or "query"
    digest = Hash(str(item["md5"]).lower()) if item.get("md5") else None
    name = f"{database.get('connection') or 'database'}:{table}"
    return Dep(path=name, written=table, kind=DepKind.DATABASE, hash=digest)


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)
