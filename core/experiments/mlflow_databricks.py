"""An MLflow server that only MLflow knows how to sign in to: ``databricks`` and ``databricks://PROFILE``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.errors import Refused, Unavailable
from core.experiments.mlflow_http import ANSWER_SECONDS, MlflowServer, NoSuchRoute

if TYPE_CHECKING:
    import httpx


class DatabricksServer(MlflowServer):
    """The same requests, sent by MLflow's own client, which finds host and credentials as its users set them."""

    serves_artifacts = False

    def __init__(self, uri: str, timeout_s: float) -> None:
        """Find the credentials of ``uri``; raises Refused when there are none."""
        from mlflow.exceptions import MlflowException
        from mlflow.utils.databricks_utils import get_databricks_host_creds

        try:
            self._credentials = get_databricks_host_creds(uri)
        except MlflowException as error:
            raise Refused(
                f"MLflow finds no credentials for {uri!r}.",
                "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or add the profile to ~/.databrickscfg.",
            ) from error
        super().__init__(self._credentials.host, timeout_s)

    def greet(self) -> None:
        """Raise Unavailable unless the server lists experiments; there is no ``/health`` to ask."""
        self._post("experiments/search", {"max_results": 1})

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        import httpx
        from mlflow.utils.rest_utils import http_request

        if "/ajax-api/" in url:
            raise NoSuchRoute(f"{self.uri} has no routes of MLflow's own interface.")
        try:
            answer = http_request(
                self._credentials, urlsplit(url).path, method, max_retries=1, timeout=ANSWER_SECONDS,
                raise_on_status=False, **options,
            )  # fmt: skip
        except Exception as error:
            raise Unavailable(
                f"{self.uri} does not answer: {str(error)[:200]}",
                "Check the host and the credentials that MLflow uses, then try again.",
            ) from error
        return httpx.Response(answer.status_code, content=answer.content, request=httpx.Request(method, url))
