"""The evidence pack: one ZIP file per version, the same bytes for the same state, checkable without this program."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.access import Action, Actor, require
from core.compare.export import to_csv
from core.evidence import check
from core.evidence.card_text import card_html, card_markdown, number
from core.evidence.gather import SCHEMA_VERSION, Evidence, gather
from core.evidence.page import page
from core.files import check_place, whole_file
from core.ledger.events import ExportMade

if TYPE_CHECKING:
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Pack:
    """A finished pack: its bytes and their SHA-256."""

    content: bytes
    sha256: str


def make_pack(ws: Workspace, model: str, version: int) -> Pack:
    """The pack of a version; nothing is recorded. Raises NotFound, Unavailable, IntegrityFailure."""
    evidence = gather(ws, model, version)
    files = {name: text.encode() for name, text in _files(evidence).items()}
    files["verify.py"] = Path(check.__file__).read_bytes()
    manifest = _json(
        {
            "schema_version": SCHEMA_VERSION,
            "model": model,
            "version": version,
            "files": [
                {"name": name, "bytes": len(content), "sha256": check.sha256(content)}
                for name, content in sorted(files.items())
            ],
        }
    ).encode()
    content = check.zipped(files | {check.MANIFEST: manifest}, check.sha256(manifest))
    return Pack(content, check.sha256(content))


def file_name(model: str, version: int) -> str:
    """A name for the file that any system takes, whatever the model is called."""
    return f"evidence-{re.sub(r'[^A-Za-z0-9.-]+', '_', model)[:80]}-v{version}.zip"


def export_pack(ws: Workspace, model: str, version: int, actor: Actor) -> Pack:
    """The pack, its export recorded with the pack's SHA-256. Raises Refused without the right to export."""
    require(ws.settings, actor, Action.EXPORT, model)
    made = make_pack(ws, model, version)
    _record(ws, model, version, actor, made)
    return made


def export_to(ws: Workspace, model: str, version: int, actor: Actor, file: Path) -> Pack:
    """:func:`export_pack` into ``file``, whole or not at all; what cannot be written is not recorded either.

    Raises BadInput for a folder, Unavailable when the file cannot be written.
    """
    made = preview(ws, model, version, actor, file)
    with whole_file(file) as target:
        target.write(made.content)
        _record(ws, model, version, actor, made)
    return made


def preview(ws: Workspace, model: str, version: int, actor: Actor, file: Path) -> Pack:
    """What :func:`export_to` would write, after the same checks; nothing is written or recorded."""
    check_place(file)
    require(ws.settings, actor, Action.EXPORT, model)
    return make_pack(ws, model, version)


def _record(ws: Workspace, model: str, version: int, actor: Actor, made: Pack) -> None:
    event = ExportMade(model=model, what="evidence pack", sha256=made.sha256, version=version)
    ws.ledger.append(event, actor)


def _files(evidence: Evidence) -> dict[str, str]:
    facts = evidence.facts
    return {
        "index.html": page(evidence),
        "evidence.json": _json(facts),
        "metrics.csv": to_csv(("metric", "value"), [(m["name"], number(m["value"])) for m in facts["metrics"]]),
        "gates.csv": to_csv(
            ("request", "policy version", "gate", "verdict", "value", "threshold", "reason"),
            [
                (
                    request["request_id"], request["policy_version"], gate["name"], gate["verdict"],
                    gate["value"], gate["threshold"], gate["reason"],
                )
                for request in facts["requests"]
                for gate in request["gates"]
            ],
        ),
        "approvals.csv": to_csv(
            ("request", "environment", "printed name", "at", "meaning", "passphrase", "deputy for", "covers"),
            [
                (
                    request["request_id"], request["environment"], signed["printed_name"], signed["at"],
                    signed["meaning"], signed["passphrase"], signed["deputy_for"], signed["covers_this_request"],
                )
                for request in facts["requests"]
                for signed in request["signatures"]
            ],
        ),
        "model-card.json": _json({"schema_version": 1} | evidence.card.as_dict()),
        "model-card.md": card_markdown(evidence.card),
        "model-card.html": card_html(evidence.card),
        "sbom.cdx.json": _json(evidence.sbom),
        "ledger.jsonl": "".join(f"{line}\n" for line in evidence.extract.lines),
        **{f"policy-v{number}.yaml": text for number, text in sorted(evidence.policies.items())},
    }  # fmt: skip


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"
