"""What happens in the demo: the people, the commits, the promotions and when, in days before "now"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

MODEL = "diagnosis-risk"
# A revision takes about as long as this many notebook runs; the progress bar counts in those.
REVISION_STEPS = 10
EXPERIMENTS = ("diagnosis", "triage", "readmission")


class Verb(Enum):
    """The two ways to change what serves."""

    PROMOTE = "promote"
    ROLL_BACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A promotion or rollback that the ledger will hold, and why."""

    days_ago: float
    version: int
    reason: str
    model: str = MODEL
    environment: str = "production"
    verb: Verb = Verb.PROMOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyText:
    """A release policy that was published, and why."""

    days_ago: float
    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request for production that is no release: open, half signed, overtaken by events, or ``rejected``."""

    days_ago: float
    version: int
    reason: str
    model: str = MODEL
    comment: str = ""
    signed: bool = False
    rejected: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is built, and what is decided. ``SMALL`` is for tests: the same code, fewer of everything."""

    name: str
    revisions: int
    seeds: int
    settings: int
    patients: int
    days: int
    rows_per_day: int
    decisions: tuple[Decision, ...]
    policies: tuple[PolicyText, ...]
    asks: tuple[Ask, ...]


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


PRODUCTION, STAGING = "production", "staging"
_OTHER_MODELS = (
    Decision(days_ago=80, model="biopsy-triage", version=1, reason="a first model is better than none"),
    Decision(
        days_ago=58, model="biopsy-triage", version=2, reason="more malignant cases found at the same load"
    ),
    Decision(days_ago=55, model="readmission-30d", version=1, reason="pilot on two wards"),
    Decision(days_ago=38, model="readmission-30d", version=2, reason="fewer false alarms in the pilot"),
    Decision(days_ago=36, model="biopsy-triage", version=3, reason="better calibrated"),
    Decision(
        days_ago=22, model="readmission-30d", version=3, reason="sees the polypharmacy of older patients"
    ),
)
_POLICIES = (
    PolicyText(days_ago=57.5, file="first.yaml", reason="the incident of v4: two people sign from now on"),
    PolicyText(days_ago=27, file="second.yaml", reason="every age band counts, and lineage must be complete"),
)
_OVERTAKEN = Ask(
    days_ago=25.5, model="readmission-30d", version=1,
    reason="easier to explain to the wards than v2, and hardly worse",
)  # fmt: skip
FULL = Scale(
    name="full", revisions=9, seeds=5, settings=4, patients=6000, days=42, rows_per_day=600,
    decisions=(
        Decision(days_ago=84, version=1, reason="first release, agreed with the ward"),
        Decision(days_ago=70, version=3, environment=STAGING, reason="for the shadow week"),
        Decision(days_ago=69, version=3, reason="the shadow week went well"),
        Decision(days_ago=61, version=4, reason="higher AUROC on the test patients"),
        Decision(
            days_ago=59, version=3, verb=Verb.ROLL_BACK,
            reason="sensitivity too low: the ward reports missed cases",
        ),
        Decision(days_ago=45, version=6, environment=STAGING, reason="units corrected, to be compared"),
        Decision(days_ago=44, version=6, reason="finds as many cases as v3 with fewer false alarms"),
        Decision(days_ago=36, version=7, reason="sensitivity up by 20 points"),
        Decision(days_ago=25, version=8, environment=STAGING, reason="retrained on all patients"),
        Decision(days_ago=24, version=8, reason="passed a day in staging"),
        Decision(days_ago=20, model="biopsy-triage", version=5, environment=STAGING, reason="candidate"),
        Decision(days_ago=7, version=9, environment=STAGING, reason="candidate: slower learning"),
        *_OTHER_MODELS,
    ),
    policies=_POLICIES,
    asks=(
        Ask(
            days_ago=54, version=5, reason="trained with the patients of the south site",
            rejected="Sensitivity is no better than v3's, and glucose of the central laboratory looks like mg/dL.",
        ),
        _OVERTAKEN,
        Ask(
            days_ago=4, version=9, signed=True,
            reason="Fewer false alarms on the wards: specificity is up, and the AUROC with it.",
            comment="The wards have asked for this since spring. Is the loss of sensitivity acceptable to you?",
        ),
    ),
)  # fmt: skip
SMALL = Scale(
    name="small", revisions=3, seeds=1, settings=1, patients=1500, days=42, rows_per_day=40,
    decisions=(
        Decision(days_ago=79, version=1, reason="first release"),
        Decision(days_ago=60, version=2, reason="steadier coefficients"),
        Decision(days_ago=59, version=1, verb=Verb.ROLL_BACK, reason="too many missed cases"),
        Decision(days_ago=24, version=2, reason="the threshold was the cause, not the model"),
        Decision(days_ago=7, version=3, environment=STAGING, reason="candidate"),
        *_OTHER_MODELS,
    ),
    policies=_POLICIES,
    asks=(_OVERTAKEN, Ask(days_ago=4, version=3, signed=True, reason="a shock index finds more cases")),
)  # fmt: skip
SCALES = {scale.name: scale for scale in (FULL, SMALL)}


def served(scale: Scale) -> tuple[Decision, ...]:
    """What put a version of the monitored model into production, oldest first."""
    mine = (item for item in scale.decisions if item.model == MODEL and item.environment == PRODUCTION)
    return tuple(sorted(mine, key=lambda item: -item.days_ago))


# The inference log: what happens on which day, counted back from today.
DRIFTING_FEATURE = "creatinine"
DRIFT_BY_TODAY = 0.30
NEW_CATEGORY = ("admission_type", "telehealth")
NEW_CATEGORY_SINCE_DAYS = 21
MISSING_COLUMN = "glucose"
MISSING_COLUMN_DAYS_AGO = 12
RULE_CHANGE_DAYS_AGO = 16
LABEL_DELAY_DAYS = (3.0, 10.0)
