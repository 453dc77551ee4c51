#!/usr/bin/env python3
"""Check an evidence pack offline: ``python verify.py PACK.zip``. Needs Python 3.9 or newer and nothing else.

This file lies in every pack as verify.py. It finds a changed, added or missing file, a byte changed anywhere in the
ZIP file, and an event of the ledger extract whose content does not give its hash or does not follow the one before.
It cannot know whether the whole pack was made up: its SHA-256 is in the ledger, as the event of its export.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import sys
import zipfile
import zlib

MANIFEST, LEDGER = "manifest.json", "ledger.jsonl"
COLUMNS = ("seq", "at", "kind", "model", "environment", "actor", "key", "payload", "prev_hash")
_DAMAGE = (
    zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError, KeyError, TypeError,
    OverflowError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


def zipped(files, identity):
    """The ZIP file of ``files`` (name -> bytes): the same bytes for the same content, whatever the day or machine."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, files[name])
        archive.comment = identity.encode("ascii")
    return target.getvalue()


def sha256(content):
    """SHA-256 as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def problems_of(content):
    """What is wrong with the pack, as sentences; empty when it is whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
            identity = archive.comment.decode("ascii")
        found = list(_against_manifest(files, identity))
        found += _chain(files.get(LEDGER, b"").decode("utf-8").splitlines())
    except _DAMAGE as error:
        return [f"The file is damaged or no evidence pack ({type(error).__name__})."]
    if not found and zipped(files, identity) != content:
        found.append("Bytes of the ZIP file outside its files were changed.")
    return found


def _against_manifest(files, identity):
    manifest = files.get(MANIFEST)
    if manifest is None:
        yield f"The pack has no {MANIFEST}."
        return
    if sha256(manifest) != identity:
        yield f"{MANIFEST} was changed: it does not give the pack's identity."
    listed = {item["name"]: item for item in json.loads(manifest)["files"]}
    for name in sorted(set(files) - set(listed) - {MANIFEST}):
        yield f"{name} is not in the manifest: it was added."
    for name in sorted(listed):
        if name not in files:
            yield f"{name} is missing."
        elif sha256(files[name]) != listed[name]["sha256"]:
            yield f"{name} was changed: its SHA-256 is not the one in the manifest."


def _chain(lines):
    """Events are there in full, or sealed as their hash alone where they are about something else."""
    before = None
    for line in lines:
        row = json.loads(line)
        if before is not None and row["seq"] != before["seq"] + 1:
            yield f"Event {before['seq'] + 1} of the ledger extract is missing."
        elif before is not None and "prev_hash" in row and row["prev_hash"] != before["hash"]:
            yield f"Event {row['seq']} of the ledger extract does not follow event {before['seq']}."
        if "payload" in row:
            body = json.dumps([row[name] for name in COLUMNS], separators=(",", ":"), ensure_ascii=False)
            if sha256(body.encode("utf-8", "surrogatepass")) != row["hash"]:
                yield f"Event {row['seq']} of the ledger extract was changed."
        before = row


def main():
    """Check the pack that the command line names; exit code 8 when it is not whole."""
    if len(sys.argv) != 2:
        sys.exit("usage: python verify.py PACK.zip")
    with open(sys.argv[1], "rb") as source:  # noqa: PTH123
        content = source.read()
    found = problems_of(content)
    for sentence in found:
        print(sentence)
    print(f"The pack is {'NOT whole' if found else 'whole'}. SHA-256: {sha256(content)}")
    sys.exit(8 if found else 0)


if __name__ == "__main__":
    main()
