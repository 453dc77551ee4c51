"""Cached doors into core: the only place that uses st.cache_*. Reads may be cached, writes never.

Short times to live keep a page quick while someone clicks about; a write calls :func:`forget`, so that the
next read is fresh.
"""

from dashboard.services import reports
from dashboard.services.at_a_glance import inventory_tags, overview
from dashboard.services.comparisons import (
    comparison,
    importance_among,
    importance_of,
    row_disagreement,
    run_choices,
    settings_of,
    step_histories,
    still_there,
)
from dashboard.services.endpoints import endpoint_views, version_numbers
from dashboard.services.evidence import evidence_pack, model_card, pack_name
from dashboard.services.frame import forget, workspace
from dashboard.services.graph import lineage, lineage_difference, lineage_png
from dashboard.services.models import (
    aliases,
    archive,
    archived,
    as_of,
    champion,
    find_versions,
    live_gaps,
    model_names,
    moved_outside,
    reconcile,
    refusal_to_archive,
    restore,
    signature,
    version,
    version_history,
    versions,
)
from dashboard.services.runs import (
    artifact_preview,
    artifacts,
    children,
    curve_metric,
    curves,
    experiments,
    refresh_runs,
    run,
    run_table,
    versions_of_run,
)
from dashboard.services.views import remove_view, save_view, saved_views
