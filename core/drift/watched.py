"""The files of one watched model, opened: its reference, its log cut into windows, and what is known of them.

What was judged once is kept beside the workspace (``.modeldesk/``), by content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from core.drift import kept
from core.drift.cache import ProfileCache
from core.drift.check import check, reference_profile
from core.drift.column_kinds import SaidKind, said_kinds
from core.drift.importance import Importance, surrogate_importance
from core.drift.kept import Kept
from core.drift.movement import Part, moved_parts
from core.drift.policy import DEFAULT, Policy, load_policy
from core.drift.prediction_log import LogColumns, texts, times_of
from core.drift.profile import profile_like
from core.drift.references import open_reference
from core.drift.served_model import served_importance
from core.drift.shape import LevelShape, NumericShape, column_shape
from core.drift.sources import Remembering, Slice, Source, open_source
from core.drift.trend import TrendWindow
from core.drift.types import ColumnKind, DriftReport
from core.drift.windows import Window, cut
from core.errors import BadInput, ModelDeskError, NotFound

if TYPE_CHECKING:
    from core.settings import MonitorSection
    from core.workspace import Workspace

VERSION = LogColumns().version
"""The log's column that says which version answered, where that is logged."""
SERVED_LOG = (VERSION, "latency_ms", "assigned")
"""What the log of a served model holds beside features; core/deploy/served_log.py writes it."""
ADD_MONITOR = "Add a [[monitors]] section to modeldesk.toml."
_BASELINE_ROWS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """The opened files of one monitor; ``windows`` are those of the log, oldest first."""

    ws: Workspace
    section: MonitorSection
    policy: Policy
    reference: Source
    log: Source
    windows: tuple[Window, ...]
    profiles: ProfileCache
    reports: Kept

    def window(self, name: str | None = None, now: datetime | None = None) -> Window:
        """The window called ``name``, else the last one with enough rows that has begun by ``now``.

        Raises BadInput for an empty log.
        """
        if not self.windows:
            raise BadInput("The prediction log holds no row with a time.", "Check the timestamp column.")
        begun = [part for part in self.windows if not (now and part.start and part.start > now)]
        enough = [part for part in begun if len(part.indices) >= self.policy.min_rows]
        last = (enough or begun or self.windows)[-1]
        return next((part for part in self.windows if part.name == name), last)

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that both sides have and the policy does not leave out."""
        return tuple(n for n in self.log.names if n in self.reference.names and n not in self.policy.ignore)


def monitored(ws: Workspace) -> Mapping[str, MonitorSection]:
    """The monitors of the settings by model name."""
    return {section.model: section for section in ws.settings.monitors}


def monitor_of(ws: Workspace, model: str) -> MonitorSection:
    """The monitor that watches the model; raises NotFound."""
    section = monitored(ws).get(model)
    if section is None:
        raise NotFound(f"No monitor watches '{model}'.", ADD_MONITOR)
    return section


def open_watched(ws: Workspace, model: str, window: str = "day") -> Watched:
    """The reference and the log of a watched model; columns are read when somebody looks at them.

    Raises NotFound without a monitor, BadInput for files that cannot be used.
    """
    section = monitor_of(ws, model)
    if section.engine != "local":
        raise BadInput(
            f"The log of '{model}' is a table of an engine ({section.engine}).", "Its rows stay there."
        )
    log = Remembering(open_source(ws.settings.path(section.predictions)))
    windows = cut(window, times_of(log, section.timestamp), log.rows)
    reference = open_reference(ws, section, log, windows)
    folder = ws.root / ".modeldesk"
    return Watched(
        ws, section, watched_policy(ws, section), reference, log, windows,
        ProfileCache(folder / "profiles"), Kept(folder / "reports"),
    )  # fmt: skip


def workspace_policy(ws: Workspace) -> Policy:
    """The policy in the workspace's ``drift-policy.toml``, else the default."""
    file = ws.root / "drift-policy.toml"
    return load_policy(str(file)) if file.is_file() else DEFAULT


def watched_policy(ws: Workspace, section: MonitorSection) -> Policy:
    """The workspace's policy, leaving out what the log holds beside features."""
    aside = (
        section.request_id, section.timestamp, section.label, section.prediction, section.score or "",
        *SERVED_LOG, "observed_at", *section.ignore,
    )  # fmt: skip
    policy = workspace_policy(ws)
    said = {name: one.kind for name, one in said_kinds(ws, section.model, section.environment).items()}
    return replace(policy, ignore=(*policy.ignore, *aside), kinds={**policy.kinds, **said})


@dataclass(frozen=True, slots=True)
class DecidedKind:
    """A column's kind and what decided it: a person (``said``), the policy file, or the rules."""

    kind: ColumnKind
    decided_by: str
    said: SaidKind | None = None


def column_kinds(watched: Watched) -> Mapping[str, DecidedKind]:
    """Each feature's kind, and who or what decided that."""
    section = watched.section
    said = said_kinds(watched.ws, section.model, section.environment)
    filed = workspace_policy(watched.ws).kinds
    found = {}
    for name in watched.features:
        override = watched.policy.kinds.get(name)
        kind = override or _ruled_kind(watched, name)
        by = "a person" if name in said else "drift-policy.toml" if name in filed else "the rules"
        found[name] = DecidedKind(kind, by, said.get(name))
    return found


def _ruled_kind(watched: Watched, name: str) -> ColumnKind:
    try:
        return reference_profile(watched.reference, name, None, watched.profiles).kind
    except ModelDeskError:  # the column is damaged, which the report says
        return ColumnKind.UNSUPPORTED


