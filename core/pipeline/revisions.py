"""Commits, branches, tags, DVC experiments and GTO tags of a project, each by a single git call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from core.pipeline.git import Repository, find_repository, run
from core.pipeline.types import GtoEvent, Revision, RevisionKind

_END = "\x1e"
_SEP = "\x1f"
_LOG_FORMAT = _SEP.join(("%H", "%P", "%ct", "%an", "%s")) + _END
_REF_FORMAT = "%1f".join(
    "%(" + field + ")"
    for field in (
        "refname",
        "objecttype",
        "objectname",
        "*objectname",
        "creatordate:unix",
        "taggername",
        "taggeremail",
        "*authorname",
        "authorname",
        "contents:subject",
    )
)
EXPERIMENT_REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38,62})/(.+)")

_NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9-/_]*[a-zA-Z0-9])?"
_VERSION = r"v(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_GTO = re.compile(
    rf"(?P<artifact>(?:[a-zA-Z0-9-_./]+=)?{_NAME})"
    rf"(?:(?:#(?P<stage>{_NAME})|@(?P<version>{_VERSION}))(?P<cancel>!?)|@(?P<word>deprecated|created))"
    r"(?:#(?P<counter>[0-9]+))?"
)


def revisions(project: Path, limit: int = 200) -> tuple[Revision, ...]:
    """Branches, tags and experiments, then the last ``limit`` commits of HEAD; empty without git or commits."""
    repository = find_repository(project)
    if repository is None:
        return ()
    return (*named(repository), *commits(project, limit=limit))


def named(repository: Repository) -> tuple[Revision, ...]:
    """Branches, tags and experiments."""
    return tuple(_named(repository))


def commits(project: Path, revision: str = "HEAD", limit: int = 200) -> tuple[Revision, ...]:
    """The last ``limit`` commits that ``revision`` reaches, newest first; empty where there is none."""
    repository = find_repository(project)
    if repository is None or not run(repository.git_dir, "rev-list", "--all", "--max-count=1").strip():
        return ()
    spec = ("--end-of-options", revision, "--")
    text = run(repository.git_dir, "log", f"--format={_LOG_FORMAT}", f"--max-count={limit}", *spec)
    return tuple(_commit(record) for record in text.split(_END) if record.strip())


def gto_events(project: Path, repository: Repository | None = None) -> tuple[GtoEvent, ...]:
    """Annotated GTO tags, oldest first: versions registered, stages assigned and unassigned."""
    repository = repository or find_repository(project)
    if repository is None:
        return ()
    found = (_gto_event(fields) for fields in _refs(repository, "refs/tags"))
    return tuple(sorted((event for event in found if event), key=lambda e: (e.time, e.counter or 0, e.tag)))


def current_assignments(events: tuple[GtoEvent, ...]) -> dict[tuple[str, str], GtoEvent]:
    """(artifact, stage) -> the newest assignment that was not cancelled, as GTO decides it.

    A cancellation ends the assignments of its stage that were made at the same commit.
    """
    active: dict[tuple[str, str], list[GtoEvent]] = {}
    for event in events:
        if event.stage is None:
            continue
        held = active.setdefault((event.artifact, event.stage), [])
        if event.kind == "assigned":
            held.append(event)
        else:
            held[:] = [other for other in held if other.commit != event.commit]
    return {key: held[-1] for key, held in active.items() if held}


def _commit(record: str) -> Revision:
    commit, parents, moment, author, subject = record.strip("\n").split(_SEP, 4)
    return Revision(
        name=commit[:7],
        kind=RevisionKind.COMMIT,
        commit=commit,
        time=datetime.fromtimestamp(int(moment), UTC),
        author=author,
        subject=subject,
        parents=tuple(parents.split()),
    )


def _named(repository: Repository) -> Iterator[Revision]:
    for fields in _refs(repository, "refs/heads", "refs/tags", "refs/exps"):
        kind, name, baseline = _kind(fields[0])
        if kind is None or (fields[1] == "tag" and not fields[3]):
            continue
        yield Revision(
            name=name,
            kind=kind,
            commit=fields[3] or fields[2],
            time=datetime.fromtimestamp(int(fields[4] or 0), UTC),
            author=fields[7] or fields[8],
            subject=fields[9],
            baseline=baseline,
        )


def _kind(ref: str) -> tuple[RevisionKind | None, str, str | None]:
    if ref.startswith("refs/heads/"):
        return RevisionKind.BRANCH, ref.removeprefix("refs/heads/"), None
    if ref.startswith("refs/tags/"):
        return RevisionKind.TAG, ref.removeprefix("refs/tags/"), None
    match = EXPERIMENT_REF.fullmatch(ref)
    if match is None or match[3].startswith(("exec/", "stash")):
        return None, ref, None
    return RevisionKind.EXPERIMENT, match[3], match[1] + match[2]


def _refs(repository: Repository, *prefixes: str) -> Iterator[list[str]]:
    for line in run(repository.git_dir, "for-each-ref", f"--format={_REF_FORMAT}", *prefixes).splitlines():
        fields = line.split(_SEP, 9)
        if len(fields) == 10:
            yield fields


def _gto_event(fields: list[str]) -> GtoEvent | None:
    tag = fields[0].removeprefix("refs/tags/")
    match = _GTO.fullmatch(tag)
    if match is None or fields[1] != "tag":
        return None
    stage, version, word = match["stage"], match["version"], match["word"]
    if word:
        kind = word
    elif stage:
        kind = "unassigned" if match["cancel"] else "assigned"
    else:
        kind = "deregistered" if match["cancel"] else "registered"
    return GtoEvent(
        tag=tag,
        artifact=match["artifact"].replace("=", ":"),
        kind=kind,
        version=version,
        stage=stage,
        counter=int(match["counter"]) if match["counter"] else None,
        commit=fields[3],
        time=datetime.fromtimestamp(int(fields[4] or 0), UTC),
        author=fields[5],
        email=fields[6].strip("<>"),
        message=fields[9],
    )
