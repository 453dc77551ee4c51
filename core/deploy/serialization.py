"""What a model's files would make Python do when they are loaded, found out without loading them.

Run as ``python -m core.deploy.serialization DIRECTORY`` it prints the findings as JSON; the gate runs it so, in
a process of its own with limits, because even looking into a hostile file should not happen beside the
dashboard.
"""

from __future__ import annotations

import json
import pickletools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from core.deploy.model_files import read_model_file
from core.errors import Refused

DEADLINE_S = 60
MEMORY_BYTES = 4 << 30

# Loaders that run no code of the model's author unless a pickle or a code folder comes along.
TRUSTED_LOADERS = frozenset(
    f"mlflow.{name}" for name in ("sklearn", "xgboost", "lightgbm", "catboost", "onnx", "statsmodels")
)
# Types that skops does not trust by itself and that scikit-learn's own estimators need.
TRUSTED_PREFIXES = ("sklearn.", "xgboost.", "lightgbm.")
TRUSTED_TYPES = frozenset({"numpy.dtype", "collections.OrderedDict", "collections.defaultdict"})
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".cloudpickle", ".dill")
_PICKLE_STARTS = tuple(bytes([0x80, protocol]) for protocol in (2, 3, 4, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What loading would run. All empty and no pickle: nothing but trusted types."""

    pickles: tuple[str, ...] = ()
    pickle_globals: tuple[str, ...] = ()
    untrusted_types: tuple[str, ...] = ()
    loader: str = ""
    ships_code: bool = False

    @property
    def runs_code(self) -> bool:
        """True when loading may run code that the model's author chose."""
        foreign = self.loader not in TRUSTED_LOADERS
        return bool(self.pickles or self.untrusted_types or self.ships_code or foreign)

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
        if self.loader not in TRUSTED_LOADERS:
            parts.append(f"the loader {self.loader or 'is missing'}")
        return "; ".join(parts) or "only trusted types, no pickle, no code"


def inspect(directory: Path) -> Findings:
    """The findings about ``directory``, gathered in a process with limits; raises Refused when that fails."""
    command = [sys.executable, "-m", "core.deploy.serialization", str(directory)]
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            cwd=root,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(root)},
            check=True,
        )
        found = json.loads(done.stdout)
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
    pickles: dict[str, set[str]] = {}
    untrusted: set[str] = set()
    for file in sorted(path for path in directory.rglob("*") if path.is_file()):
        name = file.relative_to(directory).as_posix()
        declared = name == described.model_path and described.serialization in ("pickle", "cloudpickle")
        if declared or _is_pickle(file):
            pickles[name] = set(_globals(file))
        elif file.suffix == ".skops":
            untrusted |= set(_untrusted_types(file))
    return Findings(
        pickles=tuple(pickles),
        pickle_globals=tuple(sorted(set().union(*pickles.values()))),
        untrusted_types=tuple(sorted(untrusted)),
        loader=described.loader,
        ships_code=described.ships_code,
    )


def _is_pickle(file: Path) -> bool:
    with file.open("rb") as stream:
        return file.suffix in PICKLES or stream.read(2) in _PICKLE_STARTS


def _globals(file: Path) -> Iterator[str]:
    strings: list[str] = []
    try:
        with file.open("rb") as stream:
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name == "GLOBAL":
                    yield str(argument).replace(" ", ".")
                elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
                    yield ".".join(strings[-2:])
                elif isinstance(argument, str):
                    strings.append(argument)
    except (ValueError, EOFError):
        yield "(unreadable)"


def _untrusted_types(file: Path) -> list[str]:
    from skops.io import get_untrusted_types

    found = get_untrusted_types(file=file)
    return [name for name in found if name not in TRUSTED_TYPES and not name.startswith(TRUSTED_PREFIXES)]


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (DEADLINE_S, DEADLINE_S))


if __name__ == "__main__":
    _limit()
    print(json.dumps(asdict(_look(Path(sys.argv[1])))))
