"""Evidence packs and model cards: complete, the same bytes each time, and no byte changed unnoticed."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.errors import BadInput, NotFound, Refused, Unavailable
from core.evidence import check
from core.evidence.card import model_card
from core.evidence.card_text import card_html, card_markdown
from core.evidence.pack import export_pack, export_to, file_name, make_pack
from core.ledger.events import Commented, FreezeSet
from core.registry import approvals
from core.registry.signing import enrol
from tests.contract.registry_desk import ADAM, CLIN, LEAD, OPAL, VERA, DeskSetup, new_desk
from tests.contract.test_approvals import WORDS, ruled_desk

SCHEMAS = Path(__file__).parents[2] / "core" / "cli" / "schemas"
GATES = "    gates:\n      - {metric: auroc, min: 0.8}\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> DeskSetup:
    """Version 2 was asked for, signed by two and released; other things happened in between."""
    desk = ruled_desk(tmp_path_factory.mktemp("desk"), needs=2, gates=GATES)
    found = approvals.open_request(desk.ws, "risk", 2, "production", ADAM, "better recall")
    approvals.approve(desk.ws, found.request_id, LEAD, passphrase=WORDS)
    desk.ws.ledger.append(FreezeSet(model="other", reason="nobody else's business"), OPAL)
    approvals.approve(desk.ws, found.request_id, CLIN, passphrase=WORDS)
    desk.promote(2)
    desk.ws.ledger.append(
        Commented(model="risk", environment="production", request_id=found.request_id, reason="well done"),
        LEAD,
    )
    return desk


@pytest.fixture(scope="module")
def pack(desk) -> bytes:
    return make_pack(desk.ws, "risk", 2).content


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_pack_tells_the_whole_story(desk, pack):
    files = files_of(pack)
    facts = json.loads(files["evidence.json"])
    (request,) = facts["requests"]
    assert [item["printed_name"] for item in request["signatures"]] == ["Lea Lead", "Clio Clinician"]
    assert all(item["passphrase"] and item["covers_this_request"] for item in request["signatures"])
    assert request["gates"][0]["threshold"] == 0.8 and request["policy_version"] == 1
    assert request["files_are_those_judged"] == "yes"
    assert [item["environment"] for item in facts["served"]] == ["production"]
    assert b"needs: 2" in files["policy-v1.yaml"]
    assert {item["what"] for item in facts["decisions"]} >= {
        "Approval requested for v2 in production (2 needed)"
    }
    assert next(csv.DictReader(io.StringIO(files["approvals.csv"].decode())))["printed name"] == "Lea Lead"
    assert b"Lea Lead" in files["index.html"] and b"auroc &gt;= 0.8" in files["index.html"]
    assert b"nobody else" not in pack, "what is about another model does not leave"


def test_two_exports_are_the_same_bytes_and_each_is_recorded(desk, tmp_path):
    first = export_pack(desk.ws, "risk", 2, ADAM)
    second = export_to(desk.again().ws, "risk", 2, OPAL, tmp_path / "pack.zip")
    assert first == second and (tmp_path / "pack.zip").read_bytes() == first.content
    records = desk.ws.ledger.records(kinds=("export_made",))[-2:]
    assert [(item.payload["sha256"], item.payload["version"]) for item in records] == [(first.sha256, 2)] * 2
    assert [item.name for item in tmp_path.iterdir()] == ["pack.zip"]


def test_the_ledger_extract_is_a_chain_with_seals(pack):
    rows = [json.loads(line) for line in files_of(pack)["ledger.jsonl"].splitlines()]
    sealed = [row for row in rows if "payload" not in row]
    assert [row["seq"] for row in rows] == list(range(rows[0]["seq"], rows[-1]["seq"] + 1))
    assert len(sealed) == 1 and set(sealed[0]) == {"seq", "hash"}
    assert check.problems_of(pack) == []


def test_one_flipped_byte_anywhere_is_found(pack):
    positions = random.Random(5).sample(range(len(pack)), 150)
    structure = [match.start() + skip for match in re.finditer(b"PK\x01\x02|PK\x03\x04|PK\x05\x06", pack)
                 for skip in range(0, 46, 5)]  # fmt: skip
    for position in [*positions, *[at for at in structure if at < len(pack)], len(pack) - 1]:
        changed = bytearray(pack)
        changed[position] ^= 1
        assert check.problems_of(bytes(changed)), position
    assert check.problems_of(pack[:-1]) and check.problems_of(pack + b"\n") and check.problems_of(b"")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[1].update(payload=rows[1]["payload"].replace("Lea", "Eve")), "was changed"),
        (lambda rows: rows.pop(2), "is missing"),
        (lambda rows: rows[2].update(hash="0" * 64), "does not follow"),
    ],
)
def test_a_tampered_extract_is_found_even_when_the_manifest_was_rewritten(pack, change, said):
    files = files_of(pack)
    rows = [json.loads(line) for line in files["ledger.jsonl"].splitlines()]
    change(rows)
    files["ledger.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
    manifest = json.loads(files.pop(check.MANIFEST))
    for item in manifest["files"]:
        item["sha256"] = check.sha256(files[item["name"]])
    text = json.dumps(manifest).encode()
    forged = check.zipped(files | {check.MANIFEST: text}, check.sha256(text))
    assert any(said in problem for problem in check.problems_of(forged))


def test_the_pack_checks_itself_with_python_alone(pack, tmp_path):
    files = files_of(pack)
    (tmp_path / "verify.py").write_bytes(files["verify.py"])
    (tmp_path / "pack.zip").write_bytes(pack)
    (tmp_path / "bad.zip").write_bytes(pack.replace(b"Lea Lead", b"Eva Lead", 1))
    for name, code in (("pack.zip", 0), ("bad.zip", 8)):
        run = subprocess.run(
            [sys.executable, "-I", "-S", "verify.py", name], cwd=tmp_path, capture_output=True, check=False
        )
        assert run.returncode == code, run.stderr


class Addresses(HTMLParser):
    """What a page would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "link", "img"):
            self.found.append(tag)
        self.found += [
            value for name, value in attrs if name in ("src", "href") and not value.startswith("#")
        ]


