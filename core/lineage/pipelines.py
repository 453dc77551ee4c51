"""The DVC part of the graph: data, params, commits and stage executions, as lock files recorded them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from core.lineage.draft import Draft
from core.lineage.records import (
    CommitRecord,
    FileRecord,
    ImportRecord,
    ProjectRecord,
    StageRecord,
    is_code_file,
    is_model_file,
)
from core.lineage.types import Evidence, NodeId, NodeKind, Strength
from core.pipeline.discovery import parents
from core.pipeline.paths import is_url

SHORT = 12

_Held = tuple[StageRecord, FileRecord]


def add_project(draft: Draft, project: ProjectRecord) -> None:
    """Every stage execution of the project's history with its data, params and commits."""
    for record in project.stages:
        if record.tracked:
            _add_tracked(draft, project, record)
        else:
            _add_execution(draft, project, record)
    for out, dep, how in _nested(project.stages):
        source, target = (file_id(draft, project.name, file) for file in (out, dep))
        draft.edge(source, target, Evidence.LOCK, Strength.STRONG, how)


def add_imports(draft: Draft, projects: Sequence[ProjectRecord]) -> None:
    """Imported files joined to the repository they came from, through it when it is configured."""
    for project in projects:
        for record in project.stages:
            if record.imported:
                _add_import(draft, projects, record, record.imported)


def stage_id(record: StageRecord) -> NodeId:
    """The id of a stage execution's node."""
    return NodeId(f"{NodeKind.STAGE}:{record.project}/{record.address}@{record.digest[:SHORT]}")


def file_id(draft: Draft, project: str, file: FileRecord, since: CommitRecord | None = None) -> NodeId:
    """The node of a file with this content, added to the draft when it is new; first seen at ``since``."""
    kind = _kind(file.path, model=file.model)
    digest = file.digest or ""
    key = f"{project}/{file.path}@{digest[:SHORT] or 'unhashed'}"
    known = NodeId(f"{kind}:{key}")
    if known in draft:
        return known
    return draft.node(
        kind,
        key,
        file.path,
        project=project,
        path=file.path,
        hash=digest,
        hash_kind="md5-dos2unix" if file.legacy else "md5",
        size=file.size,
        files=file.files,
        directory=digest.endswith(".dir") or None,
        revision=since.sha[:SHORT] if since else None,
        at=since.at.isoformat() if since else None,
    )


@lru_cache(maxsize=50_000)  # asked for each time that an execution names the path
def _kind(path: str, *, model: bool) -> NodeKind:
    if model or is_model_file(path):
        return NodeKind.MODEL_FILE
    return NodeKind.CODE if is_code_file(path) else NodeKind.DATA


def commit_id(draft: Draft, sha: str, projects: Iterable[ProjectRecord]) -> NodeId:
    """The node of a commit, with date and subject where one of the projects knows it."""
    node = NodeId(f"{NodeKind.COMMIT}:{sha[:SHORT]}")
    if node in draft:
        return node
    known = next((project.commit_by_sha[sha] for project in projects if sha in project.commit_by_sha), None)
    told: dict[str, Any] = {}
    if known:
        told = {
            "at": known.at.isoformat(),
            "author": known.author,
            "subject": known.subject,
            "names": list(known.names),
            "experiment": known.experiment,
        }
    return draft.node(NodeKind.COMMIT, sha[:SHORT], sha[:7], commit=sha, **told)


def digest_of(value: object) -> str:
    """A short stable digest of plain values, for ids."""
    text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]


def _add_execution(draft: Draft, project: ProjectRecord, record: StageRecord) -> None:
    first = record.introduced[0] if record.introduced else ""
    known = project.commit_by_sha.get(first)
    stage = draft.node(
        NodeKind.STAGE,
        stage_id(record).partition(":")[2],
        record.address,
        project=project.name,
        stage=record.address,
        command=record.command,
        group=record.group,
        revision=first[:SHORT],
        at=known.at.isoformat() if known else None,
        status=record.state,
        reasons=list(record.reasons),
    )
    draft.hold(stage, record.commits, current=record.current)
    for dep in record.deps:
        source = _held_file(draft, project, record, dep)
        draft.edge(source, stage, Evidence.LOCK, _surety(dep), "dependency")
    for out in record.outs:
        target = _held_file(draft, project, record, out)
        draft.edge(stage, target, Evidence.LOCK, _surety(out), "output")
    if record.params:
        params = _add_params(draft, project.name, record.address, record.params)
        draft.edge(params, stage, Evidence.LOCK, note="params in the lock")
    for sha in record.introduced:
        draft.edge(commit_id(draft, sha, (project,)), stage, Evidence.LOCK, note="commit that holds the lock")


