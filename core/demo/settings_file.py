"""The demo's ``modeldesk.toml``."""

from pathlib import Path

from core.settings import FILE_NAME

TEXT = """\
name = "HealthTech demo"

[mlflow]
tracking_uri = "sqlite:///mlflow/mlflow.db"

[dvc]
projects = ["project"]

[ledger]
url = "sqlite:///ledger.db"

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

# Who opens the demo on this machine is its administrator; the reviewer is a made-up second person,
# so that a request can be approved by somebody else. Every record of theirs says "demo".
[[access.users]]
name = "demo-reviewer"
display_name = "Dr. Demo Reviewer"
demo = true

[[access.grants]]
user = "demo-reviewer"
role = "approver"
"""


def write(root: Path) -> None:
    """Write the file."""
    (root / FILE_NAME).write_text(TEXT, encoding="utf-8")
