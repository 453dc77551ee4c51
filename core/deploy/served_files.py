"""The files of a prediction log: where an endpoint's lie, what a server is told of them, how long they are kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import date, timedelta
from pathlib import Path

from core.deploy import paths
from core.deploy.served_log import LogConfig
from core.deploy.types import EndpointKey, SlotName
from core.settings import Settings

_OURS = re.compile(r"^(\d{4}-\d{2}-\d{2})\.served-[0-9a-f]{8}-.*\.parquet$")


def folder_of(settings: Settings, key: EndpointKey) -> Path:
    """Where an endpoint's log lies: where its monitor reads, else below the workspace's ``predictions``."""
    for monitor in settings.monitors:
        here = monitor.engine == "local"
        if here and (monitor.model, monitor.environment) == (key.model, key.environment):
            return settings.path(monitor.predictions)
    safe = re.sub(r"[^\w.-]", "_", key.model)
    return settings.root / "predictions" / f"{safe}-{paths.endpoint_id(key)}"


def config_for(settings: Settings, key: EndpointKey, slot: SlotName) -> LogConfig | None:
    """What a slot's server is told; None when nothing is to be kept."""
    log = settings.deploy.log
    if log.share == 0:
        return None
    file = _key_file(settings)
    return LogConfig(
        folder=str(folder_of(settings, key)),
        name=f"{paths.endpoint_id(key)}-{slot}",
        key_file=str(file),
        share=log.share,
        drop=log.drop,
        hash=log.hash,
    )


def own_files(folder: Path) -> tuple[Path, ...]:
    """The files of ``folder`` that servers wrote, oldest first."""
    return tuple(sorted(file for file in folder.glob("*.parquet") if _OURS.match(file.name)))


def count_of(folder: Path, version: int) -> int:
    """How many answers of ``version`` servers have logged."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    total = 0
    for file in own_files(folder):
        try:
            versions = pq.read_table(file, columns=["model_version"])["model_version"]
        except (pa.ArrowException, OSError):
            continue  # a damaged file is Drift's finding
        total += pc.sum(pc.equal(versions, str(version))).as_py() or 0
    return total


def prune(folder: Path, keep_days: int, today: date) -> int:
    """Delete what servers wrote before ``keep_days`` days ago; gives back how many files."""
    oldest = (today - timedelta(days=keep_days)).isoformat()
    old = [file for file in own_files(folder) if file.name[:10] < oldest]
    for file in old:
        file.unlink(missing_ok=True)
    return len(old)


def desk_token(settings: Settings) -> str:
    """What the desk's own requests carry where it shares a road with callers, so that nobody else can stay unlogged."""
    return hmac.new(_key_file(settings).read_bytes(), b"desk", hashlib.sha256).hexdigest()[:32]


def _key_file(settings: Settings) -> Path:
    file = paths.state_dir(settings) / "log.key"
    paths.secret(file, secrets.token_bytes(32))
    return file
