"""Generated patients: nobody real, plausible enough to train on, the same for the same seed.

The true risk has thresholds and an interaction, so boosted trees can beat a linear model. All numbers are
floats (a missing laboratory value is NaN), all levels are strings.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

RAW_FEATURES = (
    "age", "sex", "bmi", "systolic_bp", "diastolic_bp", "heart_rate", "temperature", "glucose", "creatinine",
    "crp", "white_cells", "smoker", "admission_type", "site",
)  # fmt: skip
MG_DL_PER_MMOL_L = 18.016


class Rule(Enum):
    """How the diagnosis follows from the measurements: as in training, or after practice changed."""

    TRAINING = "training"
    CHANGED = "changed"


def generate(rows: int, seed: int) -> pd.DataFrame:
    """``rows`` patients without pseudonym and label; sites are north, central and south."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(58, 17, rows), 18, 97).round()
    systolic = (rng.normal(130, 17, rows) + 0.25 * (age - 58)).clip(75, 230).round()
    fever = rng.random(rows) < 0.22
    columns = {
        "age": age,
        "sex": rng.choice(["female", "male"], rows),
        "bmi": np.exp(rng.normal(np.log(27), 0.17, rows)).round(1),
        "systolic_bp": systolic,
        "diastolic_bp": (0.55 * systolic + rng.normal(9, 8, rows)).clip(40, 130).round(),
        "heart_rate": (rng.normal(80, 13, rows) + 9 * fever).clip(42, 180).round(),
        "temperature": (rng.normal(36.8, 0.35, rows) + fever * rng.gamma(4, 0.35, rows))
        .clip(35, 41)
        .round(1),
        "glucose": np.exp(rng.normal(np.log(6.1), 0.24, rows)).clip(2.5, 30).round(1),
        "creatinine": np.exp(rng.normal(np.log(84), 0.28, rows)).round(),
        "crp": np.exp(rng.normal(np.log(9), 1.1, rows) + 0.8 * fever).round(1),
        "white_cells": np.exp(rng.normal(np.log(8.2), 0.3, rows)).round(1),
        "smoker": rng.choice(["never", "former", "current"], rows, p=[0.5, 0.3, 0.2]),
        "admission_type": rng.choice(["emergency", "referral", "elective"], rows, p=[0.48, 0.34, 0.18]),
        "site": rng.choice(["north", "central", "south"], rows, p=[0.42, 0.33, 0.25]),
    }
    frame = pd.DataFrame(columns)
    for name, share in (("crp", 0.03), ("bmi", 0.02)):
        frame.loc[rng.random(rows) < share, name] = np.nan
    return frame


def risk(patients: pd.DataFrame, rule: Rule = Rule.TRAINING) -> np.ndarray:
    """The true probability of the diagnosis, one a row; missing values count as typical ones."""
    import numpy as np

    crp = np.log(patients["crp"].fillna(9) / 9)
    creatinine = np.log(patients["creatinine"].fillna(84) / 84) / 0.28
    shock = patients["heart_rate"] / patients["systolic_bp"]
    logit = (
        -3.6
        + 0.075 * (patients["age"] - 58)
        + 1.6 * crp
        + 0.9 * creatinine
        + 2.6 * (shock > 0.72)
        + 2.2 * ((patients["temperature"] > 38) & (patients["white_cells"] > 9))
        + 2.4 * (np.abs(patients["glucose"] - 6.3) > 2)
        + 0.6 * (patients["smoker"] == "current")
        + 0.7 * (patients["admission_type"] == "emergency")
    )
    if rule is Rule.CHANGED:
        # Under a new guideline inflammation is treated early: CRP no longer announces the diagnosis.
        logit = logit - 2.2 * crp + 0.5 * creatinine + 0.8
    return (1 / (1 + np.exp(-logit))).to_numpy()


def draw_labels(patients: pd.DataFrame, seed: int, rule: Rule = Rule.TRAINING) -> np.ndarray:
    """0 or 1 for each row, drawn from :func:`risk`."""
    import numpy as np

    return (np.random.default_rng(seed).random(len(patients)) < risk(patients, rule)).astype(np.int64)


def cohort(rows: int, seed: int) -> pd.DataFrame:
    """The raw training table: pseudonym, measurements and ``diagnosis``.

    The central site reports glucose in mg/dL, as one laboratory always does.
    """
    frame = generate(rows, seed)
    diagnosis = draw_labels(frame, seed + 1)
    central = frame["site"] == "central"
    frame.loc[central, "glucose"] = (frame.loc[central, "glucose"] * MG_DL_PER_MMOL_L).round()
    frame.insert(0, "patient_id", [pseudonym(seed, number) for number in range(rows)])
    return frame.assign(diagnosis=diagnosis)


def pseudonym(seed: int, number: int) -> str:
    """A stable pseudonym that says nothing about its patient."""
    return "p-" + hashlib.sha256(f"demo:{seed}:{number}".encode()).hexdigest()[:12]
