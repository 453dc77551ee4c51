"""What every command shares: its options, and how it prints data and ends."""

from __future__ import annotations

import functools
import inspect
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import BadInput, ModelDeskError
from core.files import whole_file

SCHEMA_VERSION = 1


class Output(StrEnum):
    """How stdout is written."""

    JSON = "json"
    TABLE = "table"
    MARKDOWN = "markdown"


WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", envvar="MODELDESK_WORKSPACE", help="Folder that holds modeldesk.toml.")
]
OutputOption = Annotated[Output, typer.Option("--output", help="json, table or markdown.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]
ModelArgument = Annotated[str, typer.Argument(help="The registered model.")]
EnvironmentOption = Annotated[str, typer.Option("--environment", help="production, staging ...")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the ledger.")]
KeyOption = Annotated[
    str | None, typer.Option("--idempotency-key", help="The same key acts once; a CI job's id, say.")
]

HERE = Path()


def rehearsable(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with --dry-run: every check is the real one, nothing is kept, and what would be is said.

    For commands whose only write is to the ledger; others say themselves what they would do.
    """

    @functools.wraps(command)
    def run(*arguments: Any, dry_run: bool = False, **options: Any) -> None:
        from core.workspace import rehearsing

        with rehearsing(dry_run):
            try:
                command(*arguments, **options)
            finally:
                if dry_run:
                    log("Dry run: nothing was recorded.")

    signature = inspect.signature(command, eval_str=True)
    added = inspect.Parameter(
        "dry_run", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=DryRunOption
    )
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), added])  # type: ignore[attr-defined]
    hints = {name: one.annotation for name, one in signature.parameters.items()}
    run.__annotations__ = hints | {"dry_run": DryRunOption}
    return run


def end_rehearsal(blocked: ModelDeskError | None) -> None:
    """End a dry run of what would be refused with the exit code that the act itself would have."""
    if blocked:
        raise typer.Exit(blocked.exit_code)


def moment(text: str, *, end_of_day: bool = True) -> datetime:
    """A day means its end (or its beginning), a time without a zone is UTC. Raises BadInput."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"'{text}' is no date.", "Write 2026-03-03 or 2026-03-03T09:00Z.") from error
    if len(text) == len("2026-03-03"):
        at = datetime.combine(at.date(), time.max if end_of_day else time.min)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def print_json(payload: dict[str, Any], out: Path | None = None) -> None:
    """``payload`` as JSON on stdout (or in a file), ``schema_version`` first; NaN and infinities as strings."""
    from core.workspace import is_rehearsing

    document = {"schema_version": SCHEMA_VERSION} | payload | ({"dry_run": True} if is_rehearsing() else {})
    text = json.dumps(_plain(document), ensure_ascii=False, allow_nan=False, default=str) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        write_file(out, text)


def write_file(out: Path, text: str) -> None:
    """``text`` in the file ``out``, whole or not at all. Raises BadInput and Unavailable."""
    with whole_file(out) as target:
        target.write(text.encode())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], output: Output) -> None:
    """Rows under ``columns`` as an aligned text table or a Markdown table on stdout."""
    cells = [[_cell(value) for value in row] for row in rows]
    if output is Output.MARKDOWN:
        lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    else:
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [list(columns), *cells]
        ]
    sys.stdout.write("\n".join(lines) + "\n")


def print_facts(facts: dict[str, Any], output: Output) -> None:
    """One thing: JSON, or a table of its facts."""
    if output is Output.JSON:
        print_json(facts)
    else:
        print_table(list(facts), [list(facts.values())], output)


def print_lines(facts: dict[str, Any], output: Output) -> None:
    """One thing with many facts: JSON, or a line for each."""
    if output is Output.JSON:
        print_json(facts)
    else:
        print_table(["what", "value"], list(facts.items()), output)


def log(message: str) -> None:
    """A line for the person at the terminal; stdout stays data alone."""
    print(message, file=sys.stderr)


@contextmanager
def progress(label: str, unit: str) -> Iterator[Callable[[int], None]]:
    """A counter of ``unit`` on stderr for long work, drawn only where stderr is a terminal."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{label}: {done:,} {unit}")
            sys.stderr.flush()

    try:
        yield advance
    finally:
        if done and sys.stderr.isatty():
            sys.stderr.write("\n")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
