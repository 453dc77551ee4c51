"""MLflow's own digest of a data frame, so that a file can be told to be the data set that a run logged."""

from __future__ import annotations

from pathlib import Path


def frame_digest(file: Path) -> str:
    """The digest that ``mlflow.data.from_pandas`` gives the table in ``file``; '' where pandas cannot read it."""
    import pandas as pd
    from mlflow.data.digest_utils import compute_pandas_digest

    try:
        csv = file.suffix.lower() in (".csv", ".gz", ".txt", ".tsv")
        table = (
            pd.read_csv(file, sep="\t" if ".tsv" in file.name.lower() else ",")
            if csv
            else pd.read_parquet(file)
        )
        return compute_pandas_digest(table)
    except (OSError, ValueError, TypeError):  # pandas' and Arrow's own errors are ValueErrors
        return ""
