"""What a comparison costs: 10 and 500 runs against the client's own reads, and the interval of 10,000 rows.

CPU seconds, medians of three rounds in one process, on a store of make_store.py (15 params, 20 metrics, 8
tags a run): one that is named, else 10,000 runs. Usage: python tests/bench/bench_compare.py [STORE.db]
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.compare.engine import compare
from core.compare.importance import importance
from core.compare.paired import RESAMPLES, estimates
from core.compare.row_scores import PairedScores
from core.settings import Settings
from core.workspace import Workspace
from tests.bench.stores import require_maker, sqlite_store

ROUNDS = 3
STATISTICS = ("accuracy", "auroc", "brier", "f1", "log_loss", "precision", "sensitivity", "specificity")


def cpu(work: Callable[[], object]) -> float:
    """Median CPU seconds of ``work`` over the rounds."""
    taken = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def opened(store: Path) -> Workspace:
    """A workspace with nothing kept from an earlier round."""
    return Workspace(Settings(root=store.parent, mlflow={"tracking_uri": f"sqlite:///{store}"}))


def by_client(store: Path, run_ids: Sequence[str]) -> None:
    """What a script does without this project: one run after the other, then a frame."""
    import pandas as pd
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{store}")
    runs = [client.get_run(run_id).data for run_id in run_ids]
    pd.DataFrame([{**run.params, **run.metrics, **run.tags} for run in runs])


def rows(n: int) -> PairedScores:
    """Two models of nearly the same strength on ``n`` rows."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, n)
    shared = rng.normal(size=n)
    first, second = (
        1 / (1 + np.exp(-((2 * label - 1) * s + shared + rng.normal(0, 0.4, n)))) for s in (1.0, 1.05)
    )
    return PairedScores(label, (first > 0.5).astype(int), (second > 0.5).astype(int), first, second)


def main(store: Path) -> None:
    """Print the table."""
    table = opened(store).runs.search()
    largest = max(set(ids := table.attributes["experiment"].to_pylist()), key=ids.count)
    few, many = (opened(store).runs.search(largest, limit=limit).run_ids for limit in (10, 500))
    print(f"store: {len(table):,} runs; load {os.getloadavg()[0]:.1f}\n")
    print(f"{'work':<54}{'CPU s':>8}{'against':>10}{'ratio':>8}")
    for run_ids in (few, many):
        refs = [f"run:{run_id}" for run_id in run_ids]
        ours = cpu(lambda refs=refs: compare(opened(store), refs))
        kept = opened(store)
        compare(kept, refs)
        warm = cpu(lambda refs=refs, kept=kept: compare(kept, refs))
        client = cpu(lambda run_ids=run_ids: by_client(store, run_ids))
        line(f"compare {len(refs)} runs, nothing kept", ours, client)
        line(f"compare {len(refs)} runs, experiment kept", warm, client)
    scores = rows(10_000)
    line(
        f"10,000 rows, 8 metrics, {RESAMPLES:,} paired resamples, BCa",
        cpu(lambda: estimates(scores, STATISTICS)),
    )
    line("the same, AUC alone", cpu(lambda: estimates(scores, ["auroc"])))
    runs = list(opened(store).runs.search(largest, limit=500).runs())
    params, values = [run.params for run in runs], [run.metrics.get("test_auc") for run in runs]
    line("importance of 15 params over 500 runs", cpu(lambda: importance(params, values)))


def line(work: str, seconds: float, client: float | None = None) -> None:
    """One row: our CPU seconds, MLflow's client beside it, and how many times less."""
    against = f"{client:>10.2f}{client / seconds:>7.1f}x" if client else ""
    print(f"{work:<54}{seconds:>8.2f}{against}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]).resolve())
    elif require_maker():
        main(Path(sqlite_store(10_000).removeprefix("sqlite:///")))
