"""A small workspace with one watched model: six days of predictions, of which the last three may have moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

SETTINGS = """
name = "Test"
[mlflow]
tracking_uri = "sqlite:///mlflow.db"
[[monitors]]
model = "risk"
predictions = "predictions"
labels = "labels"
reference = "train.parquet"
"""


def rows(rng: np.random.Generator, count: int, shift: float) -> pd.DataFrame:
    score = rng.random(count)
    return pd.DataFrame(
        {
            "age": rng.normal(50 + 10 * shift, 10, count),
            "site": rng.choice(["north", "south"], count),
            "score": score,
            "label": (rng.random(count) < score).astype(int),
        }
    )


def build(root: Path, *, moved: float, flipped: bool = False, days: int = 6) -> None:
    """Write settings, training data, predictions and labels; age moves, or labels are flipped, half-way."""
    rng = np.random.default_rng(2)
    (root / "modeldesk.toml").write_text(SETTINGS, encoding="utf-8")
    for folder in ("predictions", "labels"):
        (root / folder).mkdir()
    rows(rng, 2000, 0).drop(columns="score").to_parquet(root / "train.parquet")
    for day in range(days):
        late = day >= days // 2
        frame = rows(rng, 300, moved if late else 0)
        if flipped and late:
            frame["label"] = 1 - frame["label"]
        frame["request_id"] = [f"r{day}-{number}" for number in range(300)]
        frame["timestamp"] = pd.date_range(f"2026-01-0{day + 1}", periods=300, freq="4min", tz="UTC")
        frame["prediction"] = (frame["score"] > 0.5).astype(int)
        frame["model_version"] = "1"
        frame.drop(columns="label").to_parquet(root / "predictions" / f"2026-01-0{day + 1}.parquet")
        frame[["request_id", "label"]].to_parquet(root / "labels" / f"2026-01-0{day + 1}.parquet")