def test_its_pages_need_nothing_from_outside(pack):
    files = files_of(pack)
    for name in ("index.html", "model-card.html"):
        text = files[name].decode()
        assert Addresses(text).found == []
        assert "url(" not in text and "default-src 'none'" in text


def test_the_bill_of_materials_is_valid_cyclonedx(desk):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    folder = desk.ws.registry.folder("risk", 3)
    (folder / "requirements.txt").write_text("mlflow==3.17.2\nscikit_learn[alldeps]==1.9.1\nskops\n")
    (folder / "python_env.yaml").write_text("python: 3.11.7\n")
    text = files_of(make_pack(desk.ws, "risk", 3).content)["sbom.cdx.json"].decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = {item["name"]: item.get("version") for item in json.loads(text)["components"]}
    assert found == {"mlflow": "3.17.2", "scikit-learn": "1.9.1", "skops": None, "python": "3.11.7"}


def test_the_command_line(desk, tmp_path):
    (desk.ws.root / "modeldesk.toml").write_text(f'[mlflow]\ntracking_uri = "{desk.store.uri}"\n')

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(words))
        return result.exit_code, result.stdout

    place = ("--workspace", str(desk.ws.root))
    file = tmp_path / "evidence.zip"
    code, text = run("evidence", "export", "risk", "2", "--out", str(file), "--output", "json", *place)
    schema = json.loads((SCHEMAS / "evidence-export.json").read_text())
    jsonschema.validate(json.loads(text), schema)
    assert code == 0 and json.loads(text)["sha256"] == check.sha256(file.read_bytes())
    schema = json.loads((SCHEMAS / "evidence-verify.json").read_text())
    assert run("evidence", "verify", str(file))[0] == 0
    file.write_bytes(file.read_bytes().replace(b"auroc", b"aurox", 1))
    code, text = run("evidence", "verify", str(file), "--output", "json")
    jsonschema.validate(json.loads(text), schema)
    assert (code, json.loads(text)["ok"]) == (8, False)
    assert run("evidence", "verify", str(tmp_path / "absent.zip"))[0] != 0
    card = json.loads(run("card", "risk", "2", "--output", "json", *place)[1])
    jsonschema.validate(card, json.loads((SCHEMAS / "card.json").read_text()))
    assert "<!doctype html>" in run("card", "risk", "2", "--output", "html", *place)[1]
    assert run("card", "risk", "2", *place)[1].startswith("# Model card: risk v2")


