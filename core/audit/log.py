"""The whole audit log for somebody who takes it away; that it left is recorded."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.ledger.events import ExportMade
from core.ledger.exports import export_lines

if TYPE_CHECKING:
    from core.workspace import Workspace


def take_log(ws: Workspace, actor: Actor) -> bytes:
    """Every event as it is stored, one JSON line each (see core/ledger/exports.py). Raises Refused, Unavailable."""
    require(ws.settings, actor, Action.EXPORT)
    content = b"".join(export_lines(ws.ledger.rows()))
    ws.ledger.append(ExportMade(what="audit log", sha256=hashlib.sha256(content).hexdigest()), actor)
    return content
