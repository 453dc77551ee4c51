"""Where deployments keep their files: the run folder for sockets, the state folder for what must last."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.deploy.types import EndpointKey, SlotName
from core.errors import BadSettings, Refused, Unavailable
from core.settings import Settings

# sockaddr_un.sun_path holds 108 bytes with its end mark; "/12345678-a.sock" follows the run folder.
SUN_PATH_LIMIT = 107
LONGEST_NAME = 24
RUNTIME = "/run/user/{}"
"""Where systemd keeps a user's sockets, by the user's number."""


def run_dir(settings: Settings) -> Path:
    """The 0700 folder of sockets and the router's configuration; made when missing.

    Raises Refused when it belongs to someone else, BadSettings when its path is too long for a socket.
    """
    folder = settings.path(settings.deploy.run_dir) if settings.deploy.run_dir else _default(settings.root)
    if len(os.fsencode(folder)) + LONGEST_NAME > SUN_PATH_LIMIT:
        raise BadSettings(
            f"The run folder {folder} has too long a path for Unix sockets.",
            "Set deploy.run_dir to a shorter one.",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Refused(f"{folder} is not a folder of this user.", "Remove it or set deploy.run_dir.")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def state_dir(settings: Settings) -> Path:
    """The folder of fetched artifacts and process logs; git ignores it."""
    folder = settings.root / ".modeldesk"
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return folder


@contextmanager
def on_disk() -> Iterator[None]:
    """What the disk refuses inside, in words and as Unavailable."""
    try:
        yield
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise Unavailable(
            f"The disk does not take what is written{where}: {error.strerror or error}.",
            "Free some space and check the folder's permissions. What serves goes on serving.",
        ) from error


def secret(file: Path, new: bytes) -> bytes:
    """What a secret's file holds; ``new`` where there is none yet, whole and 0600 from its first moment.

    Of processes that come at once the first counts, and all of them get what it wrote.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        pass
    draft = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(new)
    try:
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()
    return file.read_bytes()


def endpoint_id(key: EndpointKey) -> str:
    """A short name for files and the router: model names may hold quotes, spaces and line ends."""
    return hashlib.sha256(f"{key.environment}\0{key.model}".encode()).hexdigest()[:8]


def slot_socket(folder: Path, key: EndpointKey, slot: SlotName) -> Path:
    """The Unix socket that the slot's scoring server listens on."""
    return folder / f"{endpoint_id(key)}-{slot}.sock"


def _default(root: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:10]
    # cron, sudo and CI runners come without the variable and must find the router that deployd started with it.
    for runtime in (os.environ.get("XDG_RUNTIME_DIR"), RUNTIME.format(os.getuid())):
        if runtime and Path(runtime).is_dir() and os.access(runtime, os.W_OK):
            return Path(runtime) / f"modeldesk-{digest}"
    return Path(tempfile.gettempdir()) / f"modeldesk-{os.getuid()}-{digest}"
