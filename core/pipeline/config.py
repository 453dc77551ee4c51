"""The few settings of ``.dvc/config`` that change how files are read: ``parsing`` and the cache's folder."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from core.pipeline.reads import Reads
from core.pipeline.sources import SourceFault

_FILES = (".dvc/config", ".dvc/config.local")


def read_config(reads: Reads) -> Mapping[str, Mapping[str, str]]:
    """Sections of the project's DVC configuration, the local file overruling; faults are passed over."""
    sections: dict[str, dict[str, str]] = {}
    for file in _FILES:
        parser = configparser.RawConfigParser(strict=False, interpolation=None)
        try:
            # Git-style indentation would read as a continued line.
            text = "\n".join(line.strip() for line in reads.read(file).decode("utf-8").splitlines())
            parser.read_string(text)
        except (FileNotFoundError, SourceFault, UnicodeDecodeError, configparser.Error):
            continue
        for name in parser.sections():
            sections.setdefault(name, {}).update(parser.items(name))
    return sections


def cache_folder(root: Path, config: Mapping[str, Mapping[str, str]]) -> Path:
    """Where DVC keeps file contents; ``cache.dir`` is relative to ``.dvc``."""
    configured = config.get("cache", {}).get("dir")
    return root / ".dvc" / (configured or "cache")
