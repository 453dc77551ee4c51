"""The lineage picture. Pure: a graph and a palette in, an ECharts option out."""

from __future__ import annotations

from typing import Any, NamedTuple

from core.lineage.layout import Layout, layout
from core.lineage.tree import WORDS, describe
from core.lineage.types import Edge, Graph, Node, NodeId, NodeKind, Strength
from dashboard.palette import Palette, mark

LABELS_UP_TO = 60
LABEL_LENGTH = 24
LOWEST, ROW, TALLEST = 300, 62, 1200
WIDE, COLUMN = 640, 130  # pixels: room across on a desktop, and a column's least when drawn downwards

# (place in the palette's series, hollow): what is data is hollow or full in one colour, and so on by pairs.
_LOOKS: dict[NodeKind, tuple[int, bool]] = {
    NodeKind.DATA: (0, False),
    NodeKind.DATASET: (0, True),
    NodeKind.PARAMS: (4, True),
    NodeKind.COMMIT: (7, True),
    NodeKind.CODE: (7, False),
    NodeKind.STAGE: (2, False),
    NodeKind.MODEL_FILE: (3, False),
    NodeKind.LOGGED_MODEL: (3, True),
    NodeKind.RUN: (6, False),
    NodeKind.VERSION: (1, False),
    NodeKind.DEPLOYMENT: (5, False),
    NodeKind.PREDICTION_LOG: (5, True),
}
_SIZES = {NodeKind.VERSION: 26, NodeKind.DEPLOYMENT: 26, NodeKind.STAGE: 20, NodeKind.RUN: 20}
STATES = {
    "up-to-date": "UP TO DATE",
    "changed": "CHANGED",
    "never-run": "NOT RUN",
    "output-missing": "OUTPUT MISSING",
    "outdated-upstream": "STALE",
    "not-checked": "NOT CHECKED",
}


class Drawing(NamedTuple):
    """An ECharts option and the height in pixels that it is made for."""

    option: dict[str, Any]
    height: int


def lineage_chart(
    graph: Graph, palette: Palette, selected: NodeId | None = None, *, across: bool = True
) -> Drawing:
    """The graph as an ECharts option: layers from left to right, or from top to bottom on a narrow screen.

    Dashed lines are evidence that is less than strong. Tooltips are plain text: names come from people.
    """
    plan = layout([node.id for node in graph.nodes], [(edge.source, edge.target) for edge in graph.edges])
    height = max(LOWEST, min(TALLEST, 110 + ROW * (plan.rows if across else plan.layers)))
    spots = _spots(plan, height - 80, across=across)
    kinds = [kind for kind in NodeKind if any(node.kind is kind for node in graph.nodes)]
    labelled = len(graph.nodes) <= LABELS_UP_TO
    option = {
        "animation": False,
        "tooltip": {
            "renderMode": "richText",
            "backgroundColor": palette.surface,
            "borderColor": palette.grid,
            "textStyle": {"color": palette.text},
        },
        "legend": {
            "type": "scroll",
            "top": 0,
            "itemWidth": 12,
            "itemHeight": 12,
            "itemGap": 8,
            "textStyle": {"color": palette.text, "fontSize": 11},
            "pageTextStyle": {"color": palette.text},
            "pageIconColor": palette.muted,
            "data": [{"name": WORDS[kind], "icon": "circle"} for kind in kinds],
        },
        "series": [
            {
                "type": "graph",
                "layout": "none",
                "top": 44,
                "bottom": 34,
                "left": 70,
                "right": 70,
                "roam": True,
                "scaleLimit": {"min": 0.5, "max": 8},
                "nodeScaleRatio": 0,
                "preserveAspect": "contain",
                "selectedMode": "single",
                "select": {"itemStyle": {"borderColor": palette.text, "borderWidth": 4}},
                "symbol": "circle",
                "edgeSymbol": ["none", "arrow"],
                "edgeSymbolSize": 7,
                "categories": [
                    {"name": WORDS[kind], "itemStyle": _item_style(kind, palette)} for kind in kinds
                ],
                "data": [
                    {
                        "id": node.id,
                        "name": _label(node),
                        "category": kinds.index(node.kind),
                        "symbolSize": _SIZES.get(node.kind, 15) * (1 if labelled else 0.55),
                        "tooltip": {"formatter": _plain(describe(node))},
                        **spots[node.id],
                        **(_chosen(palette, spots[node.id]) if node.id == selected else {}),
                    }
                    for node in graph.nodes
                ],
                "links": [_link(edge, palette) for edge in graph.edges],
                "label": {"show": labelled, "distance": 4, "color": palette.text, "fontSize": 11},
                "labelLayout": {"hideOverlap": True},
                "emphasis": {"focus": "adjacency", "label": {"show": True}},
                "blur": {"itemStyle": {"opacity": 0.35}, "lineStyle": {"opacity": 0.15}},
            }
        ],
    }
    return Drawing(option, height)


def _spots(plan: Layout, height: int, *, across: bool) -> dict[NodeId, dict[str, Any]]:
    """Pixel places in the shape of the frame, so that circles stay circles; labels take turns above and below."""
    per_layer = (WIDE if across else height) / max(plan.layers - 1, 1)
    per_row = height / max(plan.rows - 1, 1) if across else min(COLUMN, WIDE / max(plan.rows - 1, 1))
    return {
        node: {
            "x": layer * per_layer,
            "y": row * per_row,
            "label": {"position": ("bottom", "top")[int(layer) % 2]},
        }
        if across
        else {"x": row * per_row, "y": layer * per_layer, "label": {"position": "bottom"}}
        for node, (layer, row) in plan.places.items()
    }


def _chosen(palette: Palette, spot: dict[str, Any]) -> dict[str, Any]:
    """How the node whose details are open stands out."""
    return {
        "itemStyle": {"borderColor": palette.text, "borderWidth": 4},
        "label": {**spot["label"], "show": True, "fontWeight": "bold"},
    }


def _link(edge: Edge, palette: Palette) -> dict[str, Any]:
    told = f"{edge.evidence.value} ({edge.strength.label})" + (f": {edge.note}" if edge.note else "")
    return {
        "source": edge.source,
        "target": edge.target,
        "lineStyle": {
            "color": palette.muted,
            "opacity": 0.7,
            "width": 1.4 if edge.strength >= Strength.STRONG else 1.2,
            "type": "solid" if edge.strength >= Strength.STRONG else "dashed",
        },
        "tooltip": {"formatter": _plain(told)},
    }


def _item_style(kind: NodeKind, palette: Palette) -> dict[str, Any]:
    index, hollow = _LOOKS[kind]
    color = palette.series[index]
    return {"color": palette.background if hollow else color, "borderColor": color, "borderWidth": 2}


def _label(node: Node) -> str:
    """The name, of a long path its end, behind the mark of a state."""
    name = node.name
    if len(name) > LABEL_LENGTH:
        name = f"…{name[1 - LABEL_LENGTH :]}" if "path" in node.attributes else f"{name[: LABEL_LENGTH - 1]}…"
    if node.attributes.get("live"):
        return f"{mark('LIVE').shape} {name}"
    state = str(node.attributes.get("status", ""))
    if node.kind is NodeKind.STAGE and state in STATES:
        return f"{mark(STATES[state]).shape} {name}"
    return name


def _plain(text: str) -> str:
    """Text without what ECharts' formatter would read as a template."""
    return text.replace("{", "(").replace("}", ")")
