"""The server's memory: kept small, without the pages having to wait for it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys

LARGE_BYTES = 1 << 20
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # of malloc.h
_modules: set[int] = set()


def give_large_blocks_back() -> None:
    """From here on blocks of a megabyte and more go back to the system once they are free.

    A table of 50,000 runs is several such blocks a search and session; glibc's arenas, one a thread, and Arrow's
    own pool would keep them.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    with contextlib.suppress(OSError, AttributeError):  # another C library has its own ways
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
        libc.mallopt(_ARENA_MAX, 2)


def set_modules_aside() -> None:
    """Whatever was imported since the last call is no longer looked at by the garbage collector.

    Streamlit collects after every run of a page, which holds all sessions up; most of what it would look at each
    time are modules, which stay anyway.
    """
    if len(sys.modules) not in _modules:
        _modules.add(len(sys.modules))
        gc.collect()
        gc.freeze()
