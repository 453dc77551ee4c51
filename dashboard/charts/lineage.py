"""The lineage picture. Pure: a graph and a palette in, an ECharts option out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

from core.lineage.layout import Layout, layout
from core.lineage.tree import WORDS, describe
from core.lineage.types import Edge, Evidence, Graph, Node, NodeId, NodeKind, Strength
from dashboard.charts.lineage_icons import LOOKS, disc
from dashboard.palette import Palette, mark

LABELS_UP_TO = 60
LOWEST, ROW, FEW_ROWS, LAYER, TALLEST = 230, 96, 120, 74, 1200
WIDE, NARROW = 840, 220  # pixels: room between the outermost nodes on a desktop and on a phone
NARROW_FRAME = 560  # pixels: as wide as a phone, held across, or less
BESIDE = 26  # letters between a disc in the middle of a phone and the edge
LETTER = 6.6  # pixels, on average
SIZE, SMALL = 38, 9
SELF_EVIDENT = (Evidence.LOCK, Evidence.MLFLOW, Evidence.LEDGER)
STATES = {
    "up-to-date": "UP TO DATE",
    "changed": "CHANGED",
    "never-run": "NOT RUN",
    "output-missing": "OUTPUT MISSING",
    "outdated-upstream": "STALE",
    "not-checked": "NOT CHECKED",
}


class Drawing(NamedTuple):
    """An ECharts option, the height in pixels that it is made for, and that on a screen as narrow as a phone."""

    option: dict[str, Any]
    height: int
    narrow_height: int


def lineage_chart(
    graph: Graph, palette: Palette, selected: NodeId | None = None, *, across: bool = True
) -> Drawing:
    """The graph as an ECharts option: layers from left to right, or from top to bottom on a narrow screen.

    Which of the two is decided in the browser, by the width that there is; ``across=False`` is downwards on any.
    What serves has a ring. Dashed lines are evidence that is less than strong, and evidence that joins two
    stores is written on its line. Tooltips are plain text: names come from people.
    """
    plan = layout([node.id for node in graph.nodes], [(edge.source, edge.target) for edge in graph.edges])
    series = {
        "type": "graph",
        "layout": "none",
        "top": 64,
        "bottom": 56,
        "roam": True,
        "scaleLimit": {"min": 0.5, "max": 8},
        "nodeScaleRatio": 0,
        "preserveAspect": "contain",
        "selectedMode": "single",
        "edgeSymbol": ["none", "arrow"],
        "edgeSymbolSize": 7,
        "label": {"show": len(graph.nodes) <= LABELS_UP_TO},
        "emphasis": {"focus": "adjacency", "scale": False},
        "blur": {"itemStyle": {"opacity": 0.35}, "lineStyle": {"opacity": 0.15}},
        **_placed(graph, plan, palette, selected, across=across),
    }
    option: dict[str, Any] = {
        "animation": False,
        "textStyle": {"fontFamily": "Inter, sans-serif"},
        "tooltip": {
            "renderMode": "richText",
            "backgroundColor": palette.surface,
            "borderColor": palette.grid,
            "textStyle": {"color": palette.text},
        },
        "series": [series],
    }
    height = narrow = _height(plan, across=across)
    if across and len(graph.nodes) <= LABELS_UP_TO:
        narrow = _height(plan, across=False)
        downwards = _placed(graph, plan, palette, selected, across=False)
        option["media"] = [{"query": {"maxWidth": NARROW_FRAME}, "option": {"series": [downwards]}}]
    return Drawing(option, height, narrow)


def _height(plan: Layout, *, across: bool) -> int:
    lines = plan.rows if across else plan.layers
    each = FEW_ROWS if across and lines <= 3 else ROW if across else LAYER
    return max(LOWEST, min(TALLEST, each * lines + 70))


def _placed(
    graph: Graph, plan: Layout, palette: Palette, selected: NodeId | None, *, across: bool
) -> dict[str, Any]:
    """The part of the series that depends on the direction: margins, places, labels."""
    labelled = len(graph.nodes) <= LABELS_UP_TO
    spots = _spots(plan, _height(plan, across=across) - 120, across=across)
    room = _letters(plan, across=across)
    return {
        "left": 84 if across else 64,
        "right": 84 if across else 64,
        "data": [
            {
                "id": node.id,
                "name": node.id,
                "tooltip": {"formatter": _plain(describe(node))},
                **spots[node.id],
                **_look(node, palette, selected, labelled=labelled),
                "label": _label(node, palette, spots[node.id]["label"], room) if labelled else {},
            }
            for node in graph.nodes
        ],
        "links": [_link(edge, palette, labelled=labelled and across) for edge in graph.edges],
    }


def _spots(plan: Layout, height: int, *, across: bool) -> dict[NodeId, dict[str, Any]]:
    """Pixel places in the shape of the frame, so that circles stay circles; labels take turns above and below."""
    along, beside = (WIDE, height) if across else (height, NARROW)
    per_layer = along / max(plan.layers - 1, 1)
    per_row = beside / max(plan.rows - 1, 1)
    taken = set(plan.places.values())
    counts = Counter(layer for layer, _ in taken)
    return {
        node: {"x": layer * per_layer, "y": row * per_row, "label": _side(layer, row, taken)}
        if across
        else {
            "x": row * per_row,
            "y": layer * per_layer,
            "label": "right" if counts[layer] == 1 else "bottom",
        }
        for node, (layer, row) in plan.places.items()
    }


def _side(layer: float, row: float, taken: Collection[tuple[float, float]]) -> str:
    """Labels of neighbours in a row take turns above and below; without a neighbour there is room below."""
    crowded = (layer - 1, row) in taken or (layer + 1, row) in taken
    return "top" if layer % 2 and (crowded or row == 0) else "bottom"


def _letters(plan: Layout, *, across: bool) -> int:
    """How long a label may be without running into the next one on its side."""
    room = 1.9 * WIDE / max(plan.layers - 1, 1) if across else NARROW / max(plan.rows - 1, 1)
    return max(9, min(30, int(room / LETTER)))


def _look(node: Node, palette: Palette, selected: NodeId | None, *, labelled: bool) -> dict[str, Any]:
    """The disc of a node: ringed when it serves or its details are open; a plain dot among very many."""
    index, hollow = LOOKS[node.kind]
    colour = palette.series[index]
    if labelled:
        live = node.attributes.get("live")
        ring = palette.text if node.id == selected else palette.good if live else ""
        return {"symbol": disc(node.kind, palette, ring, over=live is False), "symbolSize": SIZE}
    border = palette.text if node.id == selected else colour
    return {
        "symbol": "circle",
        "symbolSize": SMALL * (2 if node.id == selected else 1),
        "itemStyle": {
            "color": palette.background if hollow else colour,
            "borderColor": border,
            "borderWidth": 2,
        },
    }


def _label(node: Node, palette: Palette, side: str, room: int) -> dict[str, Any]:
    """Name and state in two lines beside the disc, on the page's colour so that no line runs through them."""
    name, told, urgent = _name(node), _told(node), bool(node.attributes.get("live"))
    room = BESIDE if side == "right" else room
    return {
        "show": True,
        "position": side,
        "distance": 3,
        "formatter": f"{{name|{_plain(_cut(name, room, node))}}}\n{{told|{_plain(_cut(told, room))}}}",
        "backgroundColor": palette.background,
        "padding": [1, 3],
        "borderRadius": 3,
        "rich": {
            "name": {"color": palette.text, "fontSize": 11.5, "fontWeight": 600, "lineHeight": 15},
            "told": {
                "color": palette.good if urgent else palette.muted,
                "fontSize": 10.5,
                "fontWeight": 700 if urgent else 400,
                "lineHeight": 13,
            },
        },
    }


