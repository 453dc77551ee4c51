"""Generated hospital stays for the readmission experiment: nobody real, the same for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def stays(rows: int, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    """Features and ``readmitted`` (0 or 1, about one in six) of ``rows`` stays, indexed by pseudonym."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(66, 15, rows), 18, 98).round()
    earlier = rng.poisson(0.9, rows).astype(float)
    nights = (1 + rng.gamma(2.0, 2.6, rows)).round()
    hemoglobin = rng.normal(12.6, 1.8, rows).round(1)
    sodium = rng.normal(138.5, 3.6, rows).round()
    drugs = rng.poisson(5, rows).astype(float)
    discharge = rng.choice(["home", "home care", "nursing home"], rows, p=[0.62, 0.23, 0.15])
    logit = (
        -3.3
        + 0.75 * earlier
        + 0.9 * (nights > 9)
        + 0.9 * (hemoglobin < 10.5)
        + 1.1 * ((drugs > 7) & (age > 75))
        + 0.12 * np.abs(sodium - 139)
        + 0.8 * (discharge == "nursing home")
    )
    readmitted = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    index = pd.Index([f"s-{seed}-{number:05d}" for number in range(rows)], name="row_id")
    features = pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["female", "male"], rows),
            "earlier_admissions": earlier,
            "nights": nights,
            "hemoglobin": hemoglobin,
            "sodium": sodium,
            "drugs": drugs,
            "discharge_to": discharge,
        },
        index=index,
    )
    return features, pd.Series(readmitted, index=index, name="label")
