"""What a model's MLmodel file says: its signature and flavors, without loading the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.errors import Unavailable
from core.registry.types import Signature, SignatureField


def read_mlmodel(text: str) -> Signature:
    """The signature in the text of an MLmodel file; empty parts where the model was logged without one.

    Raises Unavailable when the text is no MLmodel file.
    """
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Unavailable("The MLmodel file is not valid YAML.", "Log the model again.") from error
    if not isinstance(document, dict):
        raise Unavailable("The MLmodel file is empty or damaged.", "Log the model again.")
    signature = document.get("signature") or {}
    return Signature(
        inputs=_fields(signature.get("inputs")),
        outputs=_fields(signature.get("outputs")),
        params=_fields(signature.get("params")),
        flavors=tuple(document.get("flavors") or ()),
    )


def _fields(raw: Any) -> tuple[SignatureField, ...]:
    try:
        items = json.loads(raw) if isinstance(raw, str) else raw or []
    except ValueError:
        return ()
    return tuple(_field(number, item) for number, item in enumerate(items) if isinstance(item, Mapping))


def _field(number: int, item: Mapping[str, Any]) -> SignatureField:
    kind = str(item.get("type", "any"))
    if tensor := item.get("tensor-spec"):
        kind = f"tensor({tensor.get('dtype')}, {tuple(tensor.get('shape', ()))})"
    return SignatureField(str(item.get("name", f"[{number}]")), kind, bool(item.get("required", True)))
