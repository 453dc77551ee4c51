"""The names that a pickle would import, read from its opcodes; nothing is loaded."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from pathlib import Path

UNREADABLE = "(unreadable)"
COMPUTED = "(computed)"

SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".cloudpickle", ".dill")
_STARTS = tuple(bytes([0x80, protocol]) for protocol in (2, 3, 4, 5))
_MEMO_WRITES = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_MEMO_READS = ("GET", "BINGET", "LONG_BINGET")


def looks_like_pickle(file: Path) -> bool:
    """By its name, or by its first bytes whatever its name."""
    with file.open("rb") as stream:
        return file.suffix in SUFFIXES or stream.read(2) in _STARTS


def imported_names(file: Path) -> Iterator[str]:
    """``module.name`` of each global that unpickling would look up, in order.

    A name that the pickle builds while it runs is given as ``(computed)``, one that cannot be read (compressed,
    damaged) as ``(unreadable)``: neither may be mistaken for a name that is not there.
    """
    memo: dict[int, str | None] = {}
    stack: list[str | None] = []
    try:
        with file.open("rb") as stream:
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name in ("GLOBAL", "INST"):
                    yield str(argument).replace(" ", ".")
                elif opcode.name == "STACK_GLOBAL":
                    parts = stack[-2:]
                    yield ".".join(parts) if len(parts) == 2 and all(parts) else COMPUTED  # type: ignore[arg-type]
                elif opcode.name.startswith("EXT"):
                    yield COMPUTED
                _follow(opcode.name, argument, stack, memo)
    except (ValueError, EOFError, UnicodeDecodeError, IndexError):
        yield UNREADABLE


def _follow(name: str, argument: object, stack: list[str | None], memo: dict[int, str | None]) -> None:
    """Keep track of the strings that may become a name; everything else on the stack is None."""
    if name in _MEMO_WRITES:
        place = len(memo) if name == "MEMOIZE" else int(str(argument))
        memo[place] = stack[-1] if stack else None
    elif name in _MEMO_READS:
        stack.append(memo.get(int(str(argument))))
    elif name not in ("PROTO", "FRAME"):
        stack.append(argument if isinstance(argument, str) else None)
