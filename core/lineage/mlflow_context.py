"""Tags every MLflow run with the DVC stage that started it, so that lineage is exact instead of guessed.

DVC sets ``DVC_STAGE`` and ``DVC_ROOT`` for each stage's command and ``DVC_EXP_NAME`` inside experiments. As
an entry point (group ``mlflow.run_context_provider``) no line of training code changes. Where entry points
are not installed, two lines do the same::

    from core.lineage import mlflow_context
    mlflow_context.register()
"""

from __future__ import annotations

import os

from mlflow.tracking.context.abstract_context import RunContextProvider
from mlflow.tracking.context.registry import _run_context_provider_registry

VARIABLES = {"DVC_STAGE": "dvc.stage", "DVC_ROOT": "dvc.root", "DVC_EXP_NAME": "dvc.exp"}


class DvcRunContext(RunContextProvider):
    """Active inside a DVC stage; gives the tags dvc.stage, dvc.root and, in an experiment, dvc.exp."""

    def in_context(self) -> bool:
        """Whether DVC started this process."""
        return bool(os.environ.get("DVC_STAGE"))

    def tags(self) -> dict[str, str]:
        """The run tags."""
        return {tag: os.environ[name] for name, tag in VARIABLES.items() if os.environ.get(name)}


def register() -> None:
    """Use the provider in this process; a second call changes nothing."""
    known = _run_context_provider_registry
    if not any(isinstance(provider, DvcRunContext) for provider in known):
        known.register(DvcRunContext)
