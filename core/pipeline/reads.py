"""Reading with a memory: which files went into a result, so that it can be reused while they are unchanged."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from core.pipeline.sources import DIRECTORY, Source
from core.pipeline.values import ValuesFault, read_values


class Reads:
    """A source that notes the identity of every file asked for, absent ones too."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.inputs: dict[str, Hashable | None] = {}

    def identity(self, path: str) -> Hashable | None:
        """The file's identity now, noted as an input."""
        if path not in self.inputs:
            self.inputs[path] = self.source.identity(path)
        return self.inputs[path]

    def exists(self, path: str) -> bool:
        """True for a file or directory."""
        return self.identity(path) is not None

    def is_directory(self, path: str) -> bool:
        """True for a directory."""
        return self.identity(path) == DIRECTORY

    def read(self, path: str) -> bytes:
        """The bytes; raises FileNotFoundError or SourceFault."""
        if self.identity(path) is None:
            raise FileNotFoundError(path)
        return self.source.read(path)

    def values(self, path: str) -> Mapping[str, Any] | ValuesFault | None:
        """The mapping in a params file, the fault that keeps it from being read, or None when absent."""
        if self.identity(path) is None:
            return None
        try:
            return read_values(self.source, path)
        except FileNotFoundError:
            return None
        except ValuesFault as fault:
            return fault


def unchanged(source: Source, inputs: Mapping[str, Hashable | None]) -> bool:
    """True while every noted file still has its identity."""
    return all(source.identity(path) == identity for path, identity in inputs.items())
