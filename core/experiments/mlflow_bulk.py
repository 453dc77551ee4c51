"""Reads thousands of runs of an SQLite store in a process of their own, where ADBC's copy of SQLite is alone.

See SqliteFile.session for why it must not share a process with MLflow's client. Starting the process
costs 0.4 s of CPU, which Python's own SQLite needs for about 2,000 runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from core.errors import Unavailable
from core.experiments import columns
from core.experiments.mlflow_database import SqliteFile
from core.experiments.mlflow_rows import read_runs, scope_of
from core.experiments.types import Lifecycle, RunTable

BULK_RUNS = 2_000
SECONDS = 600
_ROOT = Path(__file__).parents[2]
_PARTS = ("attributes", "metrics", "params", "tags", "datasets")


def read_elsewhere(path: Path, experiment_id: str | None, lifecycle: Lifecycle) -> RunTable:
    """The runs of an experiment (None: of all active ones), read by a child process; raises Unavailable."""
    command = [sys.executable, "-m", __name__, str(path.resolve()), experiment_id or "", lifecycle]
    paths = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    # NumPy's threads for matrices take 0.1 s of CPU to start, and there are no matrices here.
    environment = os.environ | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, env=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"The reader of {path} did not come to an end.", "Try again.") from error
    if done.returncode:
        raise _failure(path, done.stderr.decode(errors="replace"))
    return _unpacked(done.stdout)


def main(path: str, experiment_id: str, lifecycle: Lifecycle, out: BinaryIO) -> None:
    """What the child does: read, and write the columns to ``out`` as Arrow streams."""
    import pyarrow as pa

    with SqliteFile(Path(path)).bulk_session() as session:
        table = read_runs(session, scope_of(experiment_id or None, lifecycle))
    about = json.dumps({"as_of": table.as_of.isoformat(), "rows": len(table)}).encode()
    for name in _PARTS:
        part: pa.Table = getattr(table, name).replace_schema_metadata({b"modeldesk": about})
        with pa.ipc.new_stream(out, part.schema) as stream:
            stream.write_table(part)


def _unpacked(content: bytes) -> RunTable:
    import pyarrow as pa

    source, parts = pa.BufferReader(content), {}
    for name in _PARTS:
        with pa.ipc.open_stream(source) as stream:
            parts[name] = stream.read_all()
    about = json.loads(parts["attributes"].schema.metadata[b"modeldesk"])
    plain = {
        name: part.replace_schema_metadata() if part.num_columns else columns.empty(about["rows"])
        for name, part in parts.items()
    }
    as_of = datetime.fromisoformat(about["as_of"])
    return RunTable(**plain, total=about["rows"], source="direct", as_of=as_of)


def _failure(path: Path, said: str) -> Unavailable:
    try:
        found = json.loads(said.strip().splitlines()[-1])
        return Unavailable(found["what"], found["way_out"])
    except (ValueError, LookupError, TypeError):
        return Unavailable(
            f"Reading {path} failed.", "Try again; `runs search` on a smaller experiment may work."
        )


class _WithoutPandas:
    """PyArrow imports pandas (0.2 s) to ask whether a plain number is one of its kinds; here none ever is."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError(name)


if __name__ == "__main__":
    sys.meta_path.insert(0, _WithoutPandas)  # type: ignore[arg-type]
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3], sys.stdout.buffer)  # type: ignore[arg-type]
    except Unavailable as error:
        sys.exit(json.dumps({"what": error.what, "way_out": error.way_out}))
