"""``python -m core compare``: what differs, and which candidate is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, log, print_json, print_table

if TYPE_CHECKING:
    from core.compare.types import Comparison, Verdict


def compare(
    refs: Annotated[
        list[str],
        typer.Argument(help="run:ID, version:MODEL/N, alias:MODEL@NAME or rev:GIT.", metavar="REF..."),
    ],
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", help="What to measure against; default: production, else the first REF."),
    ] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what differs between 2 to 500 runs, versions or DVC revisions, and whether any is better.

    Lists of values are in the order of "items": the baseline first when it is none of the REFs, then the
    REFs as given. Differences are candidate minus baseline, with a 95 % interval. A missing value is null.
    Run ids may be shortened to 4 or more characters. Unknown references end with exit code 2.

    Example: python -m core compare run:3f2a run:9c41 --baseline alias:diagnosis-risk@champion --output json
    """
    from core.compare.engine import compare as compare_items
    from core.workspace import open_workspace

    comparison = compare_items(open_workspace(workspace), refs, baseline)
    for sentence in comparison.warnings:
        log(f"warning: {sentence}")
    if output is Output.JSON:
        print_json(payload(comparison))
    else:
        _print_tables(comparison, output)


def payload(comparison: Comparison) -> dict[str, Any]:
    """The documented JSON of a comparison."""
    from core.compare.types import Section

    differing: dict[str, dict[str, list[object]]] = {section.value: {} for section in Section}
    for row in comparison.differences.differing:
        differing[row.section.value][row.key] = list(row.values)
    return {
        "baseline": comparison.baseline.ref,
        "baseline_reason": comparison.baseline_reason,
        "items": [
            {
                "ref": item.ref,
                "kind": item.kind,
                "name": item.label,
                "run_id": item.run_id,
                "model": item.model,
                "version": item.version,
                "baseline": index == comparison.baseline_index,
            }
            for index, item in enumerate(comparison.items)
        ],
        "differing": differing,
        "identical": len(comparison.differences.identical),
        "verdicts": [_verdict(verdict) for verdict in comparison.verdicts],
        "warnings": list(comparison.warnings),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "candidate": verdict.candidate,
        "metric": verdict.metric,
        "verdict": verdict.word.value,
        "difference": verdict.difference,
        "low": verdict.low,
        "high": verdict.high,
        "n": verdict.n,
        "method": verdict.method,
        "reason": verdict.reason,
        "adjusted_p": verdict.adjusted_p,
    }


def _print_tables(comparison: Comparison, output: Output) -> None:
    log(f"baseline: {comparison.baseline.ref} ({comparison.baseline_reason})")
    rows = [[row.section.value, row.key, *row.values] for row in comparison.differences.differing]
    print_table(["", "key", *(item.label for item in comparison.items)], rows, output)
    print()
    columns = ["candidate", "metric", "verdict", "difference", "95 % interval", "n", "reason"]
    print_table(columns, [_verdict_cells(verdict) for verdict in comparison.verdicts], output)
    log(f"{len(comparison.differences.identical)} identical rows hidden")


def _verdict_cells(verdict: Verdict) -> list[object]:
    known = verdict.low is not None and verdict.high is not None
    interval = f"{verdict.low:+.4g} to {verdict.high:+.4g}" if known else None
    return [
        verdict.candidate, verdict.metric, verdict.word.value, verdict.difference, interval, verdict.n, verdict.reason,
    ]  # fmt: skip
