"""The MLflow part of the graph: runs, data sets, logged models, versions, and where they serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from core.experiments.types import Dataset, Run
from core.lineage.draft import Draft
from core.lineage.match import DATA_TAG, STAGE_TAG, Match, match_run
from core.lineage.pipelines import SHORT, commit_id, file_id, stage_id
from core.lineage.records import DeploymentRecord, FileRecord, PredictionLogRecord, ProjectRecord
from core.lineage.types import Evidence, NodeId, NodeKind, Strength
from core.registry.types import ModelVersion

NOT_TRAINING = frozenset({"evaluation", "eval", "test", "testing", "validation", "holdout"})


def add_run(
    draft: Draft, run: Run, projects: Sequence[ProjectRecord], files: Mapping[str, str] | None = None
) -> NodeId:
    """A run with its data sets, its commit and the stage execution that logged it.

    ``files`` are md5 digests of the run's artifacts -> their path.
    """
    run_node = draft.node(
        NodeKind.RUN,
        run.run_id,
        run.name or run.run_id[:8],
        run_id=run.run_id,
        experiment=run.experiment,
        status=run.status,
        at=run.start_time.isoformat() if run.start_time else None,
        user=run.user,
        stage=run.tags.get(STAGE_TAG),
        metrics=dict(run.metrics),
        params=dict(run.params),
    )
    if run.git_commit:
        commit = commit_id(draft, run.git_commit, projects)
        draft.edge(
            commit, run_node, Evidence.MLFLOW, Strength.STRONG, "HEAD when it ran; edits may be on top"
        )
    match = match_run(run, projects, files or ())
    if match:
        draft.edge(stage_id(match.record), run_node, match.evidence, match.strength, match.note)
    _add_tagged_data(draft, run, run_node, projects, match)
    _add_logged_files(draft, run_node, projects, match, files or {})
    for dataset in run.datasets:
        _add_dataset(draft, run_node, dataset, projects)
    return run_node


def add_versions(draft: Draft, versions: Iterable[ModelVersion]) -> None:
    """Model versions with the logged models and runs they came from, and copies with their originals."""
    known = list(versions)
    for version in known:
        node = version_node(draft, version)
        copied = _original(version)
        if copied:
            original = NodeId(f"{NodeKind.VERSION}:{copied}")
            draft.edge(original, node, Evidence.MLFLOW, note="copied from this version")
        elif version.logged_model_id:
            logged = _add_logged_model(draft, version.logged_model_id, version.run_id)
            draft.edge(logged, node, Evidence.MLFLOW, note="registered from the logged model")
        elif version.run_id:
            run = _missing_run(draft, version.run_id)
            draft.edge(run, node, Evidence.MLFLOW, note="registered from the run")


def version_node(draft: Draft, version: ModelVersion) -> NodeId:
    """The node of a model version."""
    return draft.node(
        NodeKind.VERSION,
        version.name,
        f"{version.model} v{version.version}",
        model=version.model,
        version=version.version,
        run_id=version.run_id,
        at=version.created_at.isoformat() if version.created_at else None,
        aliases=list(version.aliases),
        status=version.status,
        source=version.source,
        description=version.description,
    )


def add_deployments(
    draft: Draft, deployments: Iterable[DeploymentRecord], logs: Iterable[PredictionLogRecord]
) -> None:
    """Where versions served and serve, and the prediction logs that they wrote to."""
    log_nodes = {(log.model, log.environment): _add_log(draft, log) for log in logs}
    for deployment in deployments:
        evidence = Evidence.ALIAS if deployment.from_alias else Evidence.LEDGER
        strength = Strength.LIKELY if deployment.from_alias else Strength.EXACT
        node = _add_deployment(draft, deployment)
        version = NodeId(f"{NodeKind.VERSION}:{deployment.model}/{deployment.version}")
        note = "the alias says so; the ledger has no record" if deployment.from_alias else "recorded decision"
        draft.edge(version, node, evidence, strength, note)
        log = log_nodes.get((deployment.model, deployment.environment))
        if log:
            draft.edge(node, log, Evidence.SETTINGS, Strength.LIKELY, "the log of this model and environment")


def _add_deployment(draft: Draft, deployment: DeploymentRecord) -> NodeId:
    live = deployment.until is None
    return draft.node(
        NodeKind.DEPLOYMENT,
        f"{deployment.model}/{deployment.environment}@{deployment.key}",
        f"{deployment.environment}: {deployment.model} v{deployment.version}",
        model=deployment.model,
        version=deployment.version,
        environment=deployment.environment,
        live=live,
        since=deployment.since.isoformat() if deployment.since else None,
        until=deployment.until.isoformat() if deployment.until else None,
        by=deployment.by,
        approved_by=list(deployment.approved_by),
    )


def _add_log(draft: Draft, log: PredictionLogRecord) -> NodeId:
    return draft.node(
        NodeKind.PREDICTION_LOG,
        f"{log.model}/{log.environment}",
        f"predictions of {log.model}",
        model=log.model,
        environment=log.environment,
        path=log.path,
    )


def _add_tagged_data(
    draft: Draft, run: Run, run_node: NodeId, projects: Sequence[ProjectRecord], match: Match | None
) -> None:
    """The data whose hash the run's tag names; through its stage when the stage read it."""
    digest = run.tags.get(DATA_TAG)
    if not digest:
        return
    if match and match.strength >= Strength.STRONG and any(dep.digest == digest for dep in match.record.deps):
        return
    known = _files_with(projects, digest)
    if not known:
        bare = draft.node(NodeKind.DATA, digest[:SHORT], f"data {digest[:8]}", hash=digest)
        draft.edge(bare, run_node, Evidence.RUN_TAG, Strength.EXACT, f"tag {DATA_TAG}")
    for project, file in known:
        source = file_id(draft, project, file)
        draft.edge(source, run_node, Evidence.RUN_TAG, Strength.EXACT, f"tag {DATA_TAG} equals its hash")


