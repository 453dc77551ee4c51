"""What counts as drift: one object, named policies, and a file format for a team's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from core.drift.statistics import ks, total_variation
from core.drift.thresholds import Direction, Threshold
from core.drift.types import ColumnKind, Severity
from core.errors import BadSettings


class Adjustment(StrEnum):
    """How p-values are corrected for the number of columns."""

    BENJAMINI_HOCHBERG = "benjamini-hochberg"
    BONFERRONI = "bonferroni"
    NONE = "none"


_ALPHA = Threshold("alpha", 0.05, Direction.BELOW)
_MISSING = Threshold("missing_effect", 0.05)
_ANY = Threshold("tolerated_share", 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A column drifts when its adjusted p-value and its effect both cross their thresholds.

    ``ks_effect`` gates D of numbers, ``tvd_effect`` the total variation of levels, ``missing_effect`` the
    change of the missing share. Under ``min_rows`` a column is INCONCLUSIVE. The data set drifts when more
    than ``tolerated_share`` of the tested columns do (0: any), or when the drifted columns carry
    ``importance_share`` of the model's importance (where importances are known). ``rollback_at`` lets the monitor
    roll a degraded model back by itself from that severity on; None, the default, means never.
    """

    name: str = "default"
    alpha: Threshold = _ALPHA
    ks_effect: Threshold = ks.THRESHOLD
    tvd_effect: Threshold = total_variation.THRESHOLD
    missing_effect: Threshold = _MISSING
    tolerated_share: Threshold = _ANY
    importance_share: Threshold | None = None
    adjustment: Adjustment = Adjustment.BENJAMINI_HOCHBERG
    min_rows: int = 30
    kinds: Mapping[str, ColumnKind] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    quality_counts: bool = True
    rollback_at: Severity | None = None


DEFAULT = Policy()
PLAIN = Policy(
    name="plain",
    ks_effect=Threshold("ks_effect", 0.0),
    tvd_effect=Threshold("tvd_effect", 0.0),
    adjustment=Adjustment.NONE,
    min_rows=2,
)
"""The tutorial's rule: p < 0.05 in each column by itself, whatever the size of the effect."""

NAMED = {"default": DEFAULT, "plain": PLAIN}


class _PolicyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    alpha: float = 0.05
    ks_effect: float = 0.05
    tvd_effect: float = 0.05
    missing_effect: float = 0.05
    tolerated_share: float = 0.0
    importance_share: float | None = None
    adjustment: Adjustment = Adjustment.BENJAMINI_HOCHBERG
    min_rows: int = 30
    kinds: dict[str, ColumnKind] = {}
    ignore: tuple[str, ...] = ()
    quality_counts: bool = True
    rollback_at: Severity | None = None


def load_policy(name: str) -> Policy:
    """The policy called ``name`` (default, plain), or the one in the TOML or YAML file of that path.

    A file may hold the keys at the top or under ``[drift]``. Raises BadSettings naming file and key.
    """
    if name in NAMED:
        return NAMED[name]
    file = Path(name)
    if not file.is_file():
        raise BadSettings(
            f"There is no drift policy '{name}'.",
            f"Use {', '.join(NAMED)}, or the path of a TOML or YAML file.",
        )
    values = _read(file)
    values = values.get("drift", values) if isinstance(values, dict) else values
    try:
        given = _PolicyFile.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadSettings(f"{file}: '{key}': {first['msg']}.", "Correct the policy file.") from error
    return _policy(file.stem, given)


def _policy(name: str, given: _PolicyFile) -> Policy:
    if given.min_rows < 1:
        raise BadSettings("'min_rows' must be 1 or more.", "Correct it in the policy.")
    return Policy(
        name=name,
        alpha=Threshold("alpha", given.alpha, Direction.BELOW),
        ks_effect=Threshold("ks_effect", given.ks_effect),
        tvd_effect=Threshold("tvd_effect", given.tvd_effect),
        missing_effect=Threshold("missing_effect", given.missing_effect),
        tolerated_share=Threshold("tolerated_share", given.tolerated_share),
        importance_share=None
        if given.importance_share is None
        else Threshold("importance_share", given.importance_share),
        adjustment=given.adjustment,
        min_rows=given.min_rows,
        kinds=given.kinds,
        ignore=given.ignore,
        quality_counts=given.quality_counts,
        rollback_at=given.rollback_at,
    )


def _read(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix.lower() == ".toml":
            return tomllib.loads(text)
        import yaml

        return yaml.safe_load(text) or {}
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadSettings(f"{file} cannot be read as a policy: {error}.", "Correct the file.") from error
    except yaml.YAMLError as error:
        raise BadSettings(f"{file} is not valid YAML.", "Correct the file.") from error
