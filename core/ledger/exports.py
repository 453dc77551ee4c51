"""Export files: every row of the ledger as it is stored, one JSON object a line, so that anyone can check it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import BadInput
from core.files import whole_file
from core.ledger.schema import events
from core.ledger.verify import Row

COLUMNS = tuple(column.name for column in events.c)


def export_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    """``rows`` as the lines of an export."""
    for row in rows:
        yield json.dumps(dict(zip(COLUMNS, row, strict=True))).encode() + b"\n"


def write_export(rows: Iterable[Row], file: Path) -> tuple[int, str]:
    """Write ``rows`` in order, all or none; how many they were and the file's SHA-256. Raises Unavailable.

    ``actor`` and ``payload`` stay the stored text: the hashes cover it byte for byte.
    """
    count, digest = 0, hashlib.sha256()
    with whole_file(file) as target:
        for line in export_lines(rows):
            target.write(line)
            digest.update(line)
            count += 1
    return count, digest.hexdigest()


def read_export(file: Path) -> Iterator[Row]:
    """The rows of an export, in the order of the file. Raises BadInput, naming the line that is none."""
    try:
        with file.open(encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                yield _row(file, number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}.", "Name the exported file.") from error


def _row(file: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
        if not isinstance(row["seq"], int) or not isinstance(row["at"], str):
            raise TypeError
        return tuple(row[name] for name in COLUMNS)
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{file}, line {number} is no event.", "`audit export --out FILE` writes such files."
        ) from error
