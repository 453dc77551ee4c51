"""The models that train_model can fit, by the name that params.yaml gives them."""

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# What skops may load besides its defaults; these are scikit-learn's and numpy's own types.
TRUSTED_TYPES = ["numpy.dtype", "sklearn.tree._tree.Tree"]


def build(model_type: str, settings: dict, seed: int, features: pd.DataFrame) -> Pipeline:
    """An unfitted pipeline from the columns of ``features`` to a probability."""
    numbers = features.select_dtypes("number").columns.tolist()
    levels = [name for name in features.columns if name not in numbers]
    estimators = {
        "logistic_regression": lambda: LogisticRegression(max_iter=1000, **settings),
        "random_forest": lambda: RandomForestClassifier(random_state=seed, n_jobs=1, **settings),
    }
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), levels),
    )
    return Pipeline([("encode", encode), ("model", estimators[model_type]())])
