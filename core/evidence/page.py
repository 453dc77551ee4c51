"""The page of an evidence pack: everything in it on one HTML page that opens without network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.document import Table, as_html
from core.evidence.card_text import card_tables, number
from core.evidence.gather import Evidence


def page(evidence: Evidence) -> str:
    """The page: decisions first, then what they rest on."""
    facts = evidence.facts
    version = facts["version"]
    lead = (
        f"{version['description'] or 'No description.'} Registered {_at(version['registered_at'])}. "
        "Counts of 1 to 10 people, and what would give them away, are hidden."
    )
    tables = (
        _served(facts["served"]),
        *(table for request in facts["requests"] for table in _request(request)),
        *(
            []
            if facts["requests"]
            else [Table("Approvals", note="Nobody requested an approval of this version.")]
        ),
        _metrics(facts["metrics"]),
        _run(facts["run"]),
        _lineage(facts["lineage"]),
        _decisions(facts["decisions"], evidence.extract.sealed),
        *(replace(table, title=f"Model card: {table.title}") for table in card_tables(evidence.card)[:-1]),
        _packages(evidence.sbom),
        _files(facts["files"]),
        Table(
            "How to check this pack",
            note="Run `python verify.py` on the ZIP file, offline; or `python -m core evidence verify`. The SHA-256 "
            "of the ZIP file is in the ledger, as the event of its export.",
        ),
    )
    return as_html(f"Evidence: {version['model']} v{version['version']}", lead, tables)


def _served(stretches: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            item["environment"], _at(item["since"]), _at(item["until"]) if item["until"] else "now", item["by"],
            item["basis"] + (f" ({item['request_id']})" if item["request_id"] else ""),
            "taken back" if item["taken_back"] else "replaced" if item["until"] else "–",
        )
        for item in stretches
    )  # fmt: skip
    note = "" if rows else "This version never served, as far as the ledger knows."
    return Table(
        "Where it served",
        ("Environment", "Since", "Until", "By", "By what right", "How it ended"),
        rows,
        note,
    )


def _request(request: dict[str, Any]) -> tuple[Table, ...]:
    title = f"Request {request['request_id']} for {request['environment']}"
    said = (
        f"Asked by {request['requested_by']} on {_at(request['opened_at'])}: {request['reason']} "
        f"Judged by policy version {request['policy_version'] or 'none'}, tier {request['tier'] or 'none'}, "
        f"against version {request['champion'] or 'none'} in {request['environment']}. "
        f"Approvals needed: {request['needs']}. Outcome: {request['outcome']}. "
        f"The model's files are those that were judged: {request['files_are_those_judged']}."
    )
    signed = tuple(
        (
            item["printed_name"], _at(item["at"]), item["meaning"],
            "passphrase" if item["passphrase"] else "no passphrase", item["deputy_for"] or "–",
            "yes" if item["covers_this_request"] else "no: the request was another",
        )
        for item in request["signatures"]
    )  # fmt: skip
    gates = tuple(
        (
            gate["name"], gate["verdict"], number(gate["value"]), number(gate["threshold"]), gate["reason"],
            next((f"{o['by']}: {o['reason']}" for o in request["overrides"] if o["gate"] == gate["name"]), "–"),
        )
        for gate in request["gates"]
    )  # fmt: skip
    return (
        Table(
            title, ("Signed by", "At (UTC)", "Meaning", "Identity", "Deputy for", "Covers this"), signed,
            said if signed else f"{said} Nobody signed.",
        ),
        Table(
            f"Gates of {request['request_id']}", ("Gate", "Verdict", "Value", "Threshold", "Why", "Accepted by"),
            gates, "The thresholds are those in force when the request was opened." if gates else "No gates applied.",
        ),
    )  # fmt: skip


def _metrics(metrics: list[dict[str, Any]]) -> Table:
    rows = tuple((item["name"], number(item["value"])) for item in metrics)
    return Table("Metrics of the run", ("Metric", "Value"), rows, "" if rows else "No metrics were logged.")


def _run(run: dict[str, Any] | None) -> Table:
    if run is None:
        return Table("Training run", note="The version names no run, or the run is gone.")
    names = {
        "run_id": "Run", "name": "Name", "experiment": "Experiment", "user": "By", "started_at": "Started",
        "git_commit": "Commit", "data_hash": "Training data",
    }  # fmt: skip
    shown = run | {"started_at": _at(run["started_at"])}
    rows = [(label, str(shown[key] or "not recorded")) for key, label in names.items()]
    rows += [(f"param {key}", value) for key, value in run["params"].items()]
    rows += [
        (f"data set ({item['context'] or 'any'})", f"{item['name']} {item['digest']}")
        for item in run["datasets"]
    ]
    return Table("Training run", ("What", "Value"), tuple(rows))


def _lineage(lineage: dict[str, Any]) -> Table:
    names = {node["id"]: f"{node['name']} ({node['kind'].replace('_', ' ')})" for node in lineage["nodes"]}
    rows = tuple(
        (
            names.get(edge["from"], edge["from"]),
            names.get(edge["to"], edge["to"]),
            edge["evidence"],
            edge["strength"],
        )
        for edge in lineage["edges"]
    )
    note = " ".join(lineage["notes"]) or ("" if rows else "Nothing is known of what it came from.")
    return Table("Lineage", ("From", "To", "Evidence", "Strength"), rows, note)


def _decisions(decisions: list[dict[str, Any]], sealed: int) -> Table:
    rows = tuple(
        (
            str(item["seq"]), _at(item["at"]), item["who"], item["what"], item["environment"] or "–",
            item["reason"] or "–", item["hash"],
        )
        for item in decisions
    )  # fmt: skip
    if not rows:
        return Table("Ledger", note="The ledger has no decision about this version.")
    between = (
        f" {sealed:,} events between them are about something else and stand as their hash alone."
        * bool(sealed)
    )
    note = f"{len(rows):,} events about this version; each hash covers the event and the hash before it.{between}"
    return Table("Ledger", ("Event", "At (UTC)", "Who", "What", "Where", "Why", "Hash"), rows, note)


def _packages(sbom: Any) -> Table:
    rows = tuple((item["name"], item.get("version", "not pinned")) for item in sbom.get("components", ()))
    note = (
        "As logged with the model; what these bring along was not recorded." if rows else "None were logged."
    )
    return Table("Packages of the model's environment", ("Package", "Version"), rows, note)


def _files(files: dict[str, Any]) -> Table:
    rows = tuple((item["path"], f"{item['bytes']:,}", item["sha256"]) for item in files["files"])
    note = files["note"] or f"SHA-256 of all of them together: {files['sha256']}"
    return Table("Files of the model", ("File", "Bytes", "SHA-256"), rows, note)


def _at(text: str | None) -> str:
    """A stored time as people read it, to the minute; the exact one is in evidence.json."""
    return f"{text[:10]} {text[11:16]} UTC" if text else "at an unknown time"
