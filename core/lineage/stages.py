"""The stages of one project as a graph, for drawing: a stage feeds another when that reads what it makes."""

from __future__ import annotations

from collections.abc import Sequence

from core.lineage.types import Edge, Evidence, Graph, Node, NodeId, NodeKind, Strength
from core.pipeline.types import Pipeline, StageState


def stage_graph(pipeline: Pipeline, states: Sequence[StageState]) -> Graph:
    """Stages with their states and .dvc files, joined as dvc.yaml says."""
    state_of = {state.name: state for state in states}
    nodes = tuple(
        Node(
            _id(stage.name),
            NodeKind.DATA if stage.is_data else NodeKind.STAGE,
            stage.name,
            {
                "stage": stage.name,
                "group": stage.group,
                "project": pipeline.root.name,
                "status": str(state_of[stage.name].state),
            },
        )
        for stage in pipeline.stages
    )
    edges = tuple(
        Edge(_id(before), _id(after), Evidence.LOCK, Strength.EXACT, "reads what it makes")
        for before, after in pipeline.edges
    )
    return Graph(nodes, edges)


def _id(name: str) -> NodeId:
    return NodeId(f"stage:{name}")
