"""Settings, read once: where the stores are and how a team works.

Order of precedence: ``MODELDESK_*`` environment variables (also from ``.env``), then the workspace's
``modeldesk.toml``, then MLflow's own ``MLFLOW_TRACKING_URI`` and ``MLFLOW_REGISTRY_URI``. An explicit file
beats an ambient variable, so that ``--workspace .demo`` always means the demo.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from core.errors import BadSettings

FILE_NAME = "modeldesk.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MlflowSection(_Section):
    """Where MLflow keeps runs and models; relative SQLite paths start at the workspace."""

    tracking_uri: str | None = None
    registry_uri: str | None = None
    timeout_s: float = Field(3.5, gt=0, description="seconds before a silent server counts as down")
    webhook_secret_variable: str | None = Field(
        None, description="environment variable with the secret of MLflow's webhooks"
    )


class DvcSection(_Section):
    """DVC repositories whose pipelines belong to this workspace."""

    projects: tuple[Path, ...] = ()


class LedgerSection(_Section):
    """SQLAlchemy URL of the decision ledger (SQLite or PostgreSQL)."""

    url: str = "sqlite:///ledger.db"


class MonitorSection(_Section):
    """One watched model: where its prediction log, late labels and reference are."""

    model: str
    environment: str = "production"
    predictions: Path
    labels: Path | None = None
    reference: Path
    request_id: str = "request_id"
    timestamp: str = "timestamp"
    label: str = "label"
    prediction: str = "prediction"
    score: str | None = "score"
    ignore: tuple[str, ...] = Field((), description="columns that are logged but are no features")
    engine: Literal["local", "spark", "ibis"] = Field(
        "local",
        description="what holds predictions and reference: files here, or tables of Spark or a database",
    )
    connect: str | None = Field(None, repr=False, description="the database's URL, or Spark's master")
    connect_variable: str | None = Field(
        None, description="environment variable with the same, for a password"
    )


class UserSection(_Section):
    """A person who may sign in; roles are granted per model pattern and environment."""

    name: str
    display_name: str = ""
    demo: bool = Field(False, description="a demo identity, marked as such in every record")
    groups: tuple[str, ...] = Field((), description="groups of approvers that a policy may ask for")


class GrantSection(_Section):
    """A role for a user on models matching ``models`` (shell pattern) in ``environments``."""

    user: str
    role: Literal["viewer", "analyst", "contributor", "approver", "operator", "admin"]
    models: str = "*"
    environments: tuple[str, ...] = ("*",)


class AccessSection(_Section):
    """How people are identified. ``local`` is a single-user mode that binds to loopback only."""

    mode: Literal["local", "oidc", "proxy"] = "local"
    proxy_header: str | None = None
    users: tuple[UserSection, ...] = ()
    grants: tuple[GrantSection, ...] = ()


class PredictionLogSection(_Section):
    """What served models were asked and answered, kept by day: which requests, which columns, how long."""

    share: float = Field(1.0, ge=0, le=1, description="part of the requests that is kept; 0 keeps none")
    keep_days: int = Field(400, ge=1, description="older days are deleted")
    drop: tuple[str, ...] = Field(
        (),
        description="shell patterns of input columns that are never written, beside those named like identifiers",
    )
    hash: tuple[str, ...] = Field((), description="shell patterns of columns written as a keyed hash")


class RaySection(_Section):
    """A Ray cluster: its API for configuration, and where its proxies take requests."""

    address: str = "http://127.0.0.1:8265"
    serve_address: str = "http://127.0.0.1:8000"
    token: SecretStr = Field(
        SecretStr(""), description="bearer token of Ray's API; better in the environment"
    )
    replicas: int = Field(
        2, ge=1, description="of each version and of the ingress; with one, its death is seen"
    )
    working_dir: str = Field("", description="URI of this code as a zip; '' when nodes see this folder")


class DeploySection(_Section):
    """The serving engine and where its sockets and processes live."""

    engine: Literal["none", "embedded", "ray"] = "none"
    endpoints: tuple[str, ...] = Field(
        ("*",), description="shell patterns of 'model/environment' that the engine serves"
    )
    run_dir: Path | None = None
    max_mb: int = Field(100, ge=1, description="largest model that is deployed, measured from its files")
    memory_mb: int = Field(4096, ge=256, description="private memory that one served model may take")
    ray: RaySection = RaySection()
    bake_s: float = Field(5.0, ge=0, description="how long a deployment is watched after the switch")
    ports: dict[str, int] = Field(default_factory=dict, description="'model/environment' -> loopback port")
    log: PredictionLogSection = PredictionLogSection()
    monitor_every_h: float = Field(
        24,
        ge=0,
        description="deployd looks for drift each so many hours where [[monitors]] are set; 0: never",
    )


class FreezeWindowSection(_Section):
    """A time (UTC) in which deployments are refused; rollbacks never are."""

    name: str
    models: str = "*"
    environments: tuple[str, ...] = ("production",)
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = (
        "mon", "tue", "wed", "thu", "fri", "sat", "sun",
    )  # fmt: skip
    hours: str = Field("00:00-24:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]|24):[0-5]\d$")
    first: date | None = Field(None, description="the first day that counts")
    last: date | None = Field(None, description="the last day that counts")


class ChannelSection(_Section):
    """Where notifications go: an http(s) webhook (JSON, signed when it has a secret) or an Apprise URL."""

    name: str
    url: str
    kinds: tuple[str, ...] = Field(("*",), description="shell patterns of event kinds")
    models: str = "*"
    people: tuple[str, ...] = Field((), description="only what concerns these people; default: everything")
    secret_variable: str | None = Field(None, description="environment variable with the HMAC secret")
    quiet_hours: str | None = Field(
        None, pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$", description="UTC, 22:00-06:00"
    )


class NotifySection(_Section):
    """Notifications; ``base_url`` is where people reach the dashboard, for the links."""

    base_url: str = "http://127.0.0.1:8501"
    channels: tuple[ChannelSection, ...] = ()


class Settings(BaseSettings):
    """All settings of one workspace; build it with :func:`load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="MODELDESK_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    root: Path
    name: str = "Model Desk"
    mlflow: MlflowSection = MlflowSection()
    dvc: DvcSection = DvcSection()
    ledger: LedgerSection = LedgerSection()
    access: AccessSection = AccessSection()
    deploy: DeploySection = DeploySection()
    notify: NotifySection = NotifySection()
    monitors: tuple[MonitorSection, ...] = ()
    environments: dict[str, str] = Field(
        default_factory=lambda: {"staging": "challenger", "production": "champion"},
        description="environment -> the MLflow alias that mirrors it",
    )
    stages: dict[str, Literal["Staging", "Production"]] = Field(
        default_factory=dict,
        description="environment -> MLflow's deprecated stage that is set beside the alias",
    )
    metric_directions: dict[str, Literal["higher", "lower"]] = Field(default_factory=dict)
    policy: Path | None = None
    freeze_windows: tuple[FreezeWindowSection, ...] = ()

    @field_validator("stages")
    @classmethod
    def _of_environments(cls, stages: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if unknown := [name for name in stages if name not in info.data.get("environments", {})]:
            raise ValueError(f"there is no environment '{unknown[0]}'")
        if len(set(stages.values())) < len(stages):
            raise ValueError("two environments cannot share a stage")
        return stages

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then ``.env``, then what was read from the file (the init arguments)."""
        return env_settings, dotenv_settings, init_settings

    @property
    def configured(self) -> bool:
        """True when anything to show has been named: a tracking URI or a DVC project."""
        return bool(self.mlflow.tracking_uri or self.dvc.projects)

    def path(self, relative: Path) -> Path:
        """``relative`` resolved against the workspace folder."""
        return (self.root / relative).resolve()

    def database_url(self, url: str) -> str:
        """A SQLAlchemy or MLflow URL whose relative SQLite path starts at the workspace folder."""
        match = re.fullmatch(r"(sqlite(?:\+\w+)?):///(?!/)(?!:memory:)(.+)", url)
        return f"{match[1]}:///{self.path(Path(match[2]))}" if match else url

    @property
    def tracking_uri(self) -> str | None:
        """MLflow's tracking URI, absolute; None when not set."""
        uri = self.mlflow.tracking_uri
        return self.database_url(uri) if uri else None

    @property
    def registry_uri(self) -> str | None:
        """MLflow's registry URI; the tracking URI unless set apart."""
        uri = self.mlflow.registry_uri
        return self.database_url(uri) if uri else self.tracking_uri

    @property
    def ledger_url(self) -> str:
        """The ledger's SQLAlchemy URL, absolute."""
        return self.database_url(self.ledger.url)


def load_settings(root: Path) -> Settings:
    """The settings of the workspace at ``root``; raises BadSettings naming file, line and key."""
    root = root.expanduser().resolve()
    if not root.is_dir():  # or a ledger of its own would begin there
        raise BadSettings(
            f"The workspace folder {root} does not exist.",
            f"Create it with a {FILE_NAME}, or name another one.",
        )
    file = root / FILE_NAME
    values = _read_toml(file) if file.is_file() else {}
    values["mlflow"] = _with_mlflow_variables(values.get("mlflow", {}))
    try:
        return Settings(_env_file=root / ".env", root=root, **values)
    except ValidationError as error:
        raise BadSettings(*_explain(error, file)) from error


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(
            f"{file} is not valid TOML: {error}.", "Correct that line and try again."
        ) from error
    except OSError as error:
        raise BadSettings(f"{file} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _with_mlflow_variables(section: Any) -> Any:
    if not isinstance(section, dict):
        return section
    ambient = {
        key: os.environ[name]
        for key, name in (("tracking_uri", "MLFLOW_TRACKING_URI"), ("registry_uri", "MLFLOW_REGISTRY_URI"))
        if os.environ.get(name)
    }
    return section if "tracking_uri" in section else ambient | section


def _explain(error: ValidationError, file: Path) -> tuple[str, str]:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    line = _line_of(str(first["loc"][-1]), file)
    where = f"{file}, line {line}" if line else f"{file} or a MODELDESK_ environment variable"
    reason = "is not a known setting" if first["type"] == "extra_forbidden" else f"is wrong: {first['msg']}"
    return f"{where}: '{key}' {reason}.", "The README lists every setting under 'Settings'."


def _line_of(key: str, file: Path) -> int | None:
    if not file.is_file():
        return None
    pattern = re.compile(rf"^\s*(\[+\s*)?([\w.\"-]+\.)?\"?{re.escape(key)}\"?\s*(=|\])")
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((number for number, text in enumerate(lines, 1) if pattern.match(text)), None)
