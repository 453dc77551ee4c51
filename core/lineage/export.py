"""The graph for other programs: Mermaid, Graphviz dot and SVG (OpenLineage has its own module)."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from core.lineage.layout import layout
from core.lineage.tree import WORDS, describe
from core.lineage.types import Graph, Node, NodeId, NodeKind, Strength

COLUMN, ROW, RADIUS, MARGIN, LABEL = 190, 62, 9, 60, 26
COLOUR = "#4f5bd5"

SHAPES = {
    NodeKind.DATA: ("[(", ")]", "cylinder"),
    NodeKind.DATASET: ("[(", ")]", "cylinder"),
    NodeKind.PREDICTION_LOG: ("[(", ")]", "cylinder"),
    NodeKind.STAGE: ("[", "]", "box"),
    NodeKind.PARAMS: ("[/", "/]", "parallelogram"),
    NodeKind.COMMIT: ("((", "))", "circle"),
    NodeKind.CODE: ("[/", "/]", "note"),
    NodeKind.RUN: ("([", "])", "ellipse"),
    NodeKind.MODEL_FILE: ("[[", "]]", "folder"),
    NodeKind.LOGGED_MODEL: ("[[", "]]", "component"),
    NodeKind.RELEASE: ("[[", "]]", "tab"),
    NodeKind.VERSION: ("{{", "}}", "hexagon"),
    NodeKind.DEPLOYMENT: (">", "]", "cds"),
}


def to_mermaid(graph: Graph) -> str:
    """A Mermaid flowchart; dotted arrows where the evidence is less than strong."""
    names = {node.id: f"n{index}" for index, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        opening, closing, _ = SHAPES[node.kind]
        lines.append(f'    {names[node.id]}{opening}"{_mermaid_text(_title(node))}"{closing}')
    for edge in graph.edges:
        arrow = "-->" if edge.strength >= Strength.STRONG else "-.->"
        lines.append(f"    {names[edge.source]} {arrow} {names[edge.target]}")
    return "\n".join(lines) + "\n"


def to_dot(graph: Graph) -> str:
    """A Graphviz digraph; dashed edges where the evidence is less than strong."""
    lines = ["digraph lineage {", "    rankdir=LR;", '    node [fontname="sans-serif"];']
    for node in graph.nodes:
        shape = SHAPES[node.kind][2]
        lines.append(f"    {_dot_text(node.id)} [label={_dot_text(_title(node))}, shape={shape}];")
    for edge in graph.edges:
        style = "solid" if edge.strength >= Strength.STRONG else "dashed"
        tip = _dot_text(f"{edge.evidence.value} ({edge.strength.label})")
        lines.append(
            f"    {_dot_text(edge.source)} -> {_dot_text(edge.target)} [style={style}, tooltip={tip}];"
        )
    return "\n".join([*lines, "}"]) + "\n"


def to_svg(graph: Graph, colours: dict[NodeKind, str] | None = None) -> str:
    """A self-contained SVG drawing in our own layout, with a title for each node and edge."""
    spots, width, height = places(graph)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="11" role="img" aria-label="Lineage graph">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#888"/></marker></defs>',
    ]
    for edge in graph.edges:
        dashes = "" if edge.strength >= Strength.STRONG else ' stroke-dasharray="4 3"'
        tip = escape(f"{edge.evidence.value} ({edge.strength.label})")
        parts.append(
            f'<path d="{_curve(spots[edge.source], spots[edge.target])}" fill="none" stroke="#888"{dashes} '
            f'marker-end="url(#tip)"><title>{tip}</title></path>'
        )
    parts += [_svg_node(node, spots[node.id], (colours or {}).get(node.kind, COLOUR)) for node in graph.nodes]
    return "\n".join([*parts, "</svg>"]) + "\n"


def places(graph: Graph) -> tuple[dict[NodeId, tuple[float, float]], float, float]:
    """Where each node of a drawing goes, and the drawing's width and height, in pixels."""
    plan = layout([node.id for node in graph.nodes], [(edge.source, edge.target) for edge in graph.edges])
    spots = {
        node: (MARGIN + layer * COLUMN, MARGIN + row * ROW) for node, (layer, row) in plan.places.items()
    }
    width = 2 * MARGIN + max(plan.layers - 1, 0) * COLUMN + COLUMN // 2
    return spots, width, 2 * MARGIN + max(plan.rows - 1, 0) * ROW


def shortened(name: str, letters: int) -> str:
    """At most so many letters; a long name loses its beginning, which says least in a path."""
    return name if len(name) <= letters else f"…{name[1 - letters :]}"


def _svg_node(node: Node, spot: tuple[float, float], colour: str) -> str:
    x, y = spot
    name = shortened(node.name, LABEL)
    return (
        f"<g><title>{escape(describe(node))}</title>"
        f'<circle cx="{x:g}" cy="{y:g}" r="{RADIUS}" fill={quoteattr(colour)}/>'
        f'<text x="{x:g}" y="{y + RADIUS + 13:g}" text-anchor="middle" fill="#555">{escape(name)}</text></g>'
    )


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    side = 1 if x2 >= x1 else -1
    x1, x2 = x1 + side * RADIUS, x2 - side * (RADIUS + 2)
    middle = (x1 + x2) / 2
    return f"M{x1:g},{y1:g} C{middle:g},{y1:g} {middle:g},{y2:g} {x2:g},{y2:g}"


def _title(node: Node) -> str:
    return f"{WORDS[node.kind]}: {node.name}"


def _mermaid_text(text: str) -> str:
    """Mermaid's own entity codes for what would end a quoted label or start markup."""
    codes = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"}
    return "".join(codes.get(letter, letter) for letter in " ".join(text.split()))


def _dot_text(text: str) -> str:
    plain = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
