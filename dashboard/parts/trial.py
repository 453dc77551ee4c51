"""The trial under way: shares, both versions side by side, what the rules say, what the outcomes say, what to do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from core.access import Action
from core.deploy.ab_outcomes import AbReport
from core.deploy.release import ReleasePlan
from core.deploy.shadow import sentences as replayed
from core.deploy.trial import (
    ArmTraffic,
    Metric,
    OutcomeRules,
    Trial,
    TrialKind,
    TrialSpec,
    TrialState,
    canary,
)
from core.deploy.trial_plan import NEEDS, NEEDS_REASON, enough, sentences
from core.deploy.views import EndpointView
from core.errors import ModelDeskError
from core.privacy import shown_count
from dashboard.palette import MISSING, moment, number, signed
from dashboard.parts.marks import status_badge
from dashboard.parts.reasoned import Reasoned, Why, reasoned_button
from dashboard.parts.text import literal
from dashboard.services import trials

ALL, CANARY, AB = "all traffic", "a canary that ramps up", "an A/B test"
NAMES = {TrialKind.CANARY: "Canary", TrialKind.AB: "A/B test"}
ANY_TIME, ONCE = "at any time (always valid)", "once, at a size set now"


def trial_section(view: EndpointView) -> None:
    """The running trial, or in a line how the last one ended; nothing when there never was one."""
    trial = trials.last_trial(view.key.model, view.key.environment)
    if trial is None:
        return
    with st.container(border=True, key="trial_section"):
        if not trial.open:
            st.markdown(
                f"**Last {trial.kind}:** v{trial.candidate} beside v{trial.live}, {trial.state} "
                f"{moment(trial.ended_at)}: {literal(trial.message)}"
            )
            return
        _running(trial)


def _running(trial: Trial) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"**{NAMES[trial.kind]}: v{trial.candidate} has {trial.share} % of the traffic** beside v{trial.live}"
        )
        status_badge("RUNNING" if trial.state is TrialState.RUNNING else "PAUSED")
    ramp = " → ".join(f"**{s} %**" if s == trial.share else f"{s} %" for s in trial.shares)
    st.caption(f"Begun {moment(trial.started_at)} by {literal(trial.by.printed_name)} · {ramp} → all")
    if trial.state is TrialState.PAUSED and trial.message:
        st.markdown(f"**Paused:** {literal(trial.message)}")
    _looked(trial)
    if not trials.deployd_runs():
        st.warning(
            "deployd does not run, so nobody looks at this trial: start it, or act by hand.",
            icon=":material/visibility_off:",
        )
    report = trials.comparison(trial)
    if isinstance(report, ModelDeskError):
        st.caption(f"Outcomes: {report.what} {report.way_out}")
    else:
        _compared(report)
    _actions(trial)


@st.fragment(run_every=2.0)
def _looked(seen: Trial) -> None:
    """The router's counters, drawn again every two seconds; the whole page once the trial has moved on."""
    trial = trials.last_trial(seen.key.model, seen.key.environment)
    if trial is None or not trial.stands_as(seen):
        st.rerun()
    if trial.look is None:
        st.caption("The router has not been looked at in this step yet.")
        return
    look = trial.look
    st.markdown(f"Rules say **{look.judgement}**: {literal(look.reason)}")
    st.dataframe(
        [
            _traffic_row(f"v{trial.live} (live)", look.live),
            _traffic_row(f"v{trial.candidate}", look.candidate),
        ],
        hide_index=True,
    )


def _traffic_row(name: str, arm: ArmTraffic) -> dict[str, object]:
    return {
        "Version": name,
        "Requests in this step": arm.requests,
        "Failed": f"{arm.failed / arm.requests:.1%}" if arm.requests else MISSING,
        "p50": f"{arm.p50_ms:.0f} ms" if arm.p50_ms is not None else MISSING,
        "p99": f"{arm.p99_ms:.0f} ms" if arm.p99_ms is not None else MISSING,
    }


