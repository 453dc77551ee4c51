"""Edges between stages by path prefix, and what is wrong with the graph: cycles, shared outputs.

A dep makes an edge from the stage whose out is the dep's path, contains it, or lies inside it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.pipeline.paths import is_url
from core.pipeline.types import DepKind, Finding, Stage


@dataclass(frozen=True, slots=True)
class Graph:
    """Edges as (upstream, downstream) names, cycles as the names on them, and findings."""

    edges: tuple[tuple[str, str], ...]
    cycles: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]


def build_graph(root: str, stages: Sequence[Stage]) -> Graph:
    """The graph of ``stages``; never fails and never recurses."""
    outs = _Outs(root, stages)
    edges: dict[tuple[str, str], None] = {}
    findings = list(outs.findings())
    for stage in stages:
        for out in stage.outs:
            if out.path == "." or stage.file.startswith(f"{out.path}/"):
                findings.append(
                    _finding(stage, f"its output '{out.path}' holds {stage.file}, which defines it")
                )
        for dep in stage.deps:
            if dep.kind is DepKind.FILE or dep.kind is DepKind.URL:
                for upstream in outs.overlapping(dep.path):
                    if upstream is stage:
                        findings.append(
                            _finding(stage, f"'{dep.path}' is both its dependency and its output")
                        )
                    else:
                        edges[upstream.name, stage.name] = None
    cycles = tuple(find_cycles(edges)) if _has_cycle(edges) else ()
    files = {stage.name: stage for stage in stages}
    for cycle in cycles:
        chain = " -> ".join([*cycle[:10], "..." if len(cycle) > 10 else cycle[0]])
        findings.append(_finding(files[cycle[0]], f"stages depend on each other: {chain}"))
    return Graph(tuple(edges), cycles, tuple(findings))


class _Outs:
    """All outputs by path, with lookups of what contains or is inside a path.

    Keys are relative to the root; what lies outside it has an absolute key.
    """

    def __init__(self, root: str, stages: Sequence[Stage]) -> None:
        self._root = root
        self._at: dict[str, list[Stage]] = {}
        for stage in stages:
            for out in stage.outs:
                self._at.setdefault(self._key(out.path), []).append(stage)
        self._folders: set[str] = set()
        for folder in {path.rpartition("/")[0] for path in self._at} - {""}:
            self._folders.update((folder, *_parents(folder)))
        self._sorted: list[str] | None = None
        self._holders: dict[str, list[Stage]] = {"": []}

    def _key(self, path: str) -> str:
        if path[:2] != ".." or (not path.startswith("../") and path != ".."):
            return path
        folder = self._root
        while path == ".." or path.startswith("../"):
            folder, path = folder.rpartition("/")[0], path[3:]
        return f"{folder}/{path}" if path else folder or "/"

    def overlapping(self, path: str) -> list[Stage]:
        """Stages with an out that is ``path``, contains it or lies inside it."""
        key, at = self._key(path), self._at
        found = [*at.get(key, ()), *self._holding(key.rpartition("/")[0])]
        if "." in at and key != "." and not key.startswith("/"):
            found += at["."]
        if key in self._folders or key == "." or self._holds_root(key):
            found += (stage for inside in self._below(key) for stage in at[inside])
        return found

    def _holding(self, folder: str) -> list[Stage]:
        """Stages with an out that is ``folder`` or contains it; asked for once for all the files in it."""
        if folder not in self._holders:
            self._holders[folder] = [
                stage for path in (folder, *_parents(folder)) for stage in self._at.get(path, ())
            ]
        return self._holders[folder]

    def _holds_root(self, key: str) -> bool:
        return key[:1] == "/" and f"{self._root}/".startswith(f"{key.rstrip('/')}/")

    def _below(self, key: str) -> Iterator[str]:
        if key == "." or self._holds_root(key):
            prefix = f"{key.rstrip('/')}/"
            own = (path for path in self._at if not is_url(path) and path != key)
            yield from (path for path in own if not path.startswith("/") or path.startswith(prefix))
            return
        if self._sorted is None:
            self._sorted = sorted(self._at)
        low = bisect_left(self._sorted, f"{key}/")
        # "0" is the character after "/": it ends the range of paths below a folder.
        yield from self._sorted[low : bisect_left(self._sorted, f"{key}0", low)]

    def findings(self) -> Iterator[Finding]:
        """Outputs that two stages share, or that lie inside another."""
        for path, owners in self._at.items():
            if len(owners) > 1:
                names = ", ".join(dict.fromkeys(stage.name for stage in owners))
                yield _finding(owners[-1], f"the output '{path}' has several stages: {names}")
            if path in self._folders or path == ".":
                for inside in self._below(path):
                    text = f"'{inside}' lies inside '{path}', an output of {owners[0].name}"
                    yield _finding(self._at[inside][0], f"the output {text}")


def _parents(path: str) -> Iterator[str]:
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


def _finding(stage: Stage, message: str) -> Finding:
    return Finding(stage.file, stage.line, f"stage '{stage.key}': {message}")


def _has_cycle(edges: Iterable[tuple[str, str]]) -> bool:
    """Kahn's count, much cheaper than the components, which are wanted only when there is a cycle."""
    waiting: dict[str, int] = {}
    following: dict[str, list[str]] = {}
    for before, after in edges:
        waiting[after] = waiting.get(after, 0) + 1
        following.setdefault(before, []).append(after)
    ready = [name for name in following if name not in waiting]
    left = len(waiting)
    while ready:
        for after in following.get(ready.pop(), ()):
            waiting[after] -= 1
            if not waiting[after]:
                left -= 1
                ready.append(after)
    return left > 0


