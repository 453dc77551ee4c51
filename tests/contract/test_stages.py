"""MLflow's deprecated stages as a mirror beside the aliases, on a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.access import UNKNOWN
from core.attention import overview
from core.errors import BadInput, Unavailable
from core.registry.promotion import carry_out, plan_promotion
from core.registry.retirement import archive_version, restore_version
from core.registry.standing import detect_outside_moves, repair, repair_plan, standings
from core.settings import load_settings
from tests.contract.registry_desk import ADAM, LEAD, OPAL, DeskSetup, new_desk

BOTH = {"production": "Production", "staging": "Staging"}


@pytest.fixture
def desk(tmp_path: Path) -> DeskSetup:
    return new_desk(tmp_path, stages=BOTH)


def stages(desk: DeskSetup) -> dict[int, str]:
    return {item.version: item.stage for item in reversed(desk.ws.registry.versions("risk"))}


def to_staging(desk: DeskSetup, version: int) -> None:
    carry_out(desk.ws, plan_promotion(desk.ws, "risk", version, "staging"), OPAL, "try it")


def test_a_promotion_moves_the_stage_and_archives_what_it_replaces(desk: DeskSetup) -> None:
    desk.promote(1)
    assert stages(desk) == {1: "Production", 2: "", 3: ""}
    to_staging(desk, 2)
    desk.promote(2)
    assert stages(desk) == {1: "Archived", 2: "Production", 3: ""}, (
        "it is in staging too: the higher stage counts"
    )
    to_staging(desk, 3)
    assert stages(desk) == {1: "Archived", 2: "Production", 3: "Staging"}
    desk.roll_back()
    assert stages(desk) == {1: "Production", 2: "Archived", 3: "Staging"}
    assert all(item.in_sync for item in standings(desk.ws))
    assert desk.store.client.get_model_version("risk", "1").current_stage == "Production"


def test_without_the_setting_no_stage_is_touched(tmp_path: Path) -> None:
    desk = new_desk(tmp_path)
    desk.promote(1)
    assert set(stages(desk).values()) == {""}
    desk.store.client.transition_model_version_stage("risk", "2", "Production")
    assert all(item.in_sync for item in standings(desk.ws))


def test_a_stage_moved_outside_is_seen_recorded_once_and_put_back(desk: DeskSetup) -> None:
    desk.promote(1)
    desk.store.client.transition_model_version_stage(
        "risk", "3", "Production", archive_existing_versions=True
    )
    (found,) = standings(desk.ws, "risk")
    assert (found.in_sync, found.alias_version) == (False, 1)
    assert set(found.stages_said) == {
        "v3 is in Production, not in Archived",
        "v1 is in Archived, not in Production",
    }
    (record,) = detect_outside_moves(desk.ws, (found,))
    detect_outside_moves(desk.ws, standings(desk.ws))
    assert (record.payload["alias"], record.payload["to_version"]) == ("Production (stage)", 3)
    assert record.actor.name == UNKNOWN.name and desk.kinds().count("alias_moved_outside") == 1
    (item,) = (
        item for item in overview(desk.ws, OPAL, desk.ws.ledger.now()).items if item.word == "OUT OF SYNC"
    )
    assert item.sentence == "risk: the ledger says v1, MLflow's stages do not"
    assert "v3 from Production to Archived" in repair_plan(desk.ws, "risk", "production")
    with pytest.raises(BadInput, match="nothing to accept"):
        repair(desk.ws, "risk", "production", OPAL, "so be it", accept=True)
    repair(desk.ws, "risk", "production", OPAL, "somebody's old script")
    assert stages(desk) == {1: "Production", 2: "", 3: "Archived"}
    assert all(item.in_sync for item in standings(desk.ws))


def test_a_stage_that_cannot_be_written_leaves_the_alias_where_it_was(desk: DeskSetup) -> None:
    desk.promote(1)
    plan = plan_promotion(desk.ws, "risk", 2)

    def refuse(model: str, version: int, stage: str) -> None:
        raise Unavailable("MLflow did not set the stage: INTERNAL_ERROR.")

    desk.ws.registry._write_stage = refuse
    with pytest.raises(Unavailable):
        carry_out(desk.ws, plan, OPAL, "better")
    assert desk.champion() == 1 and stages(desk)[1] == "Production"
    assert desk.last().kind == "operation_failed"


def test_an_archived_version_is_in_the_stage_archived(desk: DeskSetup) -> None:
    archive_version(desk.ws, "risk", 3, LEAD, "superseded")
    assert stages(desk)[3] == "Archived"
    restore_version(desk.ws, "risk", 3, ADAM, "needed after all")
    assert stages(desk)[3] == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('lab = "Staging"', "there is no environment 'lab'"),
        ('production = "Live"', "Input should be 'Staging' or 'Production'"),
        ('production = "Staging"\nstaging = "Staging"', "two environments cannot share a stage"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, line: str, said: str) -> None:
    from core.errors import BadSettings

    (tmp_path / "modeldesk.toml").write_text(f"[stages]\n{line}\n")
    with pytest.raises(BadSettings, match=said):
        load_settings(tmp_path)
