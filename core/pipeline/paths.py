"""Paths as dvc.yaml writes them, turned into paths relative to the project's root."""

from __future__ import annotations

import re
from functools import lru_cache
from posixpath import join, normpath

_LOGIN = re.compile(r"://[^/@\s]+@")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(path: str) -> bool:
    """True for ``s3://...``, ``https://...``, ``remote://...``, ``ds://...``."""
    return "://" in path and _URL.match(path) is not None


@lru_cache(maxsize=50_000)  # a history names the same paths over and over
def project_path(root: str, folder: str, written: str) -> str:
    """``written`` in ``folder`` as a normalised path from the root; URLs and outside absolutes stay."""
    if is_url(written):
        return without_login(written)
    if written.startswith("/"):
        absolute = normpath(written)
        if absolute == root:
            return "."
        return absolute[len(root) + 1 :] if absolute.startswith(root.rstrip("/") + "/") else absolute
    return normpath(join(folder, written))


def without_login(url: str) -> str:
    """``url`` without ``user:password@``, which must not reach a page or an export."""
    return _LOGIN.sub("://", url)
