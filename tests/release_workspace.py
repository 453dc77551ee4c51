"""A small workspace for the approval stories: one model with test rows, a policy, and people to try four eyes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, recall_score, roc_auc_score

from core.access import Actor, demo_actor, local_actor
from core.registry import approvals, policy
from core.registry.promotion import carry_out, plan_promotion
from core.registry.requests import Judgement
from core.workspace import Workspace, open_workspace
from tests.model_store import ModelStore, new_model_store

MODEL = "risk"
ROWS = 600
POLICY = """name: release
tiers:
  - name: high
    models: [risk]
    needs: {needs}
    min_rows: 100
    gates:
      - {{metric: auroc, min: 0.6}}
      - {{metric: auroc, against: champion, margin: 0.06}}
      - {{metric: calibration, min: 0.5}}
  - name: low
    models: ["*"]
    environments: []
"""
SETTINGS = """{policy}name = "Stories"
[mlflow]
tracking_uri = "{uri}"
[[access.users]]
name = "rev"
display_name = "Dr. Rev"
demo = true
[[access.users]]
name = "tom"
display_name = "Tom Berg"
demo = true
[[access.users]]
name = "chen"
display_name = "Chen Wei"
demo = true
[[access.users]]
name = "dara"
display_name = "Dara Okafor"
demo = true
[[access.grants]]
user = "rev"
role = "approver"
[[access.grants]]
user = "tom"
role = "approver"
[[access.grants]]
user = "chen"
role = "contributor"
[[access.grants]]
user = "dara"
role = "operator"
"""


@dataclass(frozen=True)
class Stories:
    """The workspace at ``root``: v1 is live, v2 and v3 are candidates, both a little better."""

    root: Path
    store: ModelStore

    @property
    def ws(self) -> Workspace:
        """The workspace, opened anew."""
        return open_workspace(self.root)

    @property
    def me(self) -> Actor:
        """The person at this machine: admin and approver in local mode."""
        return local_actor(self.ws.settings)

    def demo(self, name: str) -> Actor:
        """A demo user."""
        return demo_actor(self.ws.settings, name)

    def ask(
        self, version: int = 2, actor: Actor | None = None, reason: str = "finds more cases"
    ) -> Judgement:
        """A request for production, by a contributor unless said otherwise; the inconclusive gate is accepted."""
        ws = self.ws
        found = approvals.open_request(ws, MODEL, version, "production", actor or self.demo("chen"), reason)
        return approvals.override_gate(
            ws, found.request_id, "calibration >= 0.5", self.demo("tom"), "not in use"
        )

    def state(self, request_id: str) -> Judgement:
        """What a request is worth now."""
        from core.registry.requests import find_request, judge

        ws = self.ws
        return judge(ws, find_request(ws, request_id))


def make_stories(root: Path, needs: int = 1) -> Stories:
    """Build it; the policy is published."""
    root.mkdir(parents=True, exist_ok=True)
    store = new_model_store(root / "mlflow")
    label = np.random.default_rng(5).integers(0, 2, ROWS)
    for number, noise in ((1, 1.3), (2, 1.1), (3, 1.0)):
        score = 1 / (1 + np.exp(-(2 * label - 1 + np.random.default_rng(number).normal(0, noise, ROWS))))
        _version(store, label, score, number)
    text = SETTINGS.format(policy="", uri=store.uri)
    (root / "modeldesk.toml").write_text(text)
    stories = Stories(root, store)
    ws = stories.ws
    carry_out(ws, plan_promotion(ws, MODEL, 1), stories.demo("dara"), "first release")
    (root / "policy.yaml").write_text(POLICY.format(needs=needs))
    (root / "modeldesk.toml").write_text('policy = "policy.yaml"\n' + text)
    ws = stories.ws
    found = policy.policy_of(ws)
    assert found is not None
    policy.publish(ws, found, stories.me)
    return stories


def _version(store: ModelStore, label: np.ndarray, score: np.ndarray, number: int) -> None:
    predicted = (score >= 0.5).astype(int)
    metrics = {
        "auroc": roc_auc_score(label, score),
        "sensitivity": recall_score(label, predicted),
        "specificity": recall_score(label, predicted, pos_label=0),
        "brier": brier_score_loss(label, score),
    }
    tags = {"data_hash": "d" * 32, "mlflow_source_git_commit": f"{number}" * 40}
    version = store.version(MODEL, {name: float(value) for name, value in metrics.items()}, **tags)
    run_id = store.client.get_model_version(MODEL, str(version)).run_id
    folder = store.folder / "artifacts" / run_id / "artifacts" / "evaluation"
    folder.mkdir(parents=True)
    rows = pd.DataFrame(
        {"row_id": np.arange(len(label)), "label": label, "prediction": predicted, "score": score}
    )
    rows["site"] = np.where(rows.row_id % 3 == 0, "north", "south")
    rows.to_parquet(folder / "scores.parquet", index=False)
