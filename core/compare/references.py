"""What the words after ``compare`` mean: runs, model versions, aliases and DVC revisions as items."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.compare.types import OWN_COLUMNS, Item
from core.errors import BadInput, NotFound
from core.experiments.told import told_metrics
from core.experiments.types import SYSTEM

if TYPE_CHECKING:
    from core.experiments.types import Run
    from core.workspace import Workspace

FORMS = "run:ID, version:MODEL/N, alias:MODEL@NAME or rev:GIT"
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_PREFIX = re.compile(r"[0-9a-f]{4,31}")
_BULK = 30  # single reads (4 ms each) cost less than the table of a large experiment up to about here
_TABLES = 5
_CODE = {
    "mlflow.source.git.commit": "git commit",
    "mlflow.source.git.branch": "git branch",
    "mlflow.source.git.repoURL": "repository",
    "mlflow.source.name": "entry point",
    "mlflow.project.entryPoint": "project entry point",
    "dvc.stage": "DVC stage",
    "dvc.root": "DVC project",
}
_ENVIRONMENT = re.compile(
    r"(?:env(?:ironment)?|python|package|library|system|mlflow\.(?:docker|databricks\.cluster))[._]"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference; ``name`` is a run id, model or revision, ``detail`` the version number or alias."""

    kind: str
    name: str
    detail: str = ""
    text: str = ""


def parse(text: str) -> Reference:
    """The reference that ``text`` names; raises BadInput saying which forms there are."""
    kind, _, rest = text.strip().partition(":")
    rest = rest.strip()
    if kind == "run" and (_RUN_ID.fullmatch(rest.lower()) or _PREFIX.fullmatch(rest.lower())):
        return Reference("run", rest.lower(), text=text)
    if kind == "version" and (match := re.fullmatch(r"(.+)/(\d{1,9})", rest)):
        return Reference("version", match[1], str(int(match[2])), text)
    if kind == "alias" and (match := re.fullmatch(r"(.+)@([^@]+)", rest)):
        return Reference("alias", match[1], match[2], text)
    if kind == "rev" and rest and not rest.startswith("-"):
        return Reference("rev", rest, text=text)
    raise BadInput(
        f"'{text}' is not a reference.", f"Write {FORMS}; run ids may be shortened to 4 or more characters."
    )


def resolve(ws: Workspace, references: Sequence[Reference]) -> tuple[Item, ...]:
    """One item a reference, in order; raises NotFound for what the stores do not have."""
    runs = _runs(ws, [reference.name for reference in references if reference.kind == "run"])
    return tuple(
        run_item(runs[reference.name], reference.text) if reference.kind == "run" else _other(ws, reference)
        for reference in references
    )


def told_apart(items: Sequence[Item]) -> tuple[Item, ...]:
    """The same items, each with a label of its own: by run id where two are called the same, else by ref.

    A run may be called as one of the table's own columns is, too.
    """
    labels = [item.label for item in items]
    taken = [*labels, *OWN_COLUMNS]
    named = [
        f"{label} ({item.run_id[:6] if item.run_id else item.ref})" if taken.count(label) > 1 else label
        for label, item in zip(labels, items, strict=True)
    ]
    return tuple(
        replace(item, label=f"{label} [{item.ref}]" if named.count(label) > 1 else label)
        for label, item in zip(named, items, strict=True)
    )


def machine_apart(item: Item) -> Item:
    """The item with MLflow's system metrics in its environment: they differ always, and say nothing of a model.

    For what is laid side by side; a policy's gate may ask for one, so an item has them among its metrics.
    """
    system = {key: f"{value:.4g}" for key, value in item.metrics.items() if key.startswith(SYSTEM)}
    metrics = {key: value for key, value in item.metrics.items() if key not in system}
    return replace(item, metrics=metrics, environment={**item.environment, **system})


def run_item(run: Run, ref: str, **of_version: object) -> Item:
    """A run as an item; MLflow's bookkeeping tags are left out, its code and environment tags get a name."""
    datasets = {f"{item.context or 'data'}: {item.name}": item.digest for item in run.datasets}
    if run.data_hash:
        datasets["training data hash"] = run.data_hash
    code = {name: run.tags[tag] for tag, name in _CODE.items() if run.tags.get(tag)}
    environment = {key: value for key, value in run.tags.items() if _ENVIRONMENT.match(key)}
    deleted = " (deleted)" if run.lifecycle_stage == "deleted" else ""
    values = {
        "label": (run.name or run.run_id[:8]) + deleted,
        "kind": "run",
        "run_id": run.run_id,
        "experiment_id": run.experiment_id,
        "data_hash": run.data_hash,
        "params": run.params,
        "metrics": told_metrics(run.metrics),
        "tags": {
            key: value
            for key, value in run.tags.items()
            if not key.startswith("mlflow.") and key not in _CODE and key not in environment
            and key != "data.hash"
        },
        "datasets": datasets,
        "code": code,
        "environment": environment,
    }  # fmt: skip
    return Item(ref=ref, **(values | of_version))


def _runs(ws: Workspace, wanted: Sequence[str]) -> Mapping[str, Run]:
    """The runs by the id or prefix that was written; many of one experiment cost one read of its table."""
    pending = {
        name: name if _RUN_ID.fullmatch(name) else _complete(ws, name) for name in dict.fromkeys(wanted)
    }
    found: dict[str, Run] = {}
    tables = 0
    for run_id in pending.values():
        if run_id in found:
            continue
        found[run_id] = run = ws.runs.run(run_id)
        missing = set(pending.values()) - set(found)
        if len(missing) >= _BULK and tables < _TABLES:
            tables += 1
            table = ws.runs.search(experiment=run.experiment_id)
            rows = [row for row, listed in enumerate(table.run_ids) if listed in missing]
            if rows:
                found |= {run.run_id: run for run in table.take(rows).runs()}
    return {name: found[run_id] for name, run_id in pending.items()}


def _complete(ws: Workspace, prefix: str) -> str:
    ids = [run_id for run_id in ws.runs.search().run_ids if run_id.startswith(prefix)]
    if not ids:
        raise NotFound(
            f"No active run's id begins with '{prefix}'.", "List ids with `runs search --output json`."
        )
    if len(ids) > 1:
        raise BadInput(f"{len(ids)} run ids begin with '{prefix}'.", "Write more of the id.")
    return ids[0]


def _other(ws: Workspace, reference: Reference) -> Item:
    if reference.kind == "rev":
        from core.compare.revisions import revision_item

        return revision_item(ws.settings, reference.name, reference.text)
    if reference.kind == "alias":
        version = ws.registry.by_alias(reference.name, reference.detail)
    else:
        version = ws.registry.version(reference.name, int(reference.detail))
    return version_item(ws, version.model, version.version, version.run_id, reference.text)


def version_item(ws: Workspace, model: str, number: int, run_id: str | None, ref: str) -> Item:
    """A registered version as an item: the values of its source run, under the version's name."""
    if not run_id:
        raise NotFound(
            f"Version {number} of {model} has no source run, so it has no params or metrics.",
            "Compare a version that was registered from a run.",
        )
    label = f"{model} v{number}"
    return run_item(ws.runs.run(run_id), ref, label=label, kind="version", model=model, version=number)