def log_columns(section: MonitorSection) -> LogColumns:
    """What the columns of the log are called."""
    return LogColumns(section.request_id, section.timestamp, section.prediction, section.score, section.label)


def labels_of(ws: Workspace, section: MonitorSection) -> Source | None:
    """The late labels; None while no file of them has come."""
    path = ws.settings.path(section.labels) if section.labels else None
    if path is None or not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return None
    return open_source(path)


def drift_of(watched: Watched, window: Window, now: datetime | None = None) -> DriftReport:
    """A window against the reference, weighed by importance where that is known."""
    weights = importance_of(watched, window)
    report = _judged(watched, window, {} if weights is None else weights.shares, now)
    odd = tuple(finding for finding in watched.log.findings if finding.column not in watched.policy.ignore)
    return replace(report, schema=(*odd, *report.schema))


def trend_of(watched: Watched) -> tuple[TrendWindow, ...]:
    """Every window against the reference, oldest first."""
    return tuple(
        TrendWindow(window.name, len(window.indices), _judged(watched, window, {}, None))
        for window in watched.windows
    )


def _judged(
    watched: Watched, window: Window, weights: Mapping[str, float], now: datetime | None
) -> DriftReport:
    """The report on one window, judged once; ``now`` matters by the day, for times in the future."""
    name = kept.key(
        "window", kept.content(watched.reference, watched.profiles), watched.policy, sorted(weights.items()),
        kept.rows_content(watched.log, window.indices, watched.profiles), now and now.date(),
    )  # fmt: skip
    return watched.reports.get(
        DriftReport,
        name,
        lambda: check(
            watched.reference,
            Slice(watched.log, window.indices),
            watched.policy,
            importance=weights,
            cache=watched.profiles,
            now=now,
        ),
    )


def importance_of(watched: Watched, window: Window) -> Importance | None:
    """How much the version that answered most of ``window`` uses each feature; worked out once per version.

    The model itself is asked where that is safe, else a surrogate that repeats its scores (or learns the labels).
    """
    answered = _version_rows(watched, window)
    version, rows = answered if answered else ("", np.arange(watched.log.rows))
    itself = served_importance(
        watched.ws, watched.section, version, watched.reference, watched.profiles, watched.reports
    )
    if itself.shares:
        unused = dict.fromkeys(watched.features, 0.0)
        return replace(itself, shares=unused | dict(itself.shares))
    score, label = watched.section.score, watched.section.label
    if score is not None and score in watched.log.names:
        source, target, of = watched.log, score, f"a surrogate of {_said(version)}'s scores"
    elif label in watched.reference.names:
        source, target, rows = watched.reference, label, np.arange(watched.reference.rows)
        of = "a surrogate trained on the reference's labels"
    else:
        return None
    name = kept.key(
        "importance", watched.section.model, version, of, watched.features,
        kept.content(watched.reference, watched.profiles),
    )  # fmt: skip
    found = watched.reports.get(
        Importance,
        name,
        lambda: surrogate_importance(source, rows, watched.features, target, of) or Importance({}, of, 0.0),
    )
    return replace(found, why_not=itself.why_not) if found.shares else None


def _said(version: str) -> str:
    return f"v{version}" if version else "the model"


def _version_rows(watched: Watched, window: Window) -> tuple[str, np.ndarray] | None:
    """The version that answered most of the window, and all rows of the log that it answered."""
    if VERSION not in watched.log.names:
        return None
    versions = texts(watched.log.column(VERSION))
    said = versions[window.indices]
    names, counts = np.unique(said[said != ""], return_counts=True)
    if not len(names):
        return None
    version = str(names[counts.argmax()])
    return version, np.flatnonzero(versions == version)


@dataclass(frozen=True, slots=True)
class PredictionDrift:
    """What the model says in a window against what it said at first; ``since`` names that first time."""

    report: DriftReport
    version: str
    rows: int
    since: str


def predictions_of(watched: Watched, window: Window) -> PredictionDrift | None:
    """Scores and predictions of a window against the first 1,000 answers of the same version before it.

    None when the log holds neither; INCONCLUSIVE while the version has answered too few requests.
    """
    said = [name for name in (watched.section.score, watched.section.prediction) if name in watched.log.names]
    if not said:
        return None
    version, rows = _version_rows(watched, window) or ("", np.arange(watched.log.rows))
    baseline, since = np.empty(0, dtype=np.int64), ""
    for part in watched.windows[: watched.windows.index(window)]:
        if len(baseline) >= _BASELINE_ROWS:
            break
        baseline = np.concatenate([baseline, np.intersect1d(part.indices, rows)])
        since = since or (part.name if len(baseline) else "")
    current = Slice(watched.log, np.intersect1d(window.indices, rows))
    report = check(Slice(watched.log, baseline), current, replace(watched.policy, ignore=()), columns=said)
    return PredictionDrift(report, version, len(baseline), since)


def shape_of(watched: Watched, window: Window, column: str) -> NumericShape | LevelShape | None:
    """How ``column`` is distributed in the reference and in a window, for a chart."""
    current = Slice(watched.log, window.indices)
    return column_shape(watched.reference, current, column, watched.policy, watched.profiles)


def movement_of(watched: Watched, window: Window, column: str) -> tuple[Part, ...]:
    """Which bins or levels of ``column`` moved most in a window."""
    if column not in watched.features:
        return ()
    known = reference_profile(watched.reference, column, watched.policy.kinds.get(column), watched.profiles)
    return moved_parts(known, profile_like(known, watched.log.column(column).take(window.indices)))


def rows_of(windows: Sequence[Window]) -> np.ndarray:
    """All rows of some windows."""
    return np.concatenate([part.indices for part in windows]) if windows else np.empty(0, dtype=np.int64)
