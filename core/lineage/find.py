"""From what a person types to nodes: ids, ``version:MODEL/N``, hashes, paths, names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.errors import BadInput, NotFound
from core.lineage.types import Graph, Node, NodeId, NodeKind

FORMS = (
    "version:MODEL/N, alias:MODEL@NAME, run:ID, rev:COMMIT, PATH[@REVISION], a content hash or a stage name"
)
FILES = (NodeKind.DATA, NodeKind.MODEL_FILE, NodeKind.DATASET, NodeKind.CODE)
SHORTEST_HASH = 4
_HASH = re.compile(rf"[0-9a-f]{{{SHORTEST_HASH},32}}(\.dir)?", re.IGNORECASE)


def find(graph: Graph, reference: str) -> tuple[NodeId, ...]:
    """The nodes that ``reference`` means; a hash may be shortened. Raises NotFound or BadInput."""
    if reference in graph.by_id:
        return (NodeId(reference),)
    scheme, _, rest = reference.partition(":")
    finders = {"version": _version, "alias": _alias, "run": _run, "rev": _commit, "data": find_data}
    if scheme in finders and rest:
        return finders[scheme](graph, rest)
    found = _data(graph, reference) or _stages(graph, reference) or _named(graph, reference)
    if not found:
        raise NotFound(f"Nothing in the lineage is called '{reference}'.", f"Use one of: {FORMS}.")
    return found


def find_data(graph: Graph, reference: str) -> tuple[NodeId, ...]:
    """All nodes with the content that a hash, hash prefix or ``path[@revision]`` names.

    A path alone means its content in the working tree. Raises NotFound, and BadInput when a shortened hash
    fits several contents.
    """
    found = _data(graph, reference)
    if not found:
        raise NotFound(
            f"No data in the lineage has the hash or path '{reference}'.",
            "Give a hash from dvc.lock (four characters are enough) or PATH[@REVISION].",
        )
    return found


def find_version(graph: Graph, model: str, version: int) -> NodeId:
    """The node of a model version; raises NotFound."""
    return _version(graph, f"{model}/{version}")[0]


def same_content(graph: Graph, ids: Iterable[NodeId]) -> tuple[NodeId, ...]:
    """These nodes and every other one with the same content hash, at whatever path."""
    wanted = {digest for node_id in ids if (digest := graph.by_id[node_id].attributes.get("hash"))}
    same = (node.id for node in graph.of_kind(*FILES) if node.attributes.get("hash") in wanted)
    return tuple(dict.fromkeys((*ids, *same)))


def _data(graph: Graph, reference: str) -> tuple[NodeId, ...]:
    if reference in graph.by_id and graph.by_id[NodeId(reference)].kind in FILES:
        return same_content(graph, (NodeId(reference),))
    return _by_hash(graph, reference) or _by_path(graph, reference)


def _by_hash(graph: Graph, text: str) -> tuple[NodeId, ...]:
    if not _HASH.fullmatch(text):
        return ()
    found: dict[str, list[NodeId]] = {}
    for node in graph.of_kind(*FILES):
        digest = str(node.attributes.get("hash") or "")
        if digest.lower().startswith(text.lower()):
            found.setdefault(digest.removesuffix(".dir"), []).append(node.id)
    if len(found) > 1:
        several = ", ".join(sorted(digest[:8] for digest in found))
        raise BadInput(
            f"'{text}' is the beginning of {len(found)} hashes: {several}.", "Give more characters."
        )
    return tuple(node for nodes in found.values() for node in nodes)


def _by_path(graph: Graph, text: str) -> tuple[NodeId, ...]:
    for path, revision in ((text, ""), _split_revision(text)):
        there = [node for node in graph.of_kind(*FILES) if _is_at(node, path)]
        chosen = [node for node in there if _held(graph, node, revision)]
        if chosen:
            return same_content(graph, [node.id for node in chosen])
        if there and not revision:
            newest = max(there, key=lambda node: str(node.attributes.get("at", "")))
            return same_content(graph, [newest.id])
    return ()


def _split_revision(text: str) -> tuple[str, str]:
    path, _, revision = text.rpartition("@")
    return (path, revision) if path else (text, "")


def _is_at(node: Node, path: str) -> bool:
    own = str(node.attributes.get("path") or "")
    return bool(own) and path in (own, f"{node.attributes.get('project')}/{own}")


def _held(graph: Graph, node: Node, revision: str) -> bool:
    """Whether the file had this content at ``revision`` (a commit or an experiment), '' for now."""
    if not revision:
        return bool(node.attributes.get("current"))
    return not graph.revisions.resolve(revision).isdisjoint(graph.held.get(node.id, ()))


def _version(graph: Graph, text: str) -> tuple[NodeId, ...]:
    model, _, number = text.rpartition("/")
    node_id = NodeId(f"{NodeKind.VERSION}:{model}/{number.removeprefix('v')}")
    if node_id not in graph.by_id:
        raise NotFound(
            f"There is no version {number or '?'} of a model '{model}'.", "See `registry versions`."
        )
    return (node_id,)


def _alias(graph: Graph, text: str) -> tuple[NodeId, ...]:
    model, _, alias = text.rpartition("@")
    for node in graph.of_kind(NodeKind.VERSION):
        if node.attributes["model"] == model and alias in node.attributes.get("aliases", ()):
            return (node.id,)
    raise NotFound(f"The model '{model}' has no alias '{alias}'.", "See `registry versions`.")


def _run(graph: Graph, text: str) -> tuple[NodeId, ...]:
    found = [
        node.id
        for node in graph.of_kind(NodeKind.RUN)
        if node.name == text
        or (len(text) >= SHORTEST_HASH and str(node.attributes["run_id"]).startswith(text))
    ]
    return _one(found, "run", text)


def _commit(graph: Graph, text: str) -> tuple[NodeId, ...]:
    known = graph.revisions.resolve(text)
    found = [
        node.id
        for node in graph.of_kind(NodeKind.COMMIT)
        if node.attributes["commit"] in known
        or (len(text) >= SHORTEST_HASH and str(node.attributes["commit"]).startswith(text.lower()))
    ]
    return _one(found, "commit", text)


def _stages(graph: Graph, text: str) -> tuple[NodeId, ...]:
    """The executions of a stage in the working tree; of its whole history when it is gone from there."""
    name, revision = text, ""
    here = [node for node in graph.of_kind(NodeKind.STAGE) if node.name == name]
    if not here:
        name, revision = _split_revision(text)
        here = [node for node in graph.of_kind(NodeKind.STAGE) if node.name == name]
    chosen = [node.id for node in here if _held(graph, node, revision)]
    return tuple(chosen or (() if revision else [node.id for node in here]))


def _named(graph: Graph, text: str) -> tuple[NodeId, ...]:
    return tuple(node.id for node in graph.nodes if node.name == text)


def _one(found: list[NodeId], what: str, text: str) -> tuple[NodeId, ...]:
    if not found:
        raise NotFound(f"The lineage has no {what} '{text}'.", "Check the id; four characters are enough.")
    if len(found) > 1:
        raise BadInput(f"'{text}' fits {len(found)} {what}s.", "Give more characters of the id.")
    return (found[0],)
