"""Deployments that go on when the browser is closed: a thread per operation, its log in the journal."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from core.access import Actor
from core.deploy import release
from core.deploy.release import Released, ReleasePlan
from core.errors import ModelDeskError

if TYPE_CHECKING:
    from core.workspace import Workspace

_pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="deploy")
_jobs: dict[str, Future[Released]] = {}


def start(ws: Workspace, plan: ReleasePlan, actor: Actor, reason: str, key: str) -> None:
    """Begin to carry ``plan`` out; a key that was started before is not started again."""
    if key not in _jobs:
        _jobs[key] = _pool.submit(_work, ws, plan, actor, reason, key)


def tell_later(ws: Workspace) -> None:
    """Bring MLflow in line without anybody waiting; deployd tries again what fails."""
    _pool.submit(release.tell, ws)


def outcome(key: str) -> Released | ModelDeskError | None:
    """What became of a job of this process; None while it runs or when it is not known here."""
    job = _jobs.get(key)
    if job is None or not job.done():
        return None
    error = job.exception()
    if error is None:
        return job.result()
    if isinstance(error, ModelDeskError):
        return error
    return ModelDeskError(
        f"The deployment ended unexpectedly ({type(error).__name__}).", "See the server's log."
    )


def runs(key: str) -> bool:
    """True while a job of this process is under way."""
    job = _jobs.get(key)
    return job is not None and not job.done()


def _work(ws: Workspace, plan: ReleasePlan, actor: Actor, reason: str, key: str) -> Released:
    done = release.carry_out(ws, plan, actor, reason, key)
    release.tell(ws)
    return done