def find_cycles(edges: Iterable[tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    """Groups of names that can reach each other (Tarjan's strongly connected components, iterative)."""
    following: dict[str, list[str]] = {}
    for upstream, downstream in edges:
        following.setdefault(upstream, []).append(downstream)
    for component in _components(following):
        if len(component) > 1:
            yield tuple(reversed(component))


def _components(following: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    held: dict[str, None] = {}
    for start in following:
        if start in index:
            continue
        work = [(start, iter(following[start]))]
        index[start] = low[start] = len(index)
        held[start] = None
        while work:
            node, rest = work[-1]
            child = next(rest, None)
            if child is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    yield _unwind(held, node)
            elif child not in index:
                index[child] = low[child] = len(index)
                held[child] = None
                work.append((child, iter(following.get(child, ()))))
            elif child in held:
                low[node] = min(low[node], index[child])


def _unwind(held: dict[str, None], node: str) -> list[str]:
    component = []
    while True:
        last, _ = held.popitem()
        component.append(last)
        if last == node:
            return component


def neighbours(edges: Iterable[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """(upstream names by stage, downstream names by stage)."""
    upstream: dict[str, list[str]] = {}
    downstream: dict[str, list[str]] = {}
    for before, after in edges:
        upstream.setdefault(after, []).append(before)
        downstream.setdefault(before, []).append(after)
    return upstream, downstream


def reachable(starts: Iterable[str], following: Mapping[str, Sequence[str]]) -> dict[str, None]:
    """Every name reachable from ``starts``, themselves included, in the order of discovery."""
    found = dict.fromkeys(starts)
    pending = list(found)
    while pending:
        for name in following.get(pending.pop(), ()):
            if name not in found:
                found[name] = None
                pending.append(name)
    return found


def ordered(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[str]:
    """``names`` with upstream before downstream (Kahn); members of cycles come last, in given order."""
    upstream, downstream = neighbours(edges)
    waiting = {name: len(upstream.get(name, ())) for name in names}
    ready = [name for name in names if not waiting[name]]
    done: dict[str, None] = {}
    for name in ready:
        done[name] = None
        for after in downstream.get(name, ()):
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    return [*done, *(name for name in names if name not in done)]
