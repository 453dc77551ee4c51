"""One resolved stage definition or .dvc file, turned into a Stage; what DVC's schema forbids is a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.pipeline.lockfile import Recorded, recorded, section
from core.pipeline.paths import is_url, project_path
from core.pipeline.reads import Reads
from core.pipeline.types import Dep, DepKind, Out, OutKind, ParamDep, Stage
from core.pipeline.values import ValuesFault, pick

DEFAULT_PARAMS = "params.yaml"
STAGE_KEYS = frozenset(
    ("cmd", "wdir", "deps", "params", "outs", "metrics", "plots", "vars", "frozen", "always_changed")
) | {"desc", "meta", "matrix", "foreach", "do"}
_OUT_FLAGS = frozenset(("cache", "persist", "checkpoint", "remote", "push", "desc", "type", "labels", "meta"))
_PLOT_FLAGS = frozenset(("template", "x", "y", "x_label", "y_label", "title", "header"))
_SECTIONS = (("outs", OutKind.OUT), ("metrics", OutKind.METRIC), ("plots", OutKind.PLOT))

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage is written: the dvc.yaml, its folder, the line, and the project's root."""

    root: str
    file: str
    folder: str
    line: int | None


def build_stage(
    place: Place,
    key: str,
    group: str | None,
    body: Mapping[str, Any],
    lock: Mapping[str, Any] | None,
    values: Reads | None,
    report: Report,
    *,
    resolved: bool = True,
) -> Stage:
    """The stage ``key`` of a dvc.yaml; ``report`` takes every fault, the rest of the stage stands.

    Without ``values`` the current parameters are left out.
    """
    for unknown in body.keys() - STAGE_KEYS:
        report(f"unknown key '{unknown}'")
    wdir = project_path(place.root, place.folder, _text(body, "wdir", report) or ".")
    cmd = _command(body, report)
    return Stage(
        name=key if place.file == "dvc.yaml" else f"{place.file}:{key}",
        key=key,
        file=place.file,
        line=place.line,
        wdir=wdir,
        cmd=cmd,
        deps=tuple(_deps(place, wdir, body, section(lock, "deps"), report)),
        params=tuple(_params(place, wdir, body, (lock or {}).get("params"), values, report)),
        outs=tuple(_outs(place, wdir, body, section(lock, "outs"), report)),
        group=group,
        frozen=_flag(body, "frozen", report),
        always_changed=_flag(body, "always_changed", report),
        desc=_text(body, "desc", report),
        meta=body.get("meta"),
        has_lock=lock is not None,
        lock_cmd=command_of(lock["cmd"]) if lock else None,
        resolved=resolved,
    )


def command_of(value: Any) -> str | tuple[str, ...]:
    """A ``cmd`` as text, or a tuple of texts when it is a list (the two differ for DVC)."""
    return tuple(str(line) for line in value) if isinstance(value, list) else str(value)


def _command(body: Mapping[str, Any], report: Report) -> str | tuple[str, ...] | None:
    cmd = body.get("cmd")
    if cmd is None or cmd == "" or cmd == []:
        report("it has no command (cmd)")
        return None if cmd is None else command_of(cmd)
    if not isinstance(cmd, str | list):
        report("cmd must be text or a list of texts")
    return command_of(cmd)


def _text(body: Mapping[str, Any], key: str, report: Report) -> str | None:
    value = body.get(key)
    if value is None or isinstance(value, str):
        return value
    report(f"{key} must be text")
    return None


def _flag(body: Mapping[str, Any], key: str, report: Report) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        report(f"{key} must be true or false")
    return value is True


def _list(body: Mapping[str, Any], key: str, report: Report) -> list[Any]:
    value = body.get(key)
    if isinstance(value, list):
        return value
    if key in body:
        report(f"{key} must be a list")
    return []


def _deps(
    place: Place, wdir: str, body: Mapping[str, Any], lock: Mapping[str, Any], report: Report
) -> Iterator[Dep]:
    for written in _list(body, "deps", report):
        if not isinstance(written, str) or not written:
            report("deps must be a list of paths")
            continue
        yield build_dep(place, wdir, written, recorded(lock.get(written), is_url(written)))