def _name(node: Node) -> str:
    attributes = node.attributes
    if node.kind is NodeKind.DEPLOYMENT and "environment" in attributes:
        return str(attributes["environment"])
    if "path" in attributes and node.kind is not NodeKind.PREDICTION_LOG:
        return "/".join(str(attributes["path"]).rstrip("/").split("/")[-2:])
    return node.name


def _told(node: Node) -> str:
    """The second line: the state where there is one, else the kind and what tells the node apart."""
    attributes = node.attributes
    if "live" in attributes:
        word = "LIVE" if attributes["live"] else "ENDED"
        when = str(attributes.get("since" if attributes["live"] else "until") or "")[:10]
        return f"{mark(word).shape} {word}{' since' * bool(when and attributes['live'])} {when}".strip()
    state = STATES.get(str(attributes.get("status", "")))
    if node.kind is NodeKind.STAGE and state:
        return f"{mark(state).shape} {state.lower()}"
    if attributes.get("stages"):
        return f"release in {', '.join(attributes['stages'])}"
    if attributes.get("aliases"):
        return ", ".join(attributes["aliases"])
    if node.kind is NodeKind.COMMIT:
        return str(attributes.get("subject") or "commit")
    apart = str(attributes.get("hash") or attributes.get("revision") or "")[:7]
    return f"{WORDS[node.kind]} {apart}".strip()


def _cut(text: str, room: int, node: Node | None = None) -> str:
    """At most ``room`` letters: a path loses its beginning, other texts their end."""
    if len(text) <= room:
        return text
    is_path = node is not None and "path" in node.attributes
    return f"…{text[1 - room :]}" if is_path else f"{text[: room - 1]}…"


def _link(edge: Edge, palette: Palette, *, labelled: bool) -> dict[str, Any]:
    told = f"{edge.evidence.value} ({edge.strength.label})" + (f": {edge.note}" if edge.note else "")
    strong = edge.strength >= Strength.STRONG
    link: dict[str, Any] = {
        "source": edge.source,
        "target": edge.target,
        "lineStyle": {
            "color": palette.muted,
            "opacity": 0.75,
            "width": 1.4 if strong else 1.2,
            "type": "solid" if strong else "dashed",
        },
        "tooltip": {"formatter": _plain(told)},
    }
    if labelled and (edge.evidence not in SELF_EVIDENT or not strong):
        link["label"] = {
            "show": True,
            "formatter": _plain(edge.evidence.value),
            "fontSize": 9.5,
            "color": palette.muted,
            "backgroundColor": palette.background,
            "padding": [0, 2],
        }
    return link


def _plain(text: str) -> str:
    """Text without what ECharts' formatter or its rich text would read as markup."""
    return text.replace("{", "(").replace("}", ")").replace("|", "¦")