def _compared(report: AbReport) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**Outcomes ({report.metric}, {report.method}):**")
        status_badge(str(report.verdict))
        st.markdown(literal(report.reason))
    rows = [
        {
            "Version": f"v{arm.version}",
            "People": str(shown_count(arm.assigned)),
            "Outcomes known": str(shown_count(arm.outcomes)),
            report.metric.capitalize(): number(arm.mean),
        }
        for arm in (report.live, report.candidate)
    ]
    st.dataframe(rows, hide_index=True)
    d = report.difference
    if d is not None and report.live.mean is not None and report.candidate.mean is not None:
        st.caption(
            f"Difference {signed(d.estimate)} [{signed(d.low)}, {signed(d.high)}] · "
            f"{'higher' if report.metric.higher_is_better else 'lower'} is better · split as planned: "
            f"p = {report.srm_p:.2g} · answered by both versions and left out: {shown_count(report.crossed)}"
        )


def _actions(trial: Trial) -> None:
    model, environment = trial.key.model, trial.key.environment
    candidate = f"v{trial.candidate}"
    place = f"**{NAMES[trial.kind]} of {literal(model)} in {environment}: {candidate} beside v{trial.live}**"
    labels = {"abort": f"Abort the {trial.kind}", "finish": f"Finish: {candidate} takes all"}
    if trial.next_share:
        labels = {"advance": f"Go to {trial.next_share} %"} | labels
    if trial.state is TrialState.PAUSED:
        labels["resume"] = "Resume the ramp"
    elif trial.kind is TrialKind.CANARY:
        labels["pause"] = "Pause the ramp"
    icons = {
        "advance": "trending_up",
        "abort": "undo",
        "finish": "done_all",
        "pause": "pause",
        "resume": "play_arrow",
    }
    with st.container(horizontal=True):
        for verb, label in labels.items():
            why = Why.NEEDED if verb in NEEDS_REASON else Why.WELCOME
            steps = (place, *sentences(verb, trial))
            about = Reasoned(label, steps, label, partial(trials.change, verb, trial), why)
            icon = f":material/{icons[verb]}:"
            reasoned_button(label, about, NEEDS[verb], model, environment, key=f"trial_{verb}", icon=icon)


def trial_choice(model: str) -> TrialSpec | None:
    """How much of the traffic the version is to get: all, or a trial with its rules."""
    how = st.selectbox("Gets", (ALL, CANARY, AB), key=f"share_{model}", width=230)
    if how == ALL:
        return None
    if how == CANARY:
        share = st.number_input("First share, %", 1, 99, 10, key=f"first_{model}", width=130)
        return canary(int(share))
    metric = st.selectbox("Judged by", list(Metric), key=f"metric_{model}", width=130)
    effect = st.number_input(
        "Effect of interest", 0.001, 1.0, 0.03, 0.005, format="%.3f", key=f"effect_{model}", width=150
    )
    rules = OutcomeRules(metric=metric, effect=float(effect))
    if st.selectbox("Read", (ANY_TIME, ONCE), key=f"read_{model}", width=230) == ONCE:
        size = st.number_input("Outcomes per version", 2, value=enough(rules), key=f"size_{model}", width=160)
        rules = replace(rules, size=int(size))
    return TrialSpec(kind=TrialKind.AB, shares=(50,), outcomes=rules)


def shadow_button(view: EndpointView, version: int) -> None:
    """Replay logged requests to a version that has no traffic."""
    about = Reasoned(
        f"Replay requests to v{version}",
        (*replayed(view.live, version, 500), "Takes about half a minute."),
        f"Replay to v{version}",
        partial(trials.shadow, view.key.model, view.key.environment, version),
        why=Why.NOT_ASKED,
    )
    reasoned_button(
        "Shadow replay",
        about,
        Action.DEPLOY,
        view.key.model,
        view.key.environment,
        key="open_shadow",
        icon=":material/compare_arrows:",
    )


def plan_words(plan: ReleasePlan) -> str:
    """What a button that opens the plan says."""
    if plan.trial is None:
        return f"Plan v{plan.to_version} for {plan.environment}"
    return f"Plan {plan.trial.kind} of v{plan.to_version} in {plan.environment}"
