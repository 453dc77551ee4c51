"""``lineage``: from a row of data to what serves, and back."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import (
    HERE,
    ModelArgument,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_json,
    print_table,
    progress,
)
from core.errors import ExitCode, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from core.lineage.difference import Difference
    from core.lineage.questions import Impact
    from core.lineage.types import Graph, NodeId
    from core.lineage.walk import Direction

app = typer.Typer(
    help="What came from what: data, stages, runs, versions, deployments.", no_args_is_help=True
)

Reference = Annotated[
    str,
    typer.Argument(
        help="version:MODEL/N, alias:MODEL@NAME, run:ID, rev:COMMIT, PATH[@REVISION], a content hash, a stage."
    ),
]
Hops = Annotated[int | None, typer.Option("--hops", min=1, help="At most this many steps away.")]


class Format(StrEnum):
    """What ``export`` writes."""

    OPENLINEAGE = "openlineage"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"
    SVG = "svg"
    PNG = "png"


@app.command()
def upstream(
    reference: Reference,
    hops: Hops = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Everything that a thing came from.

    Example: python -m core lineage upstream alias:diagnosis-risk@champion --workspace .demo
    """
    from core.lineage import questions
    from core.lineage.find import find
    from core.lineage.walk import Direction

    with _read(workspace) as graph:
        _print(questions.upstream(graph, reference, hops), output, find(graph, reference), Direction.UP)


