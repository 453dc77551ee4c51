"""A workspace: one team's stores behind one object; the only place that builds adapters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.settings import Settings, load_settings


@dataclass(frozen=True)
class Workspace:
    """The opened workspace. Its properties build an adapter on first use and keep it."""

    settings: Settings

    @property
    def root(self) -> Path:
        """The workspace folder; relative paths in settings start here."""
        return self.settings.root


def open_workspace(root: Path) -> Workspace:
    """Open the workspace at ``root``; cheap: nothing is contacted yet. Raises BadSettings."""
    return Workspace(load_settings(root))
