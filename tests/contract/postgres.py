"""A real PostgreSQL server on loopback for the length of a test session.

PostgreSQL refuses to run as root, so root starts it as the system's ``postgres`` or ``nobody`` user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

PLACES = (
    "/usr/local/bin",
    "/usr/bin",
    *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
)


def settle(url: str) -> None:
    """Do what the server would do by itself in the minutes after much was written, which moves its transaction ids."""
    binaries = server_binaries()
    assert binaries is not None
    subprocess.run([str(binaries / "vacuumdb"), "--analyze", "--quiet", f"--dbname={url}"], check=True)


def server_binaries() -> Path | None:
    """The folder that holds initdb and pg_ctl, or None when this machine has no server."""
    found = shutil.which("initdb", path=os.pathsep.join((os.environ.get("PATH", ""), *PLACES)))
    return Path(found).resolve().parent if found else None


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of an empty database ``desk`` on a fresh server; the server ends with the block."""
    binaries = server_binaries()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = _unprivileged()
    if user:
        shutil.chown(folder, user.pw_uid, user.pw_gid)
    data, port = folder / "data", free_port()
    options = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off -c max_connections=60"

    def run(*command: str) -> None:
        subprocess.run(
            [str(binaries / command[0]), *command[1:]],
            check=True,
            capture_output=True,
            timeout=120,
            cwd=folder,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
        )

    try:
        run("initdb", "-D", str(data), "-U", "desk", "-A", "trust", "-E", "UTF8", "--no-sync")
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "desk", "desk")
        yield f"postgresql://desk@127.0.0.1:{port}/desk"
    finally:
        if (data / "postmaster.pid").exists():
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]
