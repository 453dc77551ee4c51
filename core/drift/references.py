"""What a model is compared with: a file, content that DVC keeps, a data set of MLflow, or a stretch of its own log."""

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
    """The source that the monitor's ``reference`` names: also ``window:FIRST..LAST``, which is of its own log.

    Raises NotFound for what is not there, BadSettings for windows that the log does not have, and what
    :func:`reference_file` does.
    """
    scheme, _, rest = str(section.reference).partition(":")
    if scheme == "window":
        return _stretch(log, windows, rest)
    return open_source(reference_file(ws, str(section.reference)))


def reference_file(ws: Workspace, name: str) -> Path:
    """The file that ``name`` means: ``dvc:HASH``, ``mlflow:NAME@DIGEST`` or ``mlflow:runs/RUN_ID``, else a path.

    Raises NotFound, BadSettings for a name that fits several, IntegrityFailure for a file that was changed.
    """
    scheme, _, rest = name.partition(":")
    if scheme == "dvc":
        return stored_by_dvc(ws, rest)
    if scheme == "mlflow":
        from core.drift.logged_data import logged_file

        return logged_file(ws, rest)
    return ws.settings.path(Path(name))


def is_named(name: str) -> bool:
    """Whether ``name`` is looked up in a workspace rather than being a path."""
    return name.startswith(("dvc:", "mlflow:"))


def stored_by_dvc(ws: Workspace, digest: str) -> Path:
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
