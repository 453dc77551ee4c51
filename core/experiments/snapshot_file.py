"""A snapshot of a server's runs as a Parquet file."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from core.experiments import columns
from core.experiments.types import RunTable

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "1"
_KINDS = ("metrics", "params", "tags")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every active run of some experiments as of a time; ``cursor`` is where the rolling check continues."""

    table: RunTable
    cursor: int = 0
    monotonic: float = 0.0
    saved: datetime | None = None


def cache_folder() -> Path:
    """Where snapshots may be kept: MODELDESK_CACHE, else the user's cache folder."""
    named = os.environ.get("MODELDESK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(base) / "modeldesk"


def save(snapshot: Snapshot, file: Path) -> None:
    """Write the snapshot; a disk that cannot be written only costs the next process its head start."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = snapshot.table
    parts = {
        f"attributes.{name}": column
        for name, column in zip(table.attributes.column_names, table.attributes.columns, strict=True)
    }
    for kind in _KINDS:
        wide: pa.Table = getattr(table, kind)
        parts |= {f"{kind}.{name}": wide[name] for name in wide.column_names}
    about = {
        "format": FORMAT,
        "as_of": table.as_of.isoformat(),
        "cursor": snapshot.cursor,
        "datasets": table.datasets.to_pylist(),
    }
    partial = file.with_suffix(f".{uuid4().hex}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        wide = pa.table(parts, metadata={"modeldesk": json.dumps(about)})
        pq.write_table(wide, partial, compression="zstd", write_page_checksum=True)
        partial.replace(file)
    except OSError:
        with suppress(OSError):
            partial.unlink()


def load(file: Path) -> Snapshot | None:
    """The snapshot of a file; None when there is none that can be read."""
    import pyarrow as pa

    try:
        return _read(file)
    except (OSError, pa.ArrowException, ValueError, LookupError, TypeError, AttributeError):
        return None


def _read(file: Path) -> Snapshot | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    wide = pq.read_table(file, page_checksum_verification=True)
    about = json.loads((wide.schema.metadata or {}).get(b"modeldesk", b"{}"))
    if about.get("format") != FORMAT:
        return None

    def part(kind: str) -> pa.Table:
        names = [name for name in wide.column_names if name.startswith(f"{kind}.")]
        found = wide.select(names).rename_columns([name.split(".", 1)[1] for name in names])
        return found if names else columns.empty(wide.num_rows)

    table = RunTable(
        attributes=part("attributes").cast(columns.attribute_schema()),
        metrics=part("metrics"),
        params=part("params"),
        tags=part("tags"),
        datasets=pa.Table.from_pylist(about["datasets"], schema=columns.dataset_schema()),
        total=wide.num_rows,
        source="http",
        as_of=datetime.fromisoformat(about["as_of"]),
    )
    return Snapshot(table, about["cursor"], saved=table.as_of)
