"""What a model is compared with: a file, content that DVC keeps under a hash, or an earlier stretch of its own log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.drift.sources import Slice, Source, open_source
from core.drift.windows import Window
from core.errors import BadSettings, NotFound

if TYPE_CHECKING:
    from core.settings import MonitorSection
    from core.workspace import Workspace


def open_reference(ws: Workspace, section: MonitorSection, log: Source, windows: Sequence[Window]) -> Source:
    """The source that the monitor's ``reference`` names: a path, ``dvc:HASH``, or ``window:FIRST..LAST``.

    Raises NotFound for what is not there, BadSettings for windows that the log does not have.
    """
    scheme, _, rest = str(section.reference).partition(":")
    if scheme == "dvc":
        return open_source(_stored(ws, rest))
    if scheme == "window":
        return _stretch(log, windows, rest)
    return open_source(ws.settings.path(section.reference))


def _stored(ws: Workspace, digest: str) -> Path:
    """The file with this MD5 (four characters or more) in the cache of one of the DVC projects."""
    from core.pipeline.checks import cache_of, stored_path
    from core.pipeline.types import Hash

    for project in ws.settings.dvc.projects if len(digest) >= 4 else ():
        whole = stored_path(cache_of(ws.settings.path(project)), Hash(digest))
        found = [whole] if whole.is_file() else sorted(whole.parent.glob(f"{whole.name}*"))
        if len(found) > 1:
            raise BadSettings(f"'dvc:{digest}' fits {len(found)} files.", "Give more characters of the hash.")
        if found:
            return found[0]
    raise NotFound(f"No DVC cache holds the content '{digest}'.", "Run `dvc pull`, or name another hash.")


def _stretch(log: Source, windows: Sequence[Window], span: str) -> Slice:
    first, _, last = span.partition("..")
    rows = [part.indices for part in windows if first <= part.name <= (last or first)]
    if not rows:
        known = f"{windows[0].name} to {windows[-1].name}" if windows else "nothing"
        raise BadSettings(
            f"The log has no window between '{first}' and '{last or first}'; it holds {known}.",
            "Write the reference as window:2026-01-01..2026-01-07.",
        )
    return Slice(log, np.concatenate(rows))
