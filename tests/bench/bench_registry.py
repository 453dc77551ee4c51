"""The Registry's first page against MLflow's own lists over the same store, and what a request page costs.

Run: python tests/bench/bench_registry.py. CPU seconds of this process, so that other programs do not count.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.access import local_actor
from core.attention import overview
from core.registry.dossier import against_champion, dossier
from core.registry.gaps import live_gaps
from core.registry.queue import queue
from core.registry.standing import standings
from core.settings import LedgerSection, MlflowSection, Settings
from core.workspace import Workspace
from tests.bench.bench_ledger import MODELS, by_mlflow, crowded
from tests.release_workspace import make_stories


def cpu(action: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    started = time.process_time()
    action()
    return time.process_time() - started


def first_page(ws: Workspace) -> int:
    """Everything that the page with all models reads, nothing of it cached."""
    seen = overview(ws, local_actor(ws.settings), datetime.now(UTC))
    live = {glance.model: (glance.production, glance.live) for glance in seen.models if glance.production}
    live_gaps(ws, live)
    standings(ws)
    queue(ws, local_actor(ws.settings))
    return len(seen.models)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = crowded(folder / "mlflow")
        ws = Workspace(
            Settings(
                root=folder,
                mlflow=MlflowSection(tracking_uri=store.uri),
                ledger=LedgerSection(url=f"sqlite:///{folder}/ledger.db"),
            )
        )
        by_mlflow(store)
        assert first_page(ws) == MODELS
        theirs, ours = [], []
        for _ in range(5):
            theirs.append(cpu(lambda: by_mlflow(store)))
            ours.append(cpu(lambda: first_page(ws)))
        stories = make_stories(folder / "stories")
        found, actor = stories.ask(), stories.me
        opened = stories.ws

        def request_page() -> None:
            dossier(opened, found.request_id, actor)
            against_champion(opened, found.request_id)

        cold = cpu(request_page)
        warm = statistics.median(cpu(request_page) for _ in range(5))
    rows = [
        ("MLflow: models and all versions (CPU s)", statistics.median(theirs), None),
        ("ours: registry's first page (CPU s)", statistics.median(ours), None),
        (
            "ours: registry's first page, ratio",
            statistics.median(ours) / statistics.median(theirs),
            1 / 3,
        ),
        ("request page, first (CPU s)", cold, 1.0),
        ("request page, again and uncached (CPU s)", warm, 1.0),
    ]
    late = False
    for title, value, limit in rows:
        told = "" if limit is None else f"  limit {limit:.3g}  {'ok' if value <= limit else 'MISSED'}"
        late = late or (limit is not None and value > limit)
        print(f"{title:52} {value:9.4f}{told}")
    sys.exit(late)


if __name__ == "__main__":
    main()
