"""What GTO's tags released: versions registered and stages assigned, joined to the file they were tagged with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.lineage.draft import Draft
from core.lineage.pipelines import SHORT, commit_id, file_id
from core.lineage.records import FileRecord, ProjectRecord
from core.lineage.types import Evidence, NodeId, NodeKind, Strength
from core.pipeline.revisions import current_assignments
from core.pipeline.types import GtoEvent


def add_releases(draft: Draft, project: ProjectRecord) -> None:
    """One node for each commit at which an artifact was registered or assigned, with what its tags say."""
    families: dict[tuple[str, str], list[GtoEvent]] = {}
    for event in project.releases:
        families.setdefault((event.artifact, event.commit), []).append(event)
    held = current_assignments(project.releases)
    for (artifact, commit), events in families.items():
        stages = [
            stage for (name, stage), event in held.items() if (name, event.commit) == (artifact, commit)
        ]
        release = _add_release(draft, project, artifact, events, stages)
        files = _files_at(project, project.artifacts.get(artifact, ""), commit)
        for file in files:
            source = file_id(draft, project.name, file)
            draft.edge(source, release, Evidence.GIT_TAG, note=f"the tag's commit locks {file.path}")
        if not files:
            source = commit_id(draft, commit, (project,))
            draft.edge(source, release, Evidence.GIT_TAG, Strength.LIKELY, "tagged; its file is not known")


def _add_release(
    draft: Draft, project: ProjectRecord, artifact: str, events: Sequence[GtoEvent], stages: Sequence[str]
) -> NodeId:
    versions = [event.version for event in events if event.kind == "registered"]
    name = f"{artifact}@{versions[-1]}" if versions else f"{artifact} at {events[0].commit[:7]}"
    return draft.node(
        NodeKind.RELEASE,
        f"{project.name}/{artifact}@{events[0].commit[:SHORT]}",
        name,
        project=project.name,
        artifact=artifact,
        stages=list(stages),
        events=[_told(event) for event in events],
        revision=events[0].commit[:SHORT],
        at=events[0].time.isoformat(),
        by=events[0].author,
    )


def _told(event: GtoEvent) -> str:
    what = " ".join(filter(None, (event.kind, event.version, event.stage)))
    return f"{what} by {event.author} on {event.time:%Y-%m-%d} ({event.tag})"


def _files_at(project: ProjectRecord, path: str, commit: str) -> list[FileRecord]:
    """The artifact's file with the content that the lock of a commit records."""
    found: Mapping[str | None, FileRecord] = {
        out.digest: out
        for record in project.stages
        if path and commit in record.commits
        for out in record.outs
        if out.path == path
    }
    return list(found.values())
