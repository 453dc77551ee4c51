"""``gate``: a policy's gates on a run or version, for a CI job to branch on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, log, print_json, print_table
from core.errors import BadInput, BadSettings, ExitCode

if TYPE_CHECKING:
    from core.compare.types import Item
    from core.registry.policy import Policy, Tier
    from core.workspace import Workspace

MARKER = "<!-- model-desk:gate -->"
"""Lets a CI job find and replace its own comment under a pull request."""


def gate(
    run: Annotated[
        str | None, typer.Option("--run", help="The candidate run's id (4 or more characters).")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="The candidate version, MODEL/V.")] = None,
    against: Annotated[
        str, typer.Option("--against", help="champion, or a reference such as alias:MODEL@NAME.")
    ] = "champion",
    model: Annotated[str | None, typer.Option("--model", help="The model that the run is for.")] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Policy file; default: the workspace's.")
    ] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Evaluate a policy's gates; nothing is recorded.

    Exit code: 0 PASS, 3 FAIL, 4 INCONCLUSIVE (a missing metric, too few rows).

    Example: python -m core gate --run 3f2a --against champion --policy policy.yaml --output markdown
    """
    from core.compare.references import parse, resolve
    from core.registry.gates import Verdict, evaluate, overall, size_of
    from core.workspace import open_workspace

    if (run is None) is (version is None):
        raise BadInput("Name one candidate.", "Give either --run ID or --version MODEL/V.")
    ws = open_workspace(workspace)
    candidate = resolve(ws, [parse(f"run:{run}" if run else f"version:{version}")])[0]
    champion, name = _champion(ws, candidate, against, model)
    tier = _tier(_policy(ws, policy), name)
    size = size_of(ws, candidate.model, candidate.version) if candidate.model and candidate.version else None
    results = evaluate(ws, tier, candidate, champion, size)
    verdict = overall(results)
    if not results:
        log(f"The tier '{tier.name}' has no gates, so nothing was shown.")
    if output is Output.JSON:
        print_json({"verdict": str(verdict), "gates": [asdict(result) for result in results]})
    else:
        if output is Output.MARKDOWN:
            typer.echo(f"{MARKER}\n**{verdict}**: {candidate.label} by tier `{tier.name}`\n")
        rows = [[item.name, str(item.verdict), item.value, item.threshold, item.reason] for item in results]
        print_table(["gate", "verdict", "value", "threshold", "reason"], rows, output)
        if output is Output.TABLE:
            log(str(verdict))
    codes = {Verdict.FAIL: ExitCode.CHECK_FAILED, Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
    if verdict in codes:
        raise typer.Exit(codes[verdict])


def _champion(
    ws: Workspace, candidate: Item, against: str, model: str | None
) -> tuple[Item | str, str | None]:
    """What to measure against (or why there is nothing), and the model that it is about."""
    from core.compare.baseline import production_baseline
    from core.compare.references import parse, resolve
    from core.registry.gates import champion_item

    name = candidate.model or model
    if against != "champion":
        other = resolve(ws, [parse(against)])[0]
        return other, name or other.model
    if name:
        alias = ws.settings.environments.get("production", "champion")
        return champion_item(ws, name, ws.registry.model(name).aliases.get(alias)), name
    found = production_baseline(ws, (candidate,))
    if isinstance(found, str):
        return f"no champion: {found} (name the model with --model)", None
    return found[0], found[0].model


def _policy(ws: Workspace, file: Path | None) -> Policy:
    from core.registry.policy import policy_of, read_policy

    found = read_policy(file) if file else policy_of(ws)
    if found is None:
        raise BadSettings(
            "No policy is configured.", "Give --policy FILE, or set `policy` in modeldesk.toml."
        )
    return found


def _tier(policy: Policy, model: str | None) -> Tier:
    if model is None:
        if len(policy.tiers) == 1:
            return policy.tiers[0]
        raise BadInput("Which model the run is for is not known.", "Name it with --model.")
    found = next((tier for tier in policy.tiers if tier.covers(model)), None)
    if found is None:
        raise BadInput(
            f"No tier of {policy.source} covers the model '{model}'.", "Add it to a tier's models."
        )
    return found
