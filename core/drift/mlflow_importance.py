"""Asks a model how far its answers move when a column is shuffled: run in a process of its own, with limits.

``python -m core.drift.mlflow_importance DIRECTORY`` reads rows as Parquet from its input and prints column -> change
as JSON. Whoever starts it has made sure that loading the model runs nothing but trusted types.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any


def main(directory: str) -> None:
    """Load, ask, print; whatever libraries print meanwhile goes to standard error."""
    out, sys.stdout = sys.stdout, sys.stderr
    from mlflow import pyfunc
    from pyarrow import parquet

    from core.drift.coding import one_thread
    from core.drift.importance import permuted_change

    rows = parquet.read_table(io.BytesIO(sys.stdin.buffer.read())).to_pandas()
    model: Any = pyfunc.load_model(directory)
    raw = model.get_raw_model() if "sklearn" in model.metadata.flavors else None
    with one_thread():
        print(json.dumps(permuted_change(getattr(raw, "predict_proba", model.predict), rows)), file=out)


if __name__ == "__main__":
    from core.deploy.limits import limit
    from core.drift.served_model import DEADLINE_S, MEMORY_MB

    limit(MEMORY_MB, cpu_s=DEADLINE_S)
    main(sys.argv[1])
