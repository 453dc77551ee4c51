"""What happens on the way to an MLflow server, as our errors.

A command or a page asks the same server several times: a silent one must cost one timeout, not one each. So who asks
within the next seconds is told at once what the one before waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Unavailable

SILENT_FOR_S = 5.0
"""So long a server that let somebody wait is not asked again."""
_down: dict[str, tuple[float, Unavailable]] = {}


@contextmanager
def asking(server: str, shown: str) -> Iterator[None]:
    """A request to the MLflow server at the address ``server``, which is ``shown`` without its password.

    Raises Unavailable when no answer comes, or none came a moment ago.
    """
    import httpx

    at, known = _down.get(server, (0.0, None))
    if known and time.monotonic() - at < SILENT_FOR_S:
        raise Unavailable(known.what, known.way_out)
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        late = isinstance(error, httpx.TimeoutException)
        failure = Unavailable(
            f"The MLflow server at {shown} {'did not answer in time' if late else 'does not answer'}.",
            "Check that it runs and that the tracking URI is right, then try again.",
        )
        # What is refused at once costs nobody time and may be asked again at once.
        if late:
            _down[server] = time.monotonic(), failure
        raise failure from error
