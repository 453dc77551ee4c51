"""The demo's ``modeldesk.toml``."""

from pathlib import Path

from core.settings import FILE_NAME

TEXT = """\
name = "HealthTech demo"
policy = "policy.yaml"

[mlflow]
tracking_uri = "sqlite:///mlflow/mlflow.db"

[dvc]
projects = ["project"]

[ledger]
url = "sqlite:///ledger.db"

# One model is served for real on this machine; the others move their MLflow alias alone.
[deploy]
engine = "embedded"
endpoints = ["diagnosis-risk/*"]
ports = { "diagnosis-risk/production" = 8551 }

[environments]
staging = "challenger"
production = "champion"

[[monitors]]
model = "diagnosis-risk"
predictions = "predictions/diagnosis-risk"
labels = "labels/diagnosis-risk"
reference = "project/data/features/train.parquet"

[metric_directions]
auroc = "higher"
accuracy = "higher"
f1 = "higher"
sensitivity = "higher"
specificity = "higher"
precision = "higher"
val_auroc = "higher"
log_loss = "lower"
brier = "lower"
val_log_loss = "lower"
train_seconds = "lower"

# Who opens the demo on this machine is its administrator and approver. The other people are made up, so that
# a request can be approved by somebody else; every record of theirs says "demo user".
[[access.users]]
name = "demo-reviewer"
display_name = "Dr. Demo Reviewer"
demo = true
groups = ["clinical"]

[[access.users]]
name = "tomas"
display_name = "Dr. Tomas Berg"
demo = true
groups = ["clinical"]

[[access.users]]
name = "mira"
display_name = "Mira Sol"
demo = true

[[access.users]]
name = "ana"
display_name = "Ana Lima"
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
user = "demo-reviewer"
role = "approver"

[[access.grants]]
user = "tomas"
role = "approver"

[[access.grants]]
user = "mira"
role = "admin"

[[access.grants]]
user = "ana"
role = "contributor"

[[access.grants]]
user = "chen"
role = "contributor"

[[access.grants]]
user = "dara"
role = "operator"
"""


def write(root: Path) -> None:
    """Write the file."""
    (root / FILE_NAME).write_text(TEXT, encoding="utf-8")
