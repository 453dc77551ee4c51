"""A DVC project's working tree and lock history as records: one a distinct lock entry."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import NotFound
from core.lineage.pipelines import digest_of
from core.lineage.records import CommitRecord, FileRecord, ImportRecord, ProjectRecord, StageRecord
from core.pipeline.git import Repository, run
from core.pipeline.history import lock_history
from core.pipeline.read import read_source
from core.pipeline.revisions import gto_events, named
from core.pipeline.sources import open_sources
from core.pipeline.status import stage_states
from core.pipeline.types import (
    Artifact,
    DepKind,
    Hash,
    LockRecord,
    Pipeline,
    Revision,
    RevisionKind,
    Stage,
    StageState,
)

MAX_COMMITS = 5000
_FORMAT = "%H%x1f%P%x1f%ct%x1f%an%x1f%D%x1f%s%x1e"


def read_project(root: Path, name: str) -> ProjectRecord:
    """The project at ``root`` with all that any commit, branch or experiment locked. Raises NotFound."""
    try:
        # git answers what is asked of it while the files are read
        with ThreadPoolExecutor(3) as asked, open_sources(root) as sources:
            repository = sources.repository
            named_commits, log, remotes = (asked.submit(ask, repository) for ask in (_named, _log, _remotes))
            pipeline = read_source(sources.at(None))
    except NotFound as error:
        raise NotFound(
            f"The DVC project '{name}' of this workspace cannot be read: {error.what}",
            "Correct 'projects' under [dvc] in modeldesk.toml.",
        ) from error
    names = named_commits.result()
    commits = _commits(log.result(), names)
    tagged = any(name.kind is RevisionKind.TAG for name in names)
    now = tuple(current_records(name, pipeline, stage_states(pipeline)))
    return ProjectRecord(
        name=name,
        root=root,
        stages=joined(name, now, lock_history(root, repository=repository), commits),
        commits=commits,
        remote_urls=remotes.result(),
        releases=gto_events(root, repository) if tagged else (),
        artifacts={_artifact_name(artifact): artifact.path for artifact in pipeline.artifacts},
        findings=tuple(
            f"{finding.file}{f', line {finding.line}' if finding.line else ''}: {finding.message}"
            for finding in pipeline.findings
        ),
    )


def joined(
    project: str, now: Sequence[StageRecord], history: Sequence[LockRecord], commits: Sequence[CommitRecord]
) -> tuple[StageRecord, ...]:
    """Working tree and history as one record per distinct entry, oldest first; pure.

    ``commits`` come newest first. A commit holds what its parents held and it did not record anew; of two
    parents the one whose entry is younger counts.
    """
    known: dict[str, LockRecord] = {}
    recorded: dict[str, dict[str, str]] = {}
    introduced: dict[str, list[str]] = {}
    for entry in reversed(history):
        digest = _digest(entry.stage, entry.cmd, entry.deps, entry.outs, entry.params)
        known.setdefault(digest, entry)
        introduced.setdefault(digest, []).append(entry.commit)
        recorded.setdefault(entry.commit, {})[entry.stage] = digest
    held = _held(recorded, commits)
    current = {record.digest: record for record in now}
    merged = []
    for digest, entry in known.items():
        since, commits_with = tuple(introduced[digest]), frozenset(held.get(digest, ()))
        here = current.pop(digest, None)
        merged.append(
            replace(here, introduced=since, commits=commits_with)
            if here
            else _locked(project, entry, digest, since, commits_with)
        )
    return (*merged, *current.values())


def current_records(project: str, pipeline: Pipeline, states: Iterable[StageState]) -> Iterator[StageRecord]:
    """The stages and data files of the working tree, with their states and what their lock recorded."""
    state_of = {state.name: state for state in states}
    models = {artifact.path for artifact in pipeline.artifacts if artifact.type == "model"}
    for stage in pipeline.stages:
        state = state_of.get(stage.name)
        locked = {param.file: param.locked or {} for param in stage.params}
        command = stage.lock_cmd or stage.cmd
        deps = [dep for dep in stage.deps if dep.kind is not DepKind.REPO]
        yield StageRecord(
            project=project,
            address=stage.name,
            command=_command(command),
            deps=tuple(_file(dep.path, dep.hash, dep.size, dep.nfiles) for dep in deps),
            outs=tuple(
                _file(out.path, out.hash, out.size, out.nfiles, out.path in models) for out in stage.outs
            ),
            params=_params(locked),
            digest=_digest(
                stage.name,
                command,
                [(dep.path, dep.hash) for dep in deps if dep.hash],
                [(out.path, out.hash) for out in stage.outs if out.hash],
                locked,
            ),
            current=True,
            state=str(state.state) if state else "",
            reasons=tuple(map(str, state.reasons)) if state else (),
            tracked=stage.is_data,
            imported=_imported(stage),
        )


def _locked(
    project: str, entry: LockRecord, digest: str, introduced: tuple[str, ...], commits: frozenset[str]
) -> StageRecord:
    return StageRecord(
        project=project,
        address=entry.stage,
        command=_command(entry.cmd),
        deps=tuple(_file(path, found) for path, found in entry.deps),
        outs=tuple(_file(path, found) for path, found in entry.outs),
        params=_params(entry.params),
        digest=digest,
        introduced=introduced,
        commits=commits,
        tracked=entry.stage.endswith(".dvc"),
    )


def _digest(
    stage: str,
    command: str | Sequence[str] | None,
    deps: Iterable[tuple[str, Hash | None]],
    outs: Iterable[tuple[str, Hash | None]],
    params: Mapping[str, Mapping[str, Any]],
) -> str:
    """Equal for equal entries, whether they come from the working tree or from history."""
    sides = [sorted((path, found.value if found else "") for path, found in side) for side in (deps, outs)]
    plain = _params(params)
    told = digest_of(plain) if plain else ""
    text = repr((stage, _command(command), *sides, told))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _held(recorded: Mapping[str, Mapping[str, str]], commits: Sequence[CommitRecord]) -> dict[str, set[str]]:
    """Entry -> the commits that hold it; commits without news share their parent's table."""
    tables: dict[str, Mapping[str, str]] = {}
    age: dict[str, int] = {}
    held: dict[str, set[str]] = {}
    for position, commit in enumerate(reversed(commits)):
        table = _inherited([tables[parent] for parent in commit.parents if parent in tables], age)
        news = recorded.get(commit.sha)
        if news:
            table = {**table, **news}
            age |= dict.fromkeys(news.values(), position)
        tables[commit.sha] = table
        for digest in table.values():
            held.setdefault(digest, set()).add(commit.sha)
    return held


