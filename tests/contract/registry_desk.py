"""A workspace on a real MLflow store with a model of three versions, and people with rights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.access import Actor
from core.ledger.types import Record
from core.registry.promotion import Outcome, carry_out, plan_promotion, plan_rollback
from core.settings import AccessSection, GrantSection, LedgerSection, MlflowSection, Settings, UserSection
from core.workspace import Workspace
from tests.model_store import ModelStore, new_model_store

OPAL = Actor("opal", "Opal Operator", "oidc")
VERA = Actor("vera", "Vera Viewer", "oidc")
LEAD = Actor("lead", "Lea Lead", "oidc")
CLIN = Actor("clin", "Clio Clinician", "oidc")
RINA = Actor("rina", "Rina Researcher", "oidc")
ADAM = Actor("adam", "Adam Admin", "oidc")

GRANTS = (
    GrantSection(user="opal", role="operator"),
    GrantSection(user="vera", role="viewer"),
    GrantSection(user="lead", role="approver"),
    GrantSection(user="clin", role="approver"),
    GrantSection(user="rina", role="contributor"),
    GrantSection(user="adam", role="admin"),
)
USERS = tuple(
    UserSection(name=actor.name, display_name=actor.display_name)
    for actor in (OPAL, VERA, LEAD, CLIN, RINA, ADAM)
)


@dataclass(frozen=True)
class DeskSetup:
    """The workspace and its MLflow store."""

    ws: Workspace
    store: ModelStore

    def champion(self, model: str = "risk") -> int | None:
        return self.ws.registry.model(model).aliases.get("champion")

    def promote(self, version: int, actor: Actor = OPAL, key: str | None = None) -> Outcome:
        return carry_out(self.ws, plan_promotion(self.ws, "risk", version), actor, "better", key)

    def roll_back(self, to: str = "last-good", actor: Actor = OPAL, key: str | None = None) -> Outcome:
        return carry_out(self.ws, plan_rollback(self.ws, "risk", to=to), actor, "drift", key)

    def kinds(self) -> list[str]:
        return [record.kind for record in self.ws.ledger.records()]

    def last(self) -> Record:
        return self.ws.ledger.records()[-1]

    def again(self, **changes: object) -> DeskSetup:
        """The same workspace opened anew, with other settings."""
        values = self.ws.settings.model_dump() | changes
        return DeskSetup(Workspace(Settings(**values)), self.store)


def new_desk(folder: Path, ledger_url: str | None = None, **settings: object) -> DeskSetup:
    """A model ``risk`` with three versions and no alias; server mode, so that every right is granted."""
    store = new_model_store(folder / "mlflow")
    for number in (1, 2, 3):
        store.version("risk", {"auroc": 0.8 + number / 100}, data_hash=f"d{number}")
    return DeskSetup(
        Workspace(
            Settings(
                root=folder,
                mlflow=MlflowSection(tracking_uri=store.uri),
                ledger=LedgerSection(url=ledger_url or f"sqlite:///{folder}/ledger.db"),
                access=AccessSection(mode="oidc", users=USERS, grants=GRANTS),
                **settings,
            )
        ),
        store,
    )
