"""dvc.lock of format 2.0, and 1.0 which DVC 3 refuses; hashes and sizes of its entries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from core.pipeline.lock_entries import parse_entries, read_entries, split_entries
from core.pipeline.types import DirFile, Finding, Hash
from core.pipeline.yaml12 import Document, YamlFault, load

_OTHER_HASHES = ("etag", "checksum", "version_id")


@dataclass(frozen=True, slots=True)
class Lock:
    """The stages of one dvc.lock by key, raw; what was wrong with it."""

    stages: Mapping[str, Mapping[str, Any]]
    lines: Mapping[tuple[str, ...], int]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a lock entry says about one dep or out."""

    hash: Hash | None = None
    size: int | None = None
    nfiles: int | None = None
    is_exec: bool = False
    files: tuple[DirFile, ...] = ()


NOTHING = Recorded()


def parse_lock(file: str, data: bytes) -> Lock:
    """The lock in ``data``; never fails: a broken file gives no stages and a finding."""
    try:
        document = read_entries(data) or load(data, line_depth=2)
    except YamlFault as fault:
        return Lock({}, {}, (Finding(file, fault.line, f"{fault.message}; its hashes are not known"),))
    if document.value is None:
        return Lock({}, {})
    if not isinstance(document.value, dict):
        return Lock({}, {}, (Finding(file, 1, "a mapping was expected; its hashes are not known"),))
    return _of_format(file, document)


def changed_entries(locks: Sequence[bytes]) -> list[Mapping[str, Mapping[str, Any]]]:
    """The entries of each lock by stage key, without those of the first that another one has word for word.

    Where DVC did not write all of them as it does, every entry of each.
    """
    texts = [split_entries(lock) for lock in locks]
    first, *others = (one or {} for one in texts)
    changed = {name for name, _ in set(first.items()).difference(*(other.items() for other in others))}
    parsed = [
        parse_entries(tuple(text for name, text in one.items() if name in changed))
        for one in (first, *others)
    ]
    if None in texts or None in parsed:
        return [parse_lock("dvc.lock", lock).stages for lock in locks]
    return [{name: entry for name, entry in one or () if _fault(entry) is None} for one in parsed]


def _of_format(file: str, document: Document) -> Lock:
    value = document.value
    if "schema" not in value and "stages" not in value:
        message = "format 1.0 of 2020, which DVC 3 refuses; read here all the same"
        return _checked(file, value, document.lines, (Finding(file, 1, message),))
    findings: tuple[Finding, ...] = ()
    if value.get("schema") != "2.0":
        line = document.lines.get(("schema",))
        findings = (Finding(file, line, f"unknown schema {value.get('schema')!r}, '2.0' was expected"),)
    stages = value.get("stages") or {}
    if not isinstance(stages, dict):
        return Lock(
            {}, {}, (*findings, Finding(file, document.lines.get(("stages",)), "stages is no mapping"))
        )
    lines = {path[1:]: line for path, line in document.lines.items() if path[0] == "stages"}
    return _checked(file, stages, lines, findings)


def _checked(
    file: str, stages: Mapping[str, Any], lines: Mapping[tuple[str, ...], int], findings: tuple[Finding, ...]
) -> Lock:
    good, bad = {}, []
    for name, entry in stages.items():
        fault = _fault(entry)
        if fault is None:
            good[str(name)] = entry
        else:
            bad.append(Finding(file, lines.get((str(name),)), f"entry '{name}': {fault}"))
    return Lock(good, lines, (*findings, *bad))


def _fault(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return "a mapping was expected"
    if "cmd" not in entry:
        return "it has no cmd"
    for section in ("deps", "outs"):
        items = entry.get(section, [])
        if not isinstance(items, list) or not all(_is_item(item) for item in items):
            return f"{section} must be a list of mappings with a path"
    params = entry.get("params", {})
    if not isinstance(params, dict) or not all(isinstance(values, dict) for values in params.values()):
        return "params must map files to values"
    return None


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("path"), str)


def section(entry: Mapping[str, Any] | None, name: str) -> Mapping[str, Mapping[str, Any]]:
    """The ``deps`` or ``outs`` of a lock entry by path as written."""
    return {item["path"]: item for item in (entry or {}).get(name, ())}


def recorded(item: Mapping[str, Any] | None, is_remote: bool = False) -> Recorded:
    """Hash, size and files of one lock item; without ``hash:`` an md5 is DVC 2's line-end-neutral one."""
    if not item:
        return NOTHING
    cloud = item.get("cloud")
    if isinstance(cloud, dict) and cloud:
        first = next(iter(cloud.values()))
        item = {**item, **first} if isinstance(first, dict) else item
    kind = item.get("hash")
    files = _dir_files(item.get("files"), kind)
    return Recorded(
        hash=_dir_hash(files) if files else _hash(item, kind, is_remote),
        size=_number(item.get("size")) if not files else sum(file.size or 0 for file in files),
        nfiles=_number(item.get("nfiles")) if not files else len(files),
        is_exec=item.get("isexec") is True,
        files=files,
    )


def hash_of(item: Mapping[str, Any], is_remote: bool = False) -> Hash | None:
    """The hash alone, as :func:`recorded` has it."""
    if "cloud" in item or "files" in item:
        return recorded(item, is_remote).hash
    return _hash(item, item.get("hash"), is_remote)


def _hash(item: Mapping[str, Any], kind: Any, is_remote: bool) -> Hash | None:
    if isinstance(kind, str) and item.get(kind):
        return Hash(str(item[kind]).lower(), kind)
    if item.get("md5") and not is_remote:
        return Hash(str(item["md5"]).lower(), "md5-dos2unix")
    for name in (*_OTHER_HASHES, "md5"):
        if item.get(name):
            return Hash(str(item[name]), name)
    return None


def _dir_files(files: Any, kind: Any) -> tuple[DirFile, ...]:
    if not isinstance(files, list):
        return ()
    good = [file for file in files if isinstance(file, dict) and isinstance(file.get("relpath"), str)]
    return tuple(DirFile(file["relpath"], _file_hash(file, kind), _number(file.get("size"))) for file in good)


def _file_hash(file: Mapping[str, Any], kind: Any) -> Hash | None:
    found = recorded({key: value for key, value in file.items() if key != "files"}).hash
    if found and kind == "md5" and found.kind == "md5-dos2unix":
        return Hash(found.value)
    return found


def _dir_hash(files: tuple[DirFile, ...]) -> Hash | None:
    if any(file.hash is None for file in files):
        return None
    kind = files[0].hash.kind if files[0].hash else "md5"
    listing = [{"md5": file.hash.value, "relpath": file.path} for file in files if file.hash]
    return Hash(directory_digest(listing), kind)


def directory_digest(listing: list[dict[str, str]]) -> str:
    """DVC's hash of a directory: md5 over the sorted JSON listing of ``md5`` and ``relpath``."""
    ordered = sorted(listing, key=itemgetter("relpath"))
    text = json.dumps(ordered, sort_keys=True)
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest() + ".dir"


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
