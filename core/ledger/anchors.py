"""Anchor files: the head of the chain, written down to be kept where the ledger's keeper cannot reach it."""

from __future__ import annotations

import json
from pathlib import Path

from core.errors import BadInput
from core.files import whole_file
from core.ledger.canonical import instant, instant_text
from core.ledger.types import Anchor


def write_anchor(anchor: Anchor, file: Path) -> None:
    """Write ``anchor`` as a small JSON file, whole or not at all. Raises BadInput and Unavailable."""
    with whole_file(file) as target:
        target.write(anchor_text(anchor).encode())


def anchor_text(anchor: Anchor) -> str:
    """What an anchor file holds."""
    document = {"events": anchor.events, "head": anchor.hash, "at": instant_text(anchor.at)}
    return json.dumps(document, indent=2) + "\n"


def read_anchor(file: Path) -> Anchor:
    """The anchor in ``file``. Raises BadInput when there is none."""
    try:
        return parse_anchor(file.read_bytes(), str(file))
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.", "Name the file that was kept.") from error


def parse_anchor(content: bytes, name: str) -> Anchor:
    """The anchor that the file called ``name`` holds. Raises BadInput when there is none."""
    try:
        document = json.loads(content)
        return Anchor(events=int(document["events"]), hash=str(document["head"]), at=instant(document["at"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{name} is no anchor file.", "`audit anchor --out FILE` writes one: events, head, at."
        ) from error
