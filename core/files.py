"""Writing a file that is there whole or not at all, whatever ends the writing early."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from core.errors import BadInput, Unavailable


def check_place(file: Path) -> None:
    """Raise BadInput where no file can be, Unavailable for a name that no disk takes."""
    try:
        is_folder, has_folder = file.is_dir(), file.parent.is_dir()
    except OSError as error:
        raise _unwritable(file, error) from error
    if is_folder:
        raise BadInput(f"{file} is a folder.", "Name a file in it.")
    if not has_folder:
        raise BadInput(f"There is no folder {file.parent}.", "Make it first, or name another file.")


@contextmanager
def whole_file(file: Path) -> Iterator[BinaryIO]:
    """What the block writes becomes ``file`` when the block ends well; else what was there stays.

    A device or a pipe, such as /dev/stdout, is written to as it is. Raises as :func:`check_place` does, and
    Unavailable when writing fails.
    """
    check_place(file)
    try:
        if file.exists() and not file.is_file():
            with file.open("wb") as target:
                yield target
            return
        place = file.resolve()
        draft = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            with draft.open("wb") as target:
                yield target
            draft.replace(place)
        finally:
            with suppress(OSError):
                draft.unlink()
    except OSError as error:
        raise _unwritable(file, error) from error


def _unwritable(file: Path, error: OSError) -> Unavailable:
    return Unavailable(f"{file} cannot be written: {error.strerror}.", "Name another file.")
