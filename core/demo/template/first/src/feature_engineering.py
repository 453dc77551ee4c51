"""Stage feature_engineering: turn prepared rows into what the model reads."""

from pathlib import Path

import pandas as pd

PREPARED = Path("data/prepared")
FEATURES = Path("data/features")


def add_features(patients: pd.DataFrame) -> pd.DataFrame:
    """The rows with derived columns; also used where the model serves."""
    return patients.assign(pulse_pressure=patients["systolic_bp"] - patients["diastolic_bp"])


def main() -> None:
    """Run the stage. Training needs no pseudonym, so its file has none."""
    FEATURES.mkdir(parents=True, exist_ok=True)
    train = add_features(pd.read_parquet(PREPARED / "train.parquet"))
    train.drop(columns="patient_id").to_parquet(FEATURES / "train.parquet", index=False)
    add_features(pd.read_parquet(PREPARED / "test.parquet")).to_parquet(
        FEATURES / "test.parquet", index=False
    )


if __name__ == "__main__":
    main()