def _add_logged_files(
    draft: Draft,
    run_node: NodeId,
    projects: Sequence[ProjectRecord],
    match: Match | None,
    files: Mapping[str, str],
) -> None:
    """Data and code that the run stored a copy of: it had them at hand. What a stage made is told by the stage."""
    read = {dep.digest for dep in match.record.deps} if match else set()
    for digest, path in files.items():
        for project in projects:
            if digest not in read and not project.makers((digest,)):
                for file in project.files_by_digest.get(digest, ()):
                    source = file_id(draft, project.name, file)
                    note = f"the run's artifact {path} equals it byte for byte"
                    draft.edge(source, run_node, Evidence.CONTENT_HASH, Strength.LIKELY, note)


def _add_dataset(draft: Draft, run_node: NodeId, dataset: Dataset, projects: Sequence[ProjectRecord]) -> None:
    trained = dataset.context.lower() not in NOT_TRAINING
    node = draft.node(
        NodeKind.DATASET,
        f"{dataset.name}@{dataset.digest}",
        dataset.name,
        hash=dataset.digest,
        source=dataset.source,
    )
    note = f"logged as input ({dataset.context})" if dataset.context else "logged as input"
    draft.edge(node, run_node, Evidence.MLFLOW, note=note, trained=trained)
    for project, file in _files_with(projects, dataset.digest):
        source = file_id(draft, project, file)
        draft.edge(source, node, Evidence.CONTENT_HASH, note="its digest is the file's hash", trained=trained)


def _files_with(projects: Sequence[ProjectRecord], digest: str) -> list[tuple[str, FileRecord]]:
    return [(project.name, file) for project in projects for file in project.files_by_digest.get(digest, ())]


def _add_logged_model(draft: Draft, model_id: str, run_id: str | None) -> NodeId:
    logged = draft.node(NodeKind.LOGGED_MODEL, model_id, f"{model_id[:9]}…", model_id=model_id, run_id=run_id)
    if run_id:
        draft.edge(_missing_run(draft, run_id), logged, Evidence.MLFLOW, note="logged by the run")
    return logged


def _missing_run(draft: Draft, run_id: str) -> NodeId:
    """The run's node; one that says so when the run was deleted or lies outside what was read."""
    return draft.node(NodeKind.RUN, run_id, run_id[:8], run_id=run_id, status="not found")


def _original(version: ModelVersion) -> str | None:
    """``model/3`` when the version is a copy of another one (source ``models:/model/3``)."""
    if not version.source.startswith("models:/"):
        return None
    name, _, number = version.source.removeprefix("models:/").rpartition("/")
    return f"{name}/{number}" if name and number.isdigit() else None
