"""Stage prepare_data: check the raw table, bring units in line and split the patients into training and test.

The side of a patient is a hash of the pseudonym, so it stays the same when more patients arrive.
"""

import hashlib
from pathlib import Path

import pandas as pd
import yaml

RAW = Path("data/raw/patients.csv")
PREPARED = Path("data/prepared")
MG_DL_PER_MMOL_L = 18.016
IMPLAUSIBLE_MMOL_L = 40
REQUIRED = {"patient_id", "age", "sex", "site", "glucose", "creatinine", "crp", "diagnosis"}


def is_test(patient_id: str, seed: int, share: float) -> bool:
    """Whether the patient belongs to the test side."""
    digest = hashlib.sha256(f"{seed}:{patient_id}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32 < share


def prepare(raw: pd.DataFrame) -> pd.DataFrame:
    """Plausible rows with one row a patient and glucose in mmol/L: one laboratory reports mg/dL."""
    missing = REQUIRED - set(raw.columns)
    if missing:
        raise SystemExit(f"{RAW} lacks the columns {sorted(missing)}")
    in_mg_dl = raw["glucose"] > IMPLAUSIBLE_MMOL_L
    raw = raw.assign(glucose=raw["glucose"].where(~in_mg_dl, raw["glucose"] / MG_DL_PER_MMOL_L))
    return raw.drop_duplicates("patient_id").query("18 <= age <= 110").rename(columns={"diagnosis": "label"})


def main() -> None:
    """Run the stage."""
    params = yaml.safe_load(Path("params.yaml").read_text())["prepare"]
    patients = prepare(pd.read_csv(RAW))
    test = patients["patient_id"].map(lambda patient: is_test(patient, params["seed"], params["test_share"]))
    PREPARED.mkdir(parents=True, exist_ok=True)
    patients[~test].to_parquet(PREPARED / "train.parquet", index=False)
    patients[test].to_parquet(PREPARED / "test.parquet", index=False)


if __name__ == "__main__":
    main()