@app.command()
def downstream(
    reference: Reference,
    hops: Hops = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Everything that came from a thing.

    Example: python -m core lineage downstream data/raw/patients.csv --workspace .demo
    """
    from core.lineage import questions
    from core.lineage.find import find
    from core.lineage.walk import Direction

    with _read(workspace) as graph:
        _print(questions.downstream(graph, reference, hops), output, find(graph, reference), Direction.DOWN)


@app.command()
def impact(
    data: Annotated[str, typer.Argument(help="A content hash (4 characters are enough) or PATH[@REVISION].")],
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Which versions and deployments descend from this data? Live ones first, with who approved them.

    Example: python -m core lineage impact data/raw/patients.csv@HEAD~2 --workspace .demo
    """
    from core.lineage import questions

    with _read(workspace) as graph:
        _print_impact(questions.impact(graph, data), output)


def _print_impact(answer: Impact, output: Output) -> None:
    if output is Output.JSON:
        print_json(answer.as_dict())
        return
    rows = [
        (
            version.node.name,
            ", ".join(node.attributes["environment"] for node in version.live) or "not live",
            ", ".join(version.approved_by) or "-",
            version.strength.label,
        )
        for version in (*answer.versions, *answer.possible)
    ]
    print_table(("version", "live in", "approved by", "evidence"), rows, output)
    if answer.possible:
        log(f"{len(answer.possible)} of these share only a name with what was trained on it.")


@app.command()
def origin(
    model: ModelArgument,
    version: Annotated[int, typer.Argument(min=1, help="The version's number.")],
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """What exactly produced a model version.

    Example: python -m core lineage origin diagnosis-risk 3 --workspace .demo
    """
    from core.lineage import questions
    from core.lineage.find import find_version
    from core.lineage.walk import Direction

    with _read(workspace) as graph:
        found = questions.origin(graph, model, version)
        _print(found, output, (find_version(found, model, version),), Direction.UP)


@app.command()
def path(
    start: Reference,
    end: Annotated[str, typer.Argument(help="The other end, written in the same ways.")],
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """All ways from one thing to another.

    Example: python -m core lineage path data/raw/patients.csv version:diagnosis-risk/3 --workspace .demo
    """
    from core.lineage import questions
    from core.lineage.find import find
    from core.lineage.walk import Direction

    with _read(workspace) as graph:
        found = questions.path(graph, start, end)
        if not found.nodes:
            log(f"No way leads from {start} to {end} or back.")
        ends = (*find(graph, start), *find(graph, end))
        sources = [node for node in ends if not found.incoming.get(node, True)]
        _print(found, output, sources, Direction.DOWN)


@app.command()
def diff(
    left: Annotated[str, typer.Argument(help="MODEL/N")],
    right: Annotated[str, typer.Argument(help="MODEL/N")],
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Which data, params, code and environment differ between two versions.

    Example: python -m core lineage diff diagnosis-risk/2 diagnosis-risk/3 --workspace .demo
    """
    from core.lineage.difference import diff as difference
    from core.lineage.environment import read_environments
    from core.lineage.questions import as_version
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    one, other = as_version(left), as_version(right)
    with _read(workspace) as graph:
        _print_diff(difference(graph, one, other, read_environments(ws, (one, other))), output)


def _print_diff(found: Difference, output: Output) -> None:
    if output is Output.JSON:
        print_json(found.as_dict())
        return
    rows = [(change.aspect.value, change.key, change.left, change.right) for change in found.changes]
    print_table(("aspect", "what", found.left.name, found.right.name), rows, output)
    for aspect in found.unknown:
        log(f"One of the two records no {aspect.value}: no difference there proves nothing.")


@app.command("hash")
def hash_files(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Read the artifacts of runs that no tag joins to a stage, and compare them with DVC's files from now on.

    Example: python -m core lineage hash --workspace .demo
    """
    from core.lineage.artifacts import candidates, hash_artifacts
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    runs = candidates(ws.runs.search().runs())
    with progress("Hashing the artifacts", f"of {len(runs):,} runs") as advance:
        found = hash_artifacts(ws, runs, lambda done, total: advance(1))
    counted = {
        "runs": len(runs),
        "hashed": sum(len(files) for files in found.files.values()),
        "unread": found.unread,
    }
    if output is Output.JSON:
        print_json(counted)
    else:
        print_table(tuple(counted), [tuple(counted.values())], output)


@app.command()
def export(
    reference: Annotated[str | None, typer.Argument(help="Only what this came from and went to.")] = None,
    format: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.JSON,
    hops: Hops = None,
    workspace: WorkspaceOption = HERE,
) -> None:
    """Write the graph for other programs; OpenLineage is a JSON array of run events.

    Example: python -m core lineage export --format openlineage --workspace .demo > events.json
    """
    from core.lineage.find import find
    from core.lineage.questions import neighbourhood

    with _read(workspace) as graph:
        if reference:
            graph = neighbourhood(graph, find(graph, reference), hops or len(graph.nodes))
        _write(graph, format, workspace)


def _write(graph: Graph, format: Format, workspace: Path) -> None:
    from core.lineage import export as drawings
    from core.lineage.openlineage import to_openlineage

    if format is Format.JSON:
        print_json(graph.as_dict())
    elif format is Format.OPENLINEAGE:
        json.dump(to_openlineage(graph, _namespace(workspace)), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    elif format is Format.PNG:
        from core.lineage.png import to_png

        sys.stdout.buffer.write(to_png(graph))
    else:
        writers = {
            Format.MERMAID: drawings.to_mermaid,
            Format.DOT: drawings.to_dot,
            Format.SVG: drawings.to_svg,
        }
        sys.stdout.write(writers[format](graph))


@contextmanager
def _read(workspace: Path) -> Iterator[Graph]:
    """The graph; where a store did not answer, what is known is told, and it ends as an outage does."""
    from core.errors import NotFound
    from core.lineage.build import build
    from core.workspace import open_workspace

    graph = build(open_workspace(workspace))
    for sentence in graph.notes:
        log(sentence)
    try:
        yield graph
    except NotFound as error:
        if not graph.incomplete:
            raise
        raise Unavailable(f"{error.what} A store did not answer: it may be there.", "Try again.") from error
    if graph.incomplete:
        log("What that store knows is missing here.")
        raise typer.Exit(ExitCode.INFRASTRUCTURE)


def _namespace(workspace: Path) -> str:
    from core.workspace import open_workspace

    return open_workspace(workspace).settings.name


def _print(graph: Graph, output: Output, starts: Iterable[NodeId], direction: Direction) -> None:
    from core.lineage.tree import describe, tree

    if output is Output.JSON:
        print_json(graph.as_dict())
    elif output is Output.MARKDOWN:
        rows = [(node.kind.value, node.name, describe(node)) for node in graph.nodes]
        print_table(("kind", "name", "told apart by"), rows, output)
    else:
        trees = (tree(graph, start, direction) for start in starts if start in graph.by_id)
        sys.stdout.writelines(f"{line}\n" for lines in trees for line in lines)