def _held_file(draft: Draft, project: ProjectRecord, record: StageRecord, file: FileRecord) -> NodeId:
    known = project.commit_by_sha.get(record.introduced[0]) if record.introduced else None
    node = file_id(draft, project.name, file, known)
    draft.hold(node, record.commits, current=record.current)
    return node


def _add_params(draft: Draft, project: str, address: str, params: Mapping[str, Any]) -> NodeId:
    key = f"{project}/{address}@{digest_of(params)}"
    return draft.node(NodeKind.PARAMS, key, f"params of {address}", project=project, values=dict(params))


def _add_tracked(draft: Draft, project: ProjectRecord, record: StageRecord) -> None:
    for out in record.outs:
        data = _held_file(draft, project, record, out)
        for sha in record.introduced:
            commit = commit_id(draft, sha, (project,))
            draft.edge(commit, data, Evidence.LOCK, note=f"tracked by {record.address}")
        for dep in record.deps:
            source = _held_file(draft, project, record, dep)
            draft.edge(source, data, Evidence.LOCK, _surety(dep), f"imported by {record.address}")


def _surety(file: FileRecord) -> Strength:
    return Strength.EXACT if file.digest else Strength.LIKELY


def _nested(records: Sequence[StageRecord]) -> Iterator[tuple[FileRecord, FileRecord, str]]:
    """(output, dependency, how) where one lies inside the other and the output was there for the dependency."""
    outs = [(record, file) for record in records for file in record.outs]
    deps = [(record, file) for record in records for file in record.deps]
    for (producer, out), (consumer, dep) in _inside(outs, deps):
        if _there_for(producer, consumer):
            yield out, dep, f"{dep.path} lies inside {out.path}"
    for (consumer, dep), (producer, out) in _inside(deps, outs):
        if _there_for(producer, consumer):
            yield out, dep, f"{out.path} lies inside {dep.path}"


def _inside(folders: Sequence[_Held], files: Sequence[_Held]) -> Iterator[tuple[_Held, _Held]]:
    """(folder, file in it) by their paths."""
    by_path: dict[str, list[_Held]] = {}
    for holder in folders:
        by_path.setdefault(holder[1].path.rstrip("/"), []).append(holder)
    above: dict[str, tuple[str, ...]] = {}
    for held in files:
        path = held[1].path
        if path not in above:
            above[path] = tuple(folder for folder in _folders(path) if folder in by_path)
        for parent in above[path]:
            yield from ((holder, held) for holder in by_path[parent])


def _folders(path: str) -> tuple[str, ...]:
    """The folders that hold ``path``, the project's root among them where it does."""
    inside = path != "." and not path.startswith(("/", "../")) and not is_url(path)
    return (*parents(path), ".") if inside else tuple(parents(path))


def _there_for(producer: StageRecord, consumer: StageRecord) -> bool:
    """Whether the producer's entry was in force when the consumer's was recorded (now, if it is not committed)."""
    if producer.project != consumer.project:
        return False
    if not consumer.introduced:
        return producer.current and consumer.current
    return not producer.commits.isdisjoint(consumer.introduced)


def _add_import(
    draft: Draft, projects: Sequence[ProjectRecord], record: StageRecord, imported: ImportRecord
) -> None:
    targets = [file_id(draft, record.project, out) for out in record.outs]
    origin = next((project for project in projects if project.is_repository(imported.url)), None)
    producers = list(_producers(origin, imported.path, imported.commit)) if origin else []
    if not origin or not producers:
        source = draft.node(
            NodeKind.DATA,
            f"{imported.url}/{imported.path}@{imported.commit[:SHORT]}",
            imported.path,
            path=imported.path,
            repository=imported.url,
            revision=imported.commit,
        )
        for target in targets:
            draft.edge(source, target, Evidence.LOCK, note="imported from another repository")
        return
    for file in producers:
        source = file_id(draft, origin.name, file)
        for target, out in zip(targets, record.outs, strict=True):
            same = file.digest == out.digest
            draft.edge(
                source,
                target,
                Evidence.CONTENT_HASH if same else Evidence.LOCK,
                Strength.EXACT if same else Strength.STRONG,
                "imported, same content" if same else "imported from inside this folder at the locked commit",
            )


def _producers(project: ProjectRecord, path: str, commit: str) -> Iterator[FileRecord]:
    wanted = PurePosixPath(path)
    for record in project.stages:
        if commit in record.commits:
            yield from (file for file in record.outs if wanted.is_relative_to(file.path))
