"""Checks before anything is started: read from the files alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from core.deploy.model_files import ModelFile, read_model_file
from core.deploy.serialization import Findings, inspect
from core.deploy.types import Artifact


class Verdict(StrEnum):
    """The outcome of one check."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was looked at, how it went, and the sentence for it."""

    name: str
    verdict: Verdict
    detail: str


def static_checks(
    artifact: Artifact, live: Artifact | None, *, max_mb: int, allowed_by: Callable[[Findings], str]
) -> tuple[Check, ...]:
    """Size, signature, compatibility with what is live, and what loading would run.

    ``allowed_by`` says who allowed what was found, '' for nobody.
    """
    candidate = read_model_file(artifact.directory)
    now = read_model_file(live.directory) if live and live.directory.is_dir() else None
    findings = inspect(artifact.directory)
    return (
        check_size(artifact.size_bytes, max_mb),
        check_signature(candidate),
        check_compatible(candidate, now),
        check_serialization(findings, allowed_by(findings)),
    )


def check_size(size_bytes: int, max_mb: int) -> Check:
    """At most ``max_mb`` megabytes, measured from the files (MLmodel's own number leaves some out)."""
    verdict = Verdict.PASS if size_bytes <= max_mb * 1_000_000 else Verdict.FAIL
    return Check("size", verdict, f"{size_bytes / 1e6:.1f} MB of at most {max_mb} MB")


def check_signature(candidate: ModelFile) -> Check:
    """A model without a signature accepts anything and fails in production instead."""
    if not candidate.has_signature:
        return Check("signature", Verdict.FAIL, "no signature: log the model with signature or input_example")
    return Check("signature", Verdict.PASS, f"{len(candidate.columns)} input columns")


def check_compatible(candidate: ModelFile, live: ModelFile | None) -> Check:
    """Whoever calls live must be able to call the candidate: no new required column, no other type, no other answer."""
    name = "compatible with live"
    if live is None or not live.has_signature:
        return Check(name, Verdict.PASS, "nothing is live to compare with")
    sent = {column.name: column.type for column in live.columns}
    new = [column.name for column in candidate.columns if column.required and column.name not in sent]
    other = [
        f"{column.name} ({sent[column.name]} -> {column.type})"
        for column in candidate.columns
        if column.name in sent and column.type != sent[column.name]
    ]
    answers = [column.type for column in candidate.outputs], [column.type for column in live.outputs]
    parts = [f"new required: {', '.join(new)}"] * bool(new)
    parts += [f"other type: {', '.join(other)}"] * bool(other)
    if all(answers) and answers[0] != answers[1]:
        parts.append(f"answers {', '.join(answers[0])} where live answers {', '.join(answers[1])}")
    if parts:
        return Check(name, Verdict.FAIL, "; ".join(parts))
    return Check(name, Verdict.PASS, "takes every request that live takes, and answers in the same types")


def check_serialization(findings: Findings, allowed_by: str) -> Check:
    """Loading must run nothing but trusted types, unless someone who may said so (``allowed_by``, '' for nobody)."""
    if not findings.runs_code:
        return Check("serialization", Verdict.PASS, findings.sentence)
    if allowed_by:
        return Check("serialization", Verdict.PASS, f"allowed by {allowed_by}: {findings.sentence}")
    return Check(
        "serialization",
        Verdict.FAIL,
        f"loading would run code: {findings.sentence}; nobody allowed it (`approve REQUEST --allow-code`, or where "
        "no approval is asked for `deploy --allow-code` by an approver)",
    )
