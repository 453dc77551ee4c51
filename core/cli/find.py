"""``find`` and ``register``: from what one has at hand to a version, and from a run to a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import (
    HERE,
    KeyOption,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_json,
    print_lines,
    print_table,
    rehearsable,
)
from core.errors import BadInput

if TYPE_CHECKING:
    from core.registry.finding import Found


def find(
    text: Annotated[
        str | None,
        typer.Argument(help="A model, MODEL/N, alias, request id, or the start of a run id, commit or hash."),
    ] = None,
    best: Annotated[
        str | None, typer.Option("--best", metavar="METRIC", help="Versions by this metric, the best first.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="With --best: only this model.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="With --best: trained on this data set (name or hash).")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", help="With --best: from this experiment.")
    ] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Find model versions by whatever you have, or the best ones for some data.

    Example: python -m core find --best auroc --model diagnosis-risk --data patients-train
    """
    from core.registry import finding
    from core.workspace import open_workspace

    if (text is None) is (best is None):
        raise BadInput("Say what to look for.", "Give a TEXT, or --best METRIC.")
    ws = open_workspace(workspace)
    found = (
        finding.find(ws, text) if text is not None else finding.best(ws, best or "", model, data, experiment)
    )
    facts = [_facts(one, best) for one in found]
    if output is Output.JSON:
        print_json({"versions": facts})
        return
    columns = ["model", "version", "aliases", "live_in", "run_id", "git_commit", "data_hash", "because"]
    columns += ["value"] if best else []
    rows = [[_short(name, fact[name]) for name in columns] for fact in facts]
    print_table(columns, rows, output)


@rehearsable
def register(
    run: Annotated[str, typer.Option("--run", help="The run whose model is registered.")],
    model: Annotated[
        str | None,
        typer.Option("--model", help="The registered model; default: that of the run's experiment."),
    ] = None,
    idempotency_key: KeyOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a version of a run's model; the same content gives the same version, however often it is asked.

    The version keeps the content's SHA-256, the git commit, the hash of dvc.lock and of the training data.

    Example: python -m core register --run 3f2a9c0d1e5b4f6a8b7c9d0e1f2a3b4c --model diagnosis-risk --output json
    """
    from dataclasses import asdict

    from core.access import local_actor
    from core.registry.register import register as make
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    made = make(ws, run, model, local_actor(ws.settings), idempotency_key)
    facts = asdict(made)
    print_lines(facts, output)
    log(made.sentence)


def _facts(found: Found, metric: str | None) -> dict[str, Any]:
    version, run = found.entry.version, found.entry.run
    return {
        "model": version.model,
        "version": version.version,
        "aliases": list(version.aliases),
        "live_in": list(found.live_in),
        "run_id": version.run_id,
        "git_commit": run.git_commit if run else None,
        "data_hash": run.data_hash if run else None,
        "because": found.because,
        "metric": metric,
        "value": found.value,
    }


def _short(name: str, value: object) -> object:
    if isinstance(value, list):
        return ", ".join(value) or None
    return value[:10] if name in ("run_id", "git_commit", "data_hash") and isinstance(value, str) else value
