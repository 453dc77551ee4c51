"""Walking the graph both ways, without recursion: a 10,000-deep chain is just long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum

from core.lineage.types import Edge, Graph, NodeId, Strength


class Direction(Enum):
    """Which way to follow the edges."""

    UP = "upstream"
    DOWN = "downstream"


def reach(
    graph: Graph,
    starts: Iterable[NodeId],
    direction: Direction,
    hops: int | None = None,
    minimum: Strength = Strength.WEAK,
) -> dict[NodeId, int]:
    """Each node that can be reached (the starts included) -> its distance in edges."""
    table, far_end = _along(graph, direction)
    distance = {start: 0 for start in starts if start in graph.by_id}
    front = list(distance)
    while front and (hops is None or distance[front[0]] < hops):
        following: list[NodeId] = []
        for node in front:
            for edge in table[node]:
                other = far_end(edge)
                if edge.strength >= minimum and other not in distance:
                    distance[other] = distance[node] + 1
                    following.append(other)
        front = following
    return distance


def certainty(
    graph: Graph, starts: Iterable[NodeId], direction: Direction, *, training_only: bool = False
) -> dict[NodeId, Strength]:
    """Each reachable node -> the strength of the best chain to it; a chain is as strong as its weakest edge."""
    table, far_end = _along(graph, direction)
    best = {start: Strength.EXACT for start in starts if start in graph.by_id}
    for level in sorted(Strength, reverse=True):
        front = list(best)
        while front:
            node = front.pop()
            for edge in table[node]:
                other = far_end(edge)
                usable = edge.strength >= level and (edge.trained or not training_only)
                if usable and other not in best:
                    best[other] = level
                    front.append(other)
    return best


def between(graph: Graph, sources: Collection[NodeId], targets: Collection[NodeId]) -> set[NodeId]:
    """All nodes on any way from a source to a target; empty when there is none."""
    return reach(graph, sources, Direction.DOWN).keys() & reach(graph, targets, Direction.UP).keys()


def _along(
    graph: Graph, direction: Direction
) -> tuple[Mapping[NodeId, list[Edge]], Callable[[Edge], NodeId]]:
    if direction is Direction.DOWN:
        return graph.outgoing, _target
    return graph.incoming, _source


def _target(edge: Edge) -> NodeId:
    return edge.target


def _source(edge: Edge) -> NodeId:
    return edge.source
