"""A version as it was judged: its metrics against what is live, and the checks of the policy."""

from __future__ import annotations

import re
from collections.abc import Mapping

import streamlit as st

from core.compare.types import Verdict, Word
from core.errors import ModelDeskError
from core.experiments.told import told_metrics
from core.registry.catalogue import Entry
from core.registry.dossier import GateLine
from dashboard.palette import MISSING, NBSP, mark, metric, number
from dashboard.parts.answers import worst_first
from dashboard.parts.failure import show_failure
from dashboard.parts.text import literal, plain
from dashboard.services import requests

_FIRST = ("auroc", "sensitivity", "specificity", "accuracy", "f1", "log_loss", "brier")
SHOWN = 7


def outlook_section(entry: Entry) -> None:
    """A version's metrics against production above the checks that a request would meet now."""
    model, version = entry.version.model, entry.version.version
    try:
        found = requests.outlook(model, version)
    except ModelDeskError as error:
        show_failure(error)
        return
    other = found.champion not in (None, version)
    with st.container(gap="xsmall"):
        against = f"**Against v{found.champion}, live in production**" if other else "**Metrics**"
        delta_table(
            f"{against}{paired_rows(found.verdicts)}",
            told_metrics(entry.metrics),
            (version, found.champion),
            found.verdicts,
        )
        if other:
            st.page_link(
                "app_pages/compare.py",
                label="Compare settings, curves and test rows",
                icon=":material/compare_arrows:",
                query_params={
                    "runs": f"version:{model}/{version}",
                    "baseline": f"version:{model}/{found.champion}",
                },
            )
    with st.container(gap="xsmall"):
        live = found.champion == version
        st.markdown("**Checks it was released with**" if live else "**Checks of the policy, made now**")
        gate_table(found.gates, None if live else found.champion)


def delta_table(
    heading: str,
    metrics: Mapping[str, float],
    versions: tuple[int, int | None],
    verdicts: tuple[Verdict, ...] | str,
) -> None:
    """Every metric against what was live, with the interval of the paired difference and the word for it.

    ``versions`` are the candidate and the champion.
    """
    if isinstance(verdicts, str):
        heading += f" · {literal(verdicts)}"
        rows = [
            {"Metric": literal(name), f"v{versions[0]}": metric(metrics[name])} for name in _ordered(metrics)
        ]
    else:
        by_metric = {verdict.metric: verdict for verdict in verdicts}
        tested = [name for name in _ordered(by_metric) if by_metric[name].low is not None]
        names = [*tested, *(name for name in _ordered(by_metric) if name not in tested)]
        rows = [_delta(name, metrics.get(name), by_metric[name], versions) for name in names]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(heading)
        if len(rows) > SHOWN:
            with st.popover(f"{len(rows) - SHOWN} more metrics", type="tertiary"):
                st.table(rows[SHOWN:], border="horizontal", hide_index=True)
    st.table(rows[:SHOWN], border="horizontal", hide_index=True)


def _delta(
    name: str, value: float | None, verdict: Verdict, versions: tuple[int, int | None]
) -> dict[str, str]:
    before = None if value is None or verdict.difference is None else value - verdict.difference
    interval = (
        f" ({_fixed(verdict.low)} to{NBSP}{_fixed(verdict.high)})"
        if verdict.low is not None and verdict.high is not None
        else ""
    )
    tested = verdict.low is not None or verdict.word is Word.NOT_COMPARABLE
    shown = mark(str(verdict.word))
    word = f"{shown.shape} {shown.word.lower()}" if tested else f"{MISSING} not tested"
    return {
        "Metric": literal(name),
        # One column, which a phone breaks into two lines: two would push the difference out of its screen.
        f"v{versions[1]} → v{versions[0]}": f"{metric(before)}{NBSP}→ {metric(value)}",
        "Verdict": f":{shown.color}[{literal(word)}]" if tested else literal(word),
        "Difference (95 %)": plain(_fixed(verdict.difference) + interval),
    }


def _fixed(value: float | None) -> str:
    """A difference with its sign and four decimals, so that a column of them can be read downwards."""
    return MISSING if value is None else f"{value:+.4f}".replace("-", "−")


def paired_rows(verdicts: tuple[Verdict, ...] | str) -> str:
    """``, paired over 1,519 test rows``; '' when nothing was paired."""
    if isinstance(verdicts, str):
        return ""
    n = max((verdict.n or 0 for verdict in verdicts if verdict.low is not None), default=0)
    return f", paired over {n:,} test rows" if n else ""


def _ordered(names: object) -> list[str]:
    found = set(names)  # type: ignore[call-overload]
    return [name for name in _FIRST if name in found] + sorted(found - set(_FIRST))


def gate_table(gates: tuple[GateLine, ...] | str, champion: int | None) -> None:
    """Each check with its outcome, bound and reason, what did not pass first."""
    if isinstance(gates, str) or not gates:
        st.caption(literal(gates) if gates else "The policy asks for no checks here, so none were made.")
        return
    rows = [_gate(gate, f"v{champion}" if champion else "champion") for gate in worst_first(gates)]
    st.table(rows, border="horizontal", hide_index=True)


def _gate(gate: GateLine, champion: str) -> dict[str, str]:
    shown = mark(gate.verdict)
    # How it was paired stands above the metrics once.
    bare = re.sub(r" \(n = [\d,]+, .*\)(?=:|;|$)", "", gate.reason)
    bare = re.sub(r"^difference (\S+), 95 % interval (\S+) to ([^\s:;]+)", _shorter, bare)
    reason = literal(bare, 160)
    if gate.overridden_by:
        reason += f". **Accepted by {literal(gate.overridden_by, 70)}**"
    return {
        "Check": literal(gate.name.replace(" against champion", f" against {champion}")),
        "Outcome": f":{shown.color}[{shown.shape}{NBSP}{shown.word}]",
        "Bound": number(gate.threshold),
        "Why": reason,
    }


def _shorter(found: re.Match[str]) -> str:
    difference, low, high = (_fixed(float(text)) for text in found.groups())
    return f"{difference} ({low} to {high})"
