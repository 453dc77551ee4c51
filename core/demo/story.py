"""What happens in the demo: the people, the commits, the promotions and when, in days before "now"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MODEL = "diagnosis-risk"
# A revision takes about as long as this many notebook runs; the progress bar counts in those.
REVISION_STEPS = 10
EXPERIMENTS = ("diagnosis", "triage", "readmission")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is built. ``SMALL`` is for tests: the same code, fewer of everything."""

    name: str
    revisions: int
    seeds: int
    settings: int
    patients: int
    days: int
    rows_per_day: int


FULL = Scale(name="full", revisions=9, seeds=5, settings=4, patients=6000, days=42, rows_per_day=600)
SMALL = Scale(name="small", revisions=3, seeds=1, settings=1, patients=1500, days=42, rows_per_day=40)
SCALES = {scale.name: scale for scale in (FULL, SMALL)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One commit of the project, made after a ``dvc repro``; each registers the version of its number."""

    days_ago: float
    author: str
    message: str
    overlay: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    share: float | None = None
    sites: tuple[str, ...] = ()
    tag: str | None = None


REVISIONS = (
    Revision(
        days_ago=88,
        author="ana",
        message="Predict the diagnosis at admission with logistic regression",
        overlay="first",
        share=0.7,
        sites=("north", "central"),
    ),
    Revision(
        days_ago=80,
        author="ana",
        message="Regularise more: the coefficients of rare levels were unstable",
        params={"train.logistic_regression.C": 0.1},
    ),
    Revision(
        days_ago=72,
        author="chen",
        message="Add the shock index, which clinicians read before blood pressure",
        overlay="shock_index",
    ),
    Revision(
        days_ago=64,
        author="chen",
        message="Try a random forest",
        params={"train.model_type": "random_forest"},
        tag="first-forest",
    ),
    Revision(
        days_ago=55, author="dara", message="Add the patients of the south site", share=0.8,
        sites=("north", "central", "south"),
    ),
    Revision(
        days_ago=47,
        author="dara",
        message="Convert glucose of the central laboratory from mg/dL",
        overlay="glucose_units",
    ),
    Revision(
        days_ago=38,
        author="chen",
        message="Gradient boosting: thresholds in vital signs matter",
        overlay="boosting",
        params={"train.model_type": "gradient_boosting"},
        tag="boosting",
    ),
    Revision(
        days_ago=30,
        author="ana",
        message="Take in the patients admitted since spring",
        share=1.0,
        sites=("north", "central", "south"),
    ),
    Revision(
        days_ago=9,
        author="chen",
        message="Learn slower with smaller trees",
        params={
            "train.gradient_boosting.learning_rate": 0.05,
            "train.gradient_boosting.max_iter": 150,
            "train.gradient_boosting.max_leaf_nodes": 8,
        },
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A version and the day from which it served production."""

    version: int
    days_ago: float


PROMOTIONS = (
    Served(version=1, days_ago=84),
    Served(version=3, days_ago=69),
    Served(version=4, days_ago=61),
    Served(version=3, days_ago=59),
    Served(version=6, days_ago=44),
    Served(version=7, days_ago=36),
    Served(version=8, days_ago=24),
)
CHALLENGER_SINCE_DAYS = 7


def promotions(scale: Scale) -> tuple[Served, ...]:
    """The promotions of versions that this scale builds, the newest version left as challenger."""
    return tuple(served for served in PROMOTIONS if served.version < scale.revisions)


# The inference log: what happens on which day, counted back from today.
DRIFTING_FEATURE = "creatinine"
DRIFT_BY_TODAY = 0.30
NEW_CATEGORY = ("admission_type", "telehealth")
NEW_CATEGORY_SINCE_DAYS = 21
MISSING_COLUMN = "glucose"
MISSING_COLUMN_DAYS_AGO = 12
RULE_CHANGE_DAYS_AGO = 16
LABEL_DELAY_DAYS = (3.0, 10.0)
