"""The lineage drawing as a PNG, for slides and tickets: the same layout as the SVG, at twice its size."""

from __future__ import annotations

import io
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from core.lineage.export import COLOUR, LABEL, RADIUS, places, shortened
from core.lineage.tree import WORDS
from core.lineage.types import Edge, Graph, Node, NodeKind, Strength

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SCALE = 2
MOST_PIXELS = 40_000_000
STEPS = 24  # straight pieces of a curve; every other one is left out of a dashed line
INK, LINE, PAPER = "#333333", "#888888", "#ffffff"

Point = tuple[float, float]


def to_png(graph: Graph, colours: Mapping[NodeKind, str] | None = None) -> bytes:
    """The graph on white; what serves now has a ring. Very large graphs are drawn smaller."""
    from PIL import Image, ImageDraw, ImageFont  # MLflow's matplotlib brings Pillow

    spots, width, height = places(graph)
    scale = min(SCALE, (MOST_PIXELS / max(width * height, 1)) ** 0.5)
    image = Image.new("RGB", (max(1, int(width * scale)), max(1, int(height * scale))), PAPER)
    pen = ImageDraw.Draw(image)
    font, small = (ImageFont.load_default(size * scale) for size in (11, 9))
    at = {node: (x * scale, y * scale) for node, (x, y) in spots.items()}
    for edge in graph.edges:
        _edge(pen, edge, at[edge.source], at[edge.target], scale)
    for node in graph.nodes:
        x, y = at[node.id]
        _disc(pen, node, (x, y), scale, (colours or {}).get(node.kind, COLOUR))
        below = y + RADIUS * scale + 4 * scale
        pen.text((x, below), shortened(node.name, LABEL), fill=INK, font=font, anchor="ma")
        told = "LIVE" if node.attributes.get("live") else WORDS[node.kind]
        pen.text((x, below + 13 * scale), told, fill=LINE, font=small, anchor="ma")
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _disc(pen: ImageDraw, node: Node, centre: Point, scale: float, colour: str) -> None:
    x, y = centre
    radius = RADIUS * scale
    if node.attributes.get("live"):
        ring = radius + 3 * scale
        pen.ellipse((x - ring, y - ring, x + ring, y + ring), outline=colour, width=max(1, int(1.5 * scale)))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _edge(pen: ImageDraw, edge: Edge, start: Point, end: Point, scale: float) -> None:
    """A curve that leaves and arrives level, as in the SVG, with a tip."""
    side = 1 if end[0] >= start[0] else -1
    gap = RADIUS * scale
    (x1, y1), (x2, y2) = (start[0] + side * gap, start[1]), (end[0] - side * (gap + 2 * scale), end[1])
    middle = (x1 + x2) / 2
    points = [
        _bezier(step / STEPS, (x1, y1), (middle, y1), (middle, y2), (x2, y2)) for step in range(STEPS + 1)
    ]
    width = max(1, int(scale))
    if edge.strength >= Strength.STRONG:
        pen.line(points, fill=LINE, width=width)
    else:
        for index in range(0, STEPS, 2):
            pen.line(points[index : index + 2], fill=LINE, width=width)
    tip = 5 * scale
    pen.polygon([(x2, y2), (x2 - side * tip, y2 - tip / 2), (x2 - side * tip, y2 + tip / 2)], fill=LINE)


def _bezier(t: float, *controls: Point) -> Point:
    """The point at ``t`` of a cubic Bézier curve, by de Casteljau's construction."""
    points = list(controls)
    while len(points) > 1:
        points = [(a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])) for a, b in pairwise(points)]
    return points[0]
