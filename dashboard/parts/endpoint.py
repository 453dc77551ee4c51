"""One endpoint at a glance: what serves, how well, what the alarm is about, and who answers now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import streamlit as st

from core.access import Action
from core.deploy.types import EndpointStatus
from core.deploy.views import EndpointView
from core.ledger.state import OpenAlert
from dashboard import services
from dashboard.palette import MISSING, ago, moment, number
from dashboard.parts.marks import status_badge
from dashboard.parts.reasoned import Reasoned, reasoned_button
from dashboard.parts.release import said
from dashboard.parts.text import literal
from dashboard.services import releases

PROOF_FOR = timedelta(minutes=15)


def status_line(view: EndpointView) -> None:
    """What serves, since when, by whom, and whether MLflow says the same."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="endpoint_line"):
        st.markdown(f"**{said(view.live)} live**")
        if view.serving:
            status_badge(str(view.serving.health), view.serving.detail or None)
        if view.moved_outside:
            status_badge("OUT OF SYNC")
        elif view.in_sync:
            status_badge("IN SYNC")
        if view.freeze:
            status_badge("FROZEN", view.freeze.reason)
    parts = [f"since {ago(view.since, datetime.now(UTC))}" if view.since else "since when is not recorded"]
    parts += [f"by {literal(view.by)}"] * bool(view.by)
    parts.append(f"registry says {said(view.registry_says)}")
    parts.append(
        f"serving says {said(view.serving.serving_says)}"
        if view.serving
        else "no engine serves it: alias only"
    )
    st.caption(" · ".join(parts))


def has_banners(view: EndpointView, wanted_alert: str | None) -> bool:
    """Whether anything needs to be said about the endpoint."""
    about = (
        view.alerts,
        view.moved_outside,
        view.untold is not None,
        view.freeze,
        view.review_due,
        wanted_alert,
    )
    return any(about)


def banners(view: EndpointView, wanted_alert: str | None) -> None:
    """What is wrong, worst first, each with what to do about it."""
    if wanted_alert and wanted_alert not in {alert.event.alert_id for alert in view.alerts}:
        st.info(
            "The alert of the link you followed is over; the history below has it.", icon=":material/done:"
        )
    for alert in sorted(view.alerts, key=lambda item: item.event.alert_id != wanted_alert):
        _alert_banner(view, alert)
    if view.moved_outside:
        _outside_banner(view)
    elif view.untold is not None:
        why = f" Last try: {literal(view.untold)}" if view.untold else ""
        st.warning(
            f"MLflow has not been told that {said(view.live)} is live; it is told as soon as it answers.{why}",
            icon=":material/schedule:",
        )
    if view.freeze:
        _freeze_banner(view)
    if view.review_due is not None:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"The rollback of {moment(view.review_due.at)} waits for a lead's review.")
            st.page_link("app_pages/requests.py", label="Review it", query_params={"tab": "reviews"})


@st.fragment(run_every=2.0)
def follow_alias(view: EndpointView) -> None:
    """Look until MLflow was told what is live, then draw the page again: it would go on to say that it was not."""
    latest = {item.key: item for item in services.endpoint_views().endpoints}.get(view.key)
    if latest is None or latest.untold is None:
        st.rerun()


def _alert_banner(view: EndpointView, alert: OpenAlert) -> None:
    event = alert.event
    since = ago(alert.since, datetime.now(UTC))
    taken = f", taken on by {literal(alert.owner)}" if alert.owner else ""
    with st.container(key=f"alert_{event.alert_id}", gap="xsmall"):
        st.error(
            f"**Alert ({event.severity}), {since}{taken}:** {literal(event.summary)}",
            icon=":material/notification_important:",
        )
        st.page_link(
            "app_pages/drift.py",
            label="What drifted, and since when",
            icon=":material/monitoring:",
            query_params={"model": view.key.model, "alert": event.alert_id},
        )