def build_dep(place: Place, wdir: str, written: str, known: Recorded) -> Dep:
    """A dependency on a path, URL or DVC data set."""
    path = project_path(place.root, wdir, written)
    kind = (
        DepKind.DATASET if written.startswith("ds://") else DepKind.URL if is_url(written) else DepKind.FILE
    )
    return Dep(path=path, written=written, kind=kind, hash=known.hash, size=known.size, nfiles=known.nfiles)


def _outs(
    place: Place, wdir: str, body: Mapping[str, Any], lock: Mapping[str, Any], report: Report
) -> Iterator[Out]:
    for key, kind in _SECTIONS:
        allowed = _OUT_FLAGS | _PLOT_FLAGS if kind is OutKind.PLOT else _OUT_FLAGS
        for written, flags in _merged(_list(body, key, report), key, report).items():
            for unknown in flags.keys() - allowed:
                report(f"unknown key '{unknown}' of '{written}' under {key}")
            yield build_out(place, wdir, written, kind, flags, recorded(lock.get(written), is_url(written)))


def _merged(items: list[Any], key: str, report: Report) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for item in items:
        for written, flags in item.items() if isinstance(item, dict) else ((item, {}),):
            if not isinstance(written, str) or not written:
                report(f"{key} must be a list of paths")
            elif not isinstance(flags, dict):
                report(f"a mapping was expected for '{written}' under {key}")
                found.setdefault(written, {})
            else:
                found.setdefault(written, {}).update(flags)
    return found


def build_out(
    place: Place, wdir: str, written: str, kind: OutKind, flags: Mapping[str, Any], known: Recorded
) -> Out:
    """An output with its flags and what the lock knows of it."""
    labels = flags.get("labels")
    return Out(
        path=project_path(place.root, wdir, written),
        written=written,
        kind=kind,
        cache=flags.get("cache", True) is not False,
        persist=flags.get("persist", False) is True,
        push=flags.get("push", True) is not False,
        remote=flags.get("remote"),
        hash=known.hash,
        size=known.size,
        nfiles=known.nfiles,
        is_exec=known.is_exec,
        files=known.files,
        plot={key: flags[key] for key in _PLOT_FLAGS & flags.keys()} if kind is OutKind.PLOT else None,
        desc=flags.get("desc"),
        type=flags.get("type"),
        labels=tuple(str(label) for label in labels) if isinstance(labels, list) else (),
        meta=flags.get("meta"),
    )


def _params(
    place: Place, wdir: str, body: Mapping[str, Any], lock: Any, source: Reads | None, report: Report
) -> Iterator[ParamDep]:
    for written, keys in _param_files(_list(body, "params", report), report).items():
        file = project_path(place.root, wdir, written)
        values = source.values(file) if source else None
        if isinstance(values, ValuesFault):
            report(f"params file {file}: {values.message}")
        yield ParamDep(
            file=file,
            keys=keys,
            current=pick(values, keys) if isinstance(values, Mapping) else None,
            locked=_locked(lock, written, keys),
        )


def _locked(lock: Any, written: str, keys: tuple[str, ...]) -> Mapping[str, Any] | None:
    values = lock.get(written) if isinstance(lock, Mapping) else None
    if not isinstance(values, Mapping):
        return None
    return {key: values[key] for key in keys if key in values} if keys else values


def _param_files(items: list[Any], report: Report) -> dict[str, tuple[str, ...]]:
    """Keys by file as DVC merges them: a file listed without keys counts as a whole."""
    whole = {file for item in items if isinstance(item, dict) for file, keys in item.items() if not keys}
    found: dict[str, list[str]] = {}
    for item in items:
        pairs = item.items() if isinstance(item, dict) else ((DEFAULT_PARAMS, [item]),)
        for file, keys in pairs:
            if not isinstance(file, str) or not isinstance(keys or [], list):
                report(f"params of '{file}' must be a list of keys")
                continue
            if not all(isinstance(key, str) for key in keys or []):
                report(f"the params '{keys}' must be names")
            found.setdefault(file, []).extend([] if file in whole else [str(key) for key in keys])
    return {file: tuple(dict.fromkeys(keys)) for file, keys in found.items()}
