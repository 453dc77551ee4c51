"""Where each node of a drawing goes: layers from left to right, few crossings, no recursion.

Layers are topological generations (a cycle counts as one node), the order within a layer comes from
barycentre sweeps (Sugiyama, Tagawa and Toda 1981). Pure: ids and pairs in, coordinates out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """``places`` maps each id to (layer, row), both from 0; rows may be fractions. Size in layers and rows."""

    places: Mapping[Hashable, tuple[float, float]]
    layers: int
    rows: int


def layout(nodes: Sequence[Hashable], edges: Iterable[tuple[Hashable, Hashable]]) -> Layout:
    """Layers for ``nodes`` so that every edge outside a cycle points to the right.

    The same input gives the same drawing. Edges to unknown nodes are ignored.
    """
    known = set(nodes)
    pairs = [(a, b) for a, b in dict.fromkeys(edges) if a in known and b in known and a != b]
    if not nodes:
        return Layout({}, 0, 0)
    layer_of = _layers(nodes, pairs)
    columns = _ordered(nodes, pairs, layer_of)
    rows = max(len(column) for column in columns)
    places = {
        node: (float(index), position + (rows - len(column)) / 2)
        for index, column in enumerate(columns)
        for position, node in enumerate(column)
    }
    return Layout(places, len(columns), rows)


def _layers(nodes: Sequence[Hashable], pairs: Sequence[tuple[Hashable, Hashable]]) -> dict[Hashable, int]:
    """Layer of each node; a node without sources moves right, next to what it feeds."""
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(pairs)
    condensed = nx.condensation(graph)
    layer = {
        knot: index for index, knots in enumerate(nx.topological_generations(condensed)) for knot in knots
    }
    for knot in condensed:
        if condensed.in_degree(knot) == 0 and condensed.out_degree(knot):
            layer[knot] = min(layer[after] for after in condensed.successors(knot)) - 1
    lowest = min(layer.values())
    return {
        node: layer[knot] - lowest for knot, members in condensed.nodes(data="members") for node in members
    }


def _ordered(
    nodes: Sequence[Hashable], pairs: Sequence[tuple[Hashable, Hashable]], layer_of: Mapping[Hashable, int]
) -> list[list[Hashable]]:
    """The layers with their nodes in an order that lets few edges cross."""
    columns: list[list[Hashable]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for node in nodes:
        columns[layer_of[node]].append(node)
    before: dict[Hashable, list[Hashable]] = {node: [] for node in nodes}
    after: dict[Hashable, list[Hashable]] = {node: [] for node in nodes}
    for a, b in pairs:
        before[b].append(a)
        after[a].append(b)
    place = {node: row - len(column) / 2 for column in columns for row, node in enumerate(column)}
    for _ in range(SWEEPS):
        _sweep(columns, before, place)
        _sweep(columns[::-1], after, place)
    return columns


def _sweep(
    columns: Sequence[list[Hashable]],
    neighbours: Mapping[Hashable, Sequence[Hashable]],
    place: dict[Hashable, float],
) -> None:
    for column in columns:
        column.sort(key=_barycentre(neighbours, place))
        offset = -len(column) / 2
        for row, node in enumerate(column):
            place[node] = row + offset


def _barycentre(
    neighbours: Mapping[Hashable, Sequence[Hashable]], place: Mapping[Hashable, float]
) -> Callable[[Hashable], float]:
    """The mean place of a node's neighbours; its own where it has none."""

    def key(node: Hashable) -> float:
        beside = neighbours[node]
        return sum(place[other] for other in beside) / len(beside) if beside else place[node]

    return key
