"""What a model's files would make Python do when they are loaded, found out without loading them.

Run as ``python -m core.deploy.serialization DIRECTORY`` it prints the findings as JSON; the gate runs it so, in
a process of its own with limits, because even looking into a hostile file should not happen beside the
dashboard.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from core.deploy import pickles
from core.deploy.limits import limit
from core.deploy.model_files import ModelFile, read_model_file
from core.deploy.processes import ask_apart
from core.errors import BadInput, Refused

DEADLINE_S = 60
MEMORY_MB = 4096

# What scikit-learn's own estimators need beyond what skops trusts by itself. A type that a model's MLmodel file
# declares trusted is not thereby trusted here: the file is the model author's.
TRUSTED_TYPES = frozenset(
    {
        "numpy.dtype",
        "numpy.mean",
        "collections.OrderedDict",
        "collections.defaultdict",
        "scipy.interpolate._bsplines.BSpline",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.cluster._bisect_k_means._BisectingTree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
    }
)
# Modules that define nothing but such types.
TRUSTED_MODULES = (
    "sklearn._loss.loss.",
    "sklearn.gaussian_process.kernels.",
    "sklearn.metrics._dist_metrics.",
    "sklearn.neural_network._stochastic_optimizers.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What loading would run. All empty and no pickle: nothing but trusted types."""

    pickles: tuple[str, ...] = ()
    pickle_globals: tuple[str, ...] = ()
    untrusted_types: tuple[str, ...] = ()
    foreign_loader: str = ""
    ships_code: bool = False

    @property
    def runs_code(self) -> bool:
        """True when loading may run code that the model's author chose."""
        return bool(self.pickles or self.untrusted_types or self.ships_code or self.foreign_loader)

    @property
    def names(self) -> tuple[str, ...]:
        """Each thing that an approval has to name; see core/deploy/code.py."""
        parts = [f"pickle {name}" for name in self.pickles]
        parts += [*self.pickle_globals, *self.untrusted_types]
        parts += ["its own Python code"] * self.ships_code
        return (*parts, *([f"the loader {self.foreign_loader}"] * bool(self.foreign_loader)))

    @property
    def sentence(self) -> str:
        """The findings for people."""
        parts = []
        if self.pickles:
            listed = ", ".join(self.pickle_globals[:8]) + (" ..." if len(self.pickle_globals) > 8 else "")
            parts.append(f"pickle in {', '.join(self.pickles)} (names {listed or 'nothing readable'})")
        if self.untrusted_types:
            parts.append(f"untrusted types {', '.join(self.untrusted_types[:8])}")
        if self.ships_code:
            parts.append("its own Python code")
        if self.foreign_loader:
            parts.append(f"the loader {self.foreign_loader}")
        return "; ".join(parts) or "only trusted types, no pickle, no code"


def inspect(directory: Path) -> Findings:
    """The findings about ``directory``, gathered in a process with limits; raises Refused when that fails."""
    try:
        found = json.loads(ask_apart("core.deploy.serialization", directory, DEADLINE_S))
    except (subprocess.SubprocessError, ValueError) as error:
        raise Refused(
            f"The model's files could not be inspected ({type(error).__name__}).",
            "A file that cannot be read safely is not served; log the model again.",
        ) from error
    return Findings(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    )


def _look(directory: Path) -> Findings:
    described = read_model_file(directory)
    _check_inside(directory, described.model_path)
    unpickled: dict[str, set[str]] = {}
    untrusted: set[str] = set()
    for file in sorted(path for path in directory.rglob("*") if path.is_file()):
        name = file.relative_to(directory).as_posix()
        loaded = name == Path(described.model_path).as_posix()
        if (loaded and _is_unpickled(described)) or pickles.looks_like_pickle(file):
            unpickled[name] = set(pickles.imported_names(file))
        elif file.suffix == ".skops" or (loaded and described.serialization == "skops"):
            untrusted |= set(_untrusted_types(file))
    return Findings(
        pickles=tuple(unpickled),
        pickle_globals=tuple(sorted(set().union(*unpickled.values()))),
        untrusted_types=tuple(sorted(untrusted)),
        foreign_loader=_foreign_loader(described),
        ships_code=described.ships_code,
    )


def _check_inside(directory: Path, model_path: str) -> None:
    """A model file elsewhere is neither in the digest nor looked at here."""
    if directory.resolve() not in (
        (directory / model_path).resolve(),
        *(directory / model_path).resolve().parents,
    ):
        raise BadInput("MLmodel names a model file outside its folder.", "Log the model again.")


def _is_unpickled(described: ModelFile) -> bool:
    """MLflow takes a scikit-learn model whose MLmodel names no format for a pickle, whatever its file's name."""
    named = described.serialization in ("pickle", "cloudpickle")
    return named or (described.loader == "mlflow.sklearn" and described.serialization != "skops")


def _foreign_loader(described: ModelFile) -> str:
    """'' for a loader that runs no code of the model's author unless a pickle or a code folder comes along."""
    loader, model_class = described.loader, described.model_class
    if loader in ("mlflow.sklearn", "mlflow.onnx", "mlflow.catboost"):
        return ""
    # These two import and call the class that MLmodel names.
    if loader == "mlflow.xgboost":
        return "" if (model_class or "xgboost.").startswith("xgboost.") else f"{loader} with {model_class}"
    if loader == "mlflow.lightgbm" and model_class in ("", "lightgbm.basic.Booster"):
        return ""
    return f"{loader} with {model_class}" if loader and model_class else loader or "is missing"


def _untrusted_types(file: Path) -> list[str]:
    from skops.io import get_untrusted_types

    found = get_untrusted_types(file=file)
    return [name for name in found if name not in TRUSTED_TYPES and not name.startswith(TRUSTED_MODULES)]


if __name__ == "__main__":
    limit(MEMORY_MB, cpu_s=DEADLINE_S)
    print(json.dumps(asdict(_look(Path(sys.argv[1])))))