def _outside_banner(view: EndpointView) -> None:
    known = said(view.serving.live_version if view.serving else view.decided and view.decided.version)
    verb = "serves" if view.serving else "was decided"
    st.error(
        f"**The alias {literal(view.alias)} was moved outside Model Desk:** MLflow says "
        f"{said(view.registry_says)}, but {known} {verb}. A rollback asks you to acknowledge this.",
        icon=":material/sync_problem:",
    )
    model, environment = view.key.model, view.key.environment
    about = Reasoned(
        "Put the alias back",
        (f"MLflow's alias {literal(view.alias)} of {literal(model)}: {said(view.registry_says)} → {known}.",),
        f"Put the alias back to {known}",
        partial(releases.put_alias_back, model, environment),
    )
    reasoned_button(
        "Put the alias back",
        about,
        Action.RECONCILE,
        model,
        environment,
        key="open_repair",
        icon=":material/sync:",
    )


def _freeze_banner(view: EndpointView) -> None:
    freeze, model, environment = view.freeze, view.key.model, view.key.environment
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="freeze_banner"):
        st.markdown(
            f"Promotions are frozen since {moment(freeze.since)} by {literal(freeze.by.printed_name)}: "
            f"{literal(freeze.reason)}. Rolling back stays possible."
        )
        about = Reasoned(
            "Lift the freeze",
            (
                f"{literal(freeze.by.printed_name)} has frozen them, {moment(freeze.since)}: {literal(freeze.reason)}.",
                f"Allow promotions of {literal(model)} in {environment} again.",
            ),
            "Lift the freeze",
            partial(releases.lift_freeze, model, environment, freeze),
        )
        reasoned_button(
            "Lift the freeze",
            about,
            Action.LIFT_FREEZE,
            model,
            environment,
            key="open_lift",
            icon=":material/lock_open:",
        )


def freeze_button(view: EndpointView) -> None:
    """Refuse promotions of this model until someone lifts the freeze; nothing while it is frozen already."""
    if view.freeze:
        return
    model, environment = view.key.model, view.key.environment
    about = Reasoned(
        "Freeze promotions",
        (f"Promotions of {literal(model)} in {environment} are refused until someone lifts the freeze.",
         "Rolling back stays possible."),
        "Freeze promotions",
        partial(releases.set_freeze, model, environment),
    )  # fmt: skip
    reasoned_button(
        "Freeze promotions",
        about,
        Action.FREEZE,
        model,
        environment,
        key="open_freeze",
        icon=":material/ac_unit:",
    )


@st.fragment(run_every=2.0)
def traffic_panel(model: str, environment: str, switched_at: datetime | None) -> None:
    """Observed traffic of the last minute, drawn again every two seconds, and who answered since the switch."""
    status = releases.traffic(model, environment)
    if status is None:
        return
    with st.container(border=True, key="traffic_panel", gap="small"):
        if proof := _proof(model, environment, switched_at):
            st.markdown(proof)
        with st.container(horizontal=True, gap="medium"):
            st.metric(
                "Requests/s",
                number(status.requests_per_s, 3),
                chart_data=list(status.per_second) or None,
                chart_type="area",
                width=240,
                help="In the last minute, from the router's own records.",
            )
            st.metric(
                "Errors",
                _percent(status.error_rate),
                width=100,
                help="Answers of 500 and above, and lost requests.",
            )
            st.metric(
                "Refused",
                _percent(status.refused_rate),
                width=100,
                help="Answers of 400 to 499: bad requests, and failures of the model's own code.",
            )
            st.metric("p99", f"{status.p99_ms:.0f} ms" if status.p99_ms is not None else MISSING, width=130)
            st.metric("Split", _split(status), width=210)
        words = f"Observed now: {str(status.health).upper()}" + (
            f", {status.detail}" if status.detail else ""
        )
        st.caption(f"{words} · http://127.0.0.1:{status.port}/invocations")


def _proof(model: str, environment: str, switched_at: datetime | None) -> str:
    if switched_at is None or datetime.now(UTC) - switched_at > PROOF_FOR:
        return ""
    counts = dict(releases.answered_since(model, environment, switched_at))
    failed = counts.pop("failed", 0)
    who = ", ".join(f"**{version} answered {count}**" for version, count in sorted(counts.items()))
    return f"Since {switched_at:%H:%M:%S} UTC: {who or 'no request came'}, {failed} failed."


def _split(status: EndpointStatus) -> str:
    shares = (f"v{version} {share:.0%}" for version, share in sorted(status.traffic.items()))
    return " · ".join(shares) or MISSING


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{share:.1%}"
