"""A real MySQL-compatible server (MariaDB) on loopback for the length of a test module."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port


def mysql_binaries() -> tuple[str, str] | None:
    """The programs that make a data folder and serve it, or None when this machine has none."""
    places = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"
    install, serve = (shutil.which(name, path=places) for name in ("mariadb-install-db", "mariadbd"))
    return (install, serve) if install and serve else None


@contextmanager
def mysql_server() -> Iterator[str]:
    """The URL of an empty database ``desk`` on a fresh server; the server ends with the block."""
    import pymysql

    install, serve = mysql_binaries()
    folder = Path(tempfile.mkdtemp(prefix="mysql-"))
    data = folder / "data"
    user = f"--user={getpass.getuser()}"
    login = "--auth-root-authentication-method=normal"
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", user, login, "--debug-no-sync"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    port = free_port()
    options = [
        "--bind-address=127.0.0.1",
        f"--port={port}",
        f"--socket={folder / 'socket'}",
        "--innodb-flush-log-at-trx-commit=0",
        "--debug-no-sync",
    ]
    process = subprocess.Popen(
        [serve, "--no-defaults", f"--datadir={data}", user, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
                    connection.cursor().execute(
                        "CREATE DATABASE desk CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
                    )
                break
            except pymysql.MySQLError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        yield f"mysql+pymysql://root@127.0.0.1:{port}/desk"
    finally:
        process.kill()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
