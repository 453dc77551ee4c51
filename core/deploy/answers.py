"""What a model's answers must look like: as many as rows, probabilities that are some, the same as before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.deploy.gates import Check, Verdict

# Floating-point results of another build of a numerical library differ in the last digits.
RELATIVE, ABSOLUTE = 1e-6, 1e-9


def predictions(body: Any) -> list[Any] | None:
    """The predictions of an answer; None when it holds none."""
    found = body.get("predictions") if isinstance(body, Mapping) else None
    return found if isinstance(found, list) else None


def alike(one: Any, other: Any) -> bool:
    """Equal, numbers up to rounding."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if _is_number(one) and _is_number(other):
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(one == other)


def check_golden(given: list[Any] | None, golden: list[Any] | None) -> Check:
    """The version must answer its input example as it did when it first passed here."""
    name = "golden answer"
    if golden is None:
        return Check(name, Verdict.INCONCLUSIVE, "none is stored yet; this answer is kept when all goes well")
    if not alike(given, golden):
        text = "the input example is answered otherwise than when this version first passed"
        return Check(name, Verdict.FAIL, f"{text}: its environment may have changed")
    return Check(name, Verdict.PASS, f"{len(golden)} predictions as stored")


def check_like_live(given: list[Any] | None, live: list[Any] | None) -> Check:
    """The same request to both must get as many predictions of the same kind; values may differ."""
    name = "replay against live"
    if live is None:
        return Check(name, Verdict.INCONCLUSIVE, "live does not answer its own example")
    if given is None or len(given) != len(live):
        count = "none" if given is None else len(given)
        return Check(name, Verdict.FAIL, f"{count} predictions where live gives {len(live)}")
    kinds = {_kind(value) for value in given} ^ {_kind(value) for value in live}
    if kinds:
        return Check(
            name, Verdict.FAIL, f"another kind of prediction than live's ({', '.join(sorted(kinds))})"
        )
    same = sum(map(alike, given, live))
    return Check(name, Verdict.PASS, f"{same} of {len(live)} predictions as live's")


def check_probabilities(body: Any, labels: list[Any] | None, live_classes: Sequence[Any] | None) -> Check:
    """One probability per class, none negative, rows that sum to 1, and the classes that live knows."""
    name = "probabilities"
    rows, classes = body.get("predictions"), body.get("classes")
    if not isinstance(rows, list) or not rows or not isinstance(classes, list):
        return Check(name, Verdict.FAIL, "predict_proba gave no table of probabilities")
    if any(not isinstance(row, list) or len(row) != len(classes) for row in rows):
        return Check(
            name, Verdict.FAIL, f"not every row has one probability for each of {len(classes)} classes"
        )
    if any(not _is_number(p) or not 0 <= p <= 1 for row in rows for p in row):
        return Check(name, Verdict.FAIL, "a probability is not between 0 and 1")
    off = max(abs(sum(row) - 1) for row in rows)
    if off > RELATIVE:
        return Check(name, Verdict.FAIL, f"a row of probabilities misses 1 by {off:.3g}")
    if labels is not None and any(label not in classes for label in labels):
        return Check(name, Verdict.FAIL, "predict gives a class that predict_proba does not know")
    if live_classes is not None and list(live_classes) != classes:
        return Check(name, Verdict.FAIL, f"classes {classes}, live has {list(live_classes)}")
    return Check(name, Verdict.PASS, f"{len(rows)} rows sum to 1 over {len(classes)} classes")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    if _is_number(value):
        return "number"
    return "table" if isinstance(value, Mapping) else type(value).__name__
