"""Which registry a workspace has: its MLflow database read directly, or an MLflow server over HTTP."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from core.errors import BadSettings
from core.registry.store import Registry

if TYPE_CHECKING:
    from core.ledger.store import Ledger
    from core.settings import Settings


def open_registry(settings: Settings, ledger: Ledger) -> Registry:
    """The registry that the settings name. Raises BadSettings, BadInput and Unavailable."""
    from core.experiments.mlflow_database import is_database, open_database

    uri = settings.registry_uri
    stages = {settings.environments[place]: stage for place, stage in settings.stages.items()}
    if not uri:
        raise BadSettings("No MLflow store is configured.", "Set [mlflow] tracking_uri in modeldesk.toml.")
    if is_database(uri):
        from core.registry.mlflow_alias import write_alias, write_stage
        from core.registry.mlflow_sql import SqlRegistry

        reader = SqlRegistry(open_database(uri))
        at = uri, reader.revision()
        return Registry(
            reader,
            partial(write_alias, *at),
            ledger.exclusive,
            write_stage=partial(write_stage, *at),
            stages=stages,
        )
    if uri.startswith(("http://", "https://")):
        from core.registry.mlflow_rest import RestRegistry

        server = RestRegistry(uri, settings.mlflow.timeout_s)
        return Registry(
            server, server.write_alias, ledger.exclusive, write_stage=server.write_stage, stages=stages
        )
    raise BadSettings(
        f"The registry '{uri}' is neither a database nor a server's address.",
        "Folders of runs (./mlruns) are retired in MLflow: run `mlflow migrate-filestore` first.",
    )
