"""How much the served model itself uses each column: it is asked in a process of its own, or where it serves.

Its files are loaded only where that runs nothing but trusted types, by the same look as the deploy gate takes. A
model whose files are code is asked through its running server, past the traffic and outside the prediction log.
"""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.deploy.hash import check_artifact
from core.deploy.model_files import read_model_file
from core.deploy.processes import ask_apart
from core.deploy.serialization import Findings, inspect
from core.deploy.types import Artifact, EndpointKey
from core.drift import kept
from core.drift.coding import even_rows
from core.drift.importance import Importance, permuted_change
from core.errors import ModelDeskError, NotFound, Refused, Unavailable
from core.tree import tree_sha256

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from core.deploy.types import Endpoint, Slot
    from core.drift.cache import ProfileCache
    from core.drift.kept import Kept
    from core.drift.sources import Source
    from core.settings import MonitorSection
    from core.workspace import Workspace

ROWS = 1_000
ROWS_OVER_HTTP = 200
"""A server that answers patients is asked for less."""
DEADLINE_S = 60
MEMORY_MB = 4096
_ANSWER_S = 10.0


def served_importance(
    ws: Workspace,
    section: MonitorSection,
    version: str,
    reference: Source,
    files: ProfileCache,
    reports: Kept,
) -> Importance:
    """The importance that ``version`` itself gives the columns of its signature, on rows of the reference.

    Worked out once for each state of the model's files and of the reference. Without shares (and with ``why_not``)
    where the model cannot be asked: its files are not here, are code and do not serve, or it does not answer.
    """
    try:
        artifact = _artifact(ws, section, version)
        findings = reports.get(
            Findings, kept.key("findings", artifact.sha256), lambda: inspect(artifact.directory)
        )
        where = _running(ws, section, int(version), findings) if findings.runs_code else None
        name = kept.key("served importance", artifact.sha256, kept.content(reference, files))
        return reports.get(Importance, name, lambda: _asked(ws, int(version), artifact, reference, where))
    except ModelDeskError as error:
        return _not_asked(version, error)


def _not_asked(version: object, error: ModelDeskError) -> Importance:
    said = f"v{version}" if version else "the model"
    return Importance({}, said, why_not=f"{said} itself was not asked: {error.what.rstrip('.')}")


def _artifact(ws: Workspace, section: MonitorSection, version: str) -> Artifact:
    if not version.isdigit():
        raise NotFound("the log does not say which version answered")
    served = ws.deployments.store.artifact_of(EndpointKey(section.model, section.environment), int(version))
    if served is not None and served.directory.is_dir():
        return served
    folder = ws.registry.folder(section.model, int(version))
    if folder is None:
        raise NotFound("its files are not on this machine")
    sha256, size = tree_sha256(folder)
    return Artifact(directory=folder, sha256=sha256, size_bytes=size)


def _asked(
    ws: Workspace, version: int, artifact: Artifact, reference: Source, where: tuple[Endpoint, Slot] | None
) -> Importance:
    """The answer, or why these files will never give one; raises Unavailable for a reason that passes."""
    try:
        check_artifact(artifact)
        columns = _columns(artifact, reference)
        if where is None:
            changes = _in_a_process(artifact.directory, _rows(reference, columns, ROWS))
            of = f"v{version} itself, loaded in a process of its own"
        else:
            rows = _rows(reference, columns, ROWS_OVER_HTTP).to_pandas()
            changes = permuted_change(lambda asked: _answers(ws, *where, asked), rows)
            of = f"v{version} itself, asked where it serves"
        whole = sum(changes.values())
        if not whole > 0:
            raise NotFound("its answers hang on no column of the reference")
    except (NotFound, Refused) as error:
        return _not_asked(version, error)
    return Importance({name: change / whole for name, change in changes.items()}, of)


def _columns(artifact: Artifact, reference: Source) -> Sequence[str]:
    """The columns of the model's signature that the reference has. Raises NotFound when one that is needed lacks."""
    columns = read_model_file(artifact.directory).columns
    missing = [column.name for column in columns if column.required and column.name not in reference.names]
    taken = [column.name for column in columns if column.name in reference.names]
    if missing or not taken:
        raise NotFound(f"the reference lacks {', '.join(missing) or 'its columns'}")
    return taken


def _rows(reference: Source, columns: Sequence[str], most: int) -> pa.Table:
    """Rows evenly over the reference, text as plain text."""
    import pyarrow as pa

    rows, found = even_rows(reference.rows, most), {}
    for name in columns:
        column = reference.column(name).take(rows)
        dictionary = pa.types.is_dictionary(column.type)
        found[name] = column.cast(column.type.value_type) if dictionary else column
    return pa.table(found)


def _in_a_process(directory: Path, rows: pa.Table) -> Mapping[str, float]:
    """``permuted_change`` of the model in ``directory``, by a process with limits. Raises Unavailable."""
    import pyarrow.parquet as pq

    given = io.BytesIO()
    pq.write_table(rows, given)
    try:
        said = ask_apart("core.drift.mlflow_importance", directory, DEADLINE_S, given.getvalue())
        return {str(name): float(change) for name, change in json.loads(said).items()}
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"it did not answer within {DEADLINE_S} s in a process of its own") from error
    except (subprocess.SubprocessError, ValueError, AttributeError) as error:
        # What the model printed may quote a row, so only that it failed is told.
        raise Refused("it failed in a process of its own on rows of the reference") from error


def _running(
    ws: Workspace, section: MonitorSection, version: int, findings: Findings
) -> tuple[Endpoint, Slot]:
    """The endpoint and the slot in which ``version`` answers now. Raises Refused."""
    desk = ws.deployments
    endpoint = desk.store.endpoint(EndpointKey(section.model, section.environment)) if desk.serves else None
    slot = endpoint.slot_of(version) if endpoint else None
    if endpoint and slot and desk.engine.alive(endpoint, slot):
        return endpoint, slot
    raise Refused(f"loading its files would run code ({findings.sentence}), and it does not serve now")


def _answers(ws: Workspace, endpoint: Endpoint, slot: Slot, rows: pd.DataFrame) -> np.ndarray:
    """Probabilities, else predictions, from one slot; raises Unavailable."""
    payload = {"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}
    answer = ws.deployments.engine.probabilities(endpoint, slot.name, payload, _ANSWER_S)
    if answer.status == 404:
        answer = ws.deployments.engine.score(endpoint, slot.name, payload, _ANSWER_S)
    body: Any = answer.body
    if answer.status != 200 or not isinstance(body, dict) or len(body.get("predictions", ())) != len(rows):
        raise Unavailable(f"where it serves it answered with {answer.status}")
    return np.asarray(body["predictions"])
