"""Starting a version that served here before from the files that are kept, without asking anybody."""

from __future__ import annotations

from core.deploy import hash as tree
from core.deploy import smoke, traffic
from core.deploy.desk import Desk
from core.deploy.types import Artifact, Endpoint, EndpointKey, Slot
from core.errors import Unavailable


def kept_artifact(desk: Desk, endpoint: Endpoint, version: int) -> Artifact:
    """The files that ``version`` served from; raises Unavailable when it never served here."""
    found = desk.store.artifact_of(endpoint.key, version)
    if found is None:
        raise Unavailable(f"v{version} never served {endpoint.key} from here.", "Deploy it instead.")
    return found


def ready_slot(desk: Desk, key: EndpointKey, version: int) -> Slot:
    """A slot in which ``version`` answers: the warm one, else started now from the kept files.

    Raises IntegrityFailure when the files are gone or changed, Failed when it does not answer.
    """
    endpoint = desk.store.endpoint(key)
    slot = endpoint.slot_of(version)
    if slot is not None and desk.engine.alive(endpoint, slot):
        return slot
    artifact = kept_artifact(desk, endpoint, version)
    tree.check_artifact(artifact)
    name = slot.name if slot else traffic.free_slot(desk, endpoint)
    if slot is not None:
        desk.engine.stop(endpoint, slot)
    started = traffic.start_in(desk, endpoint, name, version, artifact)
    smoke.wait_healthy(desk.engine, desk.store.endpoint(key), started)
    return started
