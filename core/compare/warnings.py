"""What makes a comparison doubtful, said without being asked (different data, splits, deleted runs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.compare.evidence import evaluation_sets
from core.compare.types import Item, Verdict, Word

_NAMED = 4


def warnings(items: Sequence[Item], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Sentences for a banner, most serious first."""
    found = [_different_data(items), *_different_evaluation(items), _split(items, verdicts), _deleted(items)]
    many = len(items) - 1
    if many > 5:
        found.append(
            f"{many} candidates against one baseline: some would look better by chance alone. "
            "p-values are Holm-adjusted."
        )
    return tuple(sentence for sentence in found if sentence)


def _different_data(items: Sequence[Item]) -> str:
    known = {item.ref: item.data_hash for item in items if item.data_hash}
    groups = _groups(items, known)
    if len(groups) < 2:
        return ""
    return f"Different training data: {_spell(groups)}. A difference here mixes data and model."


def _different_evaluation(items: Sequence[Item]) -> list[str]:
    by_item = {item.ref: evaluation_sets(item) for item in items}
    sentences = []
    for context in sorted(set().union(*by_item.values())):
        known = {ref: ", ".join(sets[context]) for ref, sets in by_item.items() if context in sets}
        groups = _groups(items, known)
        if len(groups) > 1:
            sentences.append(
                f"Different {context} data sets: {_spell(groups)}. Their metrics cannot be compared."
            )
    return sentences


def _split(items: Sequence[Item], verdicts: Sequence[Verdict]) -> str:
    labels = {item.ref: item.label for item in items}
    split = [v.candidate for v in verdicts if v.word is Word.NOT_COMPARABLE and "split" in v.reason]
    named = list(dict.fromkeys(labels[ref] for ref in split))
    return f"Other test rows than the baseline's: {_some(named)}." if named else ""


def _deleted(items: Sequence[Item]) -> str:
    named = [item.label for item in items if "(deleted)" in item.label]
    return f"Deleted in MLflow: {_some(named)}." if named else ""


def _groups(items: Sequence[Item], known: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for item in items:
        if item.ref in known:
            groups.setdefault(known[item.ref], []).append(item.label)
    return groups


def _spell(groups: Mapping[str, Sequence[str]]) -> str:
    parts = [f"{value[:7]} ({_some(labels)})" for value, labels in list(groups.items())[:_NAMED]]
    more = f" and {len(groups) - _NAMED} more" if len(groups) > _NAMED else ""
    return "; ".join(parts) + more


def _some(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:_NAMED])
    return f"{shown} and {len(labels) - _NAMED} more" if len(labels) > _NAMED else shown