def test_who_may_export_and_where_to(desk, tmp_path):
    before = desk.ws.ledger.head()
    with pytest.raises(Refused, match="Vera Viewer"):
        export_pack(desk.ws, "risk", 2, VERA)
    with pytest.raises(NotFound):
        export_pack(desk.ws, "risk", 99, ADAM)
    with pytest.raises(BadInput, match="There is no folder"):
        export_to(desk.ws, "risk", 2, ADAM, tmp_path / "no" / "folder" / "pack.zip")
    with pytest.raises(Unavailable, match="cannot be written"):
        export_to(desk.ws, "risk", 2, ADAM, tmp_path / ("long" * 100))
    with pytest.raises(BadInput, match="is a folder"):
        export_to(desk.ws, "risk", 2, ADAM, tmp_path)
    assert desk.ws.ledger.head() == before, "what did not leave is not recorded as left"


def test_what_nobody_told_is_printed_as_not_provided(desk):
    card = model_card(desk.ws, "risk", 2)
    text, page = card_markdown(card), card_html(card)
    labels = {field.key: field.label for field in card.missing}
    assert "intended_use" in labels and "ethics" in labels
    for label in labels.values():
        assert f"| {label} | not provided |" in text
    assert page.count("not provided") >= len(labels)
    desk.store.client.set_model_version_tag("risk", "2", "card.ethics", "young patients are rare <b>")
    desk.store.client.set_registered_model_tag("risk", "card.intended_use", "ranks patients | at admission")
    told = desk.again().ws
    after = model_card(told, "risk", 2)
    assert {field.key for field in card.missing} - {field.key for field in after.missing} == {
        "ethics",
        "intended_use",
    }
    assert "young patients are rare &lt;b&gt;" in card_html(after)
    assert model_card(told, "risk", 1).missing != after.missing, "a version's tag is about that version"


def test_small_groups_are_hidden_in_every_file(tmp_path):
    desk = new_desk(tmp_path)
    enrol(desk.ws, LEAD, WORDS)
    counts = {"auroc": 0.9, "n_rare_site": 7.0, "sensitivity_rare_site": 0.857142, "n_test": 4000.0}
    number = desk.store.version("risk", counts, data_hash="d")
    found = approvals.open_request(desk.ws, "risk", number, "production", ADAM, "more sites")
    approvals.approve(desk.ws, found.request_id, LEAD, passphrase=WORDS)
    made = make_pack(desk.ws, "risk", number)
    files = files_of(made.content)
    metrics = {item["name"]: item["value"] for item in json.loads(files["evidence.json"])["metrics"]}
    assert metrics == {
        "auroc": 0.9,
        "n_rare_site": "<11",
        "sensitivity_rare_site": "hidden",
        "n_test": 4000.0,
    }
    assert b"0.857" not in made.content
    for name, content in files.items():
        assert not re.search(rb"n_rare_site\W{1,8}7", content), name
    assert check.problems_of(made.content) == []


def test_odd_names_make_harmless_files(tmp_path):
    desk = new_desk(tmp_path)
    name = "risk 🫀 'quoted\" " + "x" * 200
    desk.store.version(name, {"-cmd": 1.0}, data_hash="d")
    made = make_pack(desk.ws, name, 1)
    assert check.problems_of(made.content) == []
    assert re.fullmatch(r"evidence-[A-Za-z0-9_.-]{1,90}-v1\.zip", file_name(name, 1))
    assert b"'-cmd" in files_of(made.content)["metrics.csv"]
