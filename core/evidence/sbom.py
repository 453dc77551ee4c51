"""The bill of materials of a model: the packages it was logged with, as CycloneDX 1.6 JSON.

Written by the CycloneDX library. Only what MLflow logged is listed, which is what the model asks for directly;
what those packages bring along was not recorded, and the document says so.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

EPOCH = datetime(1980, 1, 1, tzinfo=UTC)


def bill_of_materials(
    model: str, version: int, environment: Mapping[str, str], registered_at: datetime | None, sha256: str
) -> dict[str, Any]:
    """The document for ``environment`` (package -> version or "any", and ``python``); same input, same output.

    ``sha256`` is the digest of the model's files, '' when they are not on this machine.
    """
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion

    subject = Component(
        name=model,
        version=str(version),
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else (),
    )
    scope = "the packages logged with the model; what they bring along was not recorded"
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"model-desk:{model}/{version}:{sha256}"),
        metadata=BomMetaData(
            component=subject,
            timestamp=registered_at or EPOCH,
            properties=[Property(name="model-desk:scope", value=scope)],
        ),
        components=[_component(name, pinned) for name, pinned in sorted(environment.items())],
    )
    bom.register_dependency(subject, bom.components)
    return json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())


def _component(name: str, pinned: str) -> Any:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    version = None if pinned == "any" else pinned
    if name == "python":
        return Component(name=name, version=version, type=ComponentType.PLATFORM, bom_ref="python")
    url = PackageURL("pypi", name=name, version=version)
    return Component(name=name, version=version, purl=url, bom_ref=str(url))