def _inherited(parents: Sequence[Mapping[str, str]], age: Mapping[str, int]) -> Mapping[str, str]:
    if len(parents) < 2:
        return parents[0] if parents else {}
    table = dict(parents[0])
    for other in parents[1:]:
        for address, digest in other.items():
            if address not in table or age[digest] > age[table[address]]:
                table[address] = digest
    return table


def _named(repository: Repository | None) -> tuple[Revision, ...]:
    return named(repository) if repository else ()


def _log(repository: Repository | None) -> str:
    """Commits of all branches, tags and experiments, newest first, children before their parents."""
    if repository is None:
        return ""
    return run(
        repository.git_dir,
        *("log", "--ignore-missing", "--topo-order", f"--format={_FORMAT}", f"--max-count={MAX_COMMITS}"),
        *("--branches", "--tags", "--remotes", "--exclude=refs/exps/stash", "--exclude=refs/exps/exec/*"),
        *("--glob=refs/exps", "HEAD", "--"),
    )


def _commits(log: str, known: Sequence[Revision]) -> tuple[CommitRecord, ...]:
    names: dict[str, list[str]] = {}
    experiments: dict[str, str] = {}
    for revision in known:
        if revision.kind is RevisionKind.EXPERIMENT:
            experiments[revision.commit] = revision.name
        elif revision.kind is not RevisionKind.COMMIT:
            names.setdefault(revision.commit, []).append(revision.name)
    return tuple(_commit(record, names, experiments) for record in log.split("\x1e") if record.strip())


def _commit(record: str, names: Mapping[str, Sequence[str]], experiments: Mapping[str, str]) -> CommitRecord:
    sha, parents, moment, author, decoration, subject = record.strip("\n").split("\x1f", 5)
    here = ("HEAD",) if decoration.partition(",")[0].partition(" ->")[0] == "HEAD" else ()
    return CommitRecord(
        sha=sha,
        at=datetime.fromtimestamp(int(moment), UTC),
        parents=tuple(parents.split()),
        author=author,
        subject=subject,
        names=(*here, *names.get(sha, ())),
        experiment=experiments.get(sha, ""),
    )


def _remotes(repository: Repository | None) -> tuple[str, ...]:
    if repository is None:
        return ()
    lines = run(repository.git_dir, "remote", "-v").splitlines()
    return tuple(dict.fromkeys(line.split()[1] for line in lines if len(line.split()) > 1))


def _artifact_name(artifact: Artifact) -> str:
    """As GTO's tags have it: ``name``, or ``folder:name`` for a dvc.yaml in a folder."""
    folder = posixpath.dirname(artifact.file)
    return f"{folder}:{artifact.name}" if folder else artifact.name


def _imported(stage: Stage) -> ImportRecord | None:
    for dep in stage.deps:
        if dep.repo is not None:
            return ImportRecord(url=dep.repo.url, path=dep.path, commit=dep.repo.rev_lock or "")
    return None


def _file(
    path: str, found: Hash | None, size: int | None = None, files: int | None = None, model: bool = False
) -> FileRecord:
    return FileRecord(
        path=path,
        digest=found.value if found else None,
        size=size,
        files=files,
        legacy=found is not None and found.kind == "md5-dos2unix",
        model=model,
    )


def _command(command: str | Sequence[str] | None) -> str:
    return command if isinstance(command, str) else "\n".join(command or ())


def _params(by_file: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Keys of params.yaml as they are, of other files as ``file:key``."""
    return {
        key if file == "params.yaml" else f"{file}:{key}": value
        for file, values in by_file.items()
        for key, value in values.items()
    }
