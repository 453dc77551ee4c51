"""``gate``: a policy's gates on a run or version, for a CI job to branch on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, log, print_json, print_table
from core.errors import ExitCode

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
    from core.registry.candidate import candidate_item, judge_candidate
    from core.registry.gates import Verdict
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    judged = judge_candidate(ws, candidate_item(ws, run, version), against, model, policy)
    results, verdict, tier = judged.results, judged.verdict, judged.tier
    if not results:
        log(f"The tier '{tier.name}' has no gates, so nothing was shown.")
    if output is Output.JSON:
        print_json({"verdict": str(verdict), "gates": [asdict(result) for result in results]})
    else:
        if output is Output.MARKDOWN:
            typer.echo(f"{MARKER}\n**{verdict}**: {judged.candidate.label} by tier `{tier.name}`\n")
        rows = [[item.name, str(item.verdict), item.value, item.threshold, item.reason] for item in results]
        print_table(["gate", "verdict", "value", "threshold", "reason"], rows, output)
        if output is Output.TABLE:
            log(str(verdict))
    codes = {Verdict.FAIL: ExitCode.CHECK_FAILED, Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
    if verdict in codes:
        raise typer.Exit(codes[verdict])
