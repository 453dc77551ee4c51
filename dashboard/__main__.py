"""``python -m dashboard``: starts the server on loopback, after the checks that deserve a plain sentence."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import tomllib
from pathlib import Path

from core.errors import ExitCode, ModelDeskError
from core.settings import Settings, load_settings
from dashboard.background import serving, telling
from dashboard.memory import give_large_blocks_back

SECRETS = "secrets.toml"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main() -> None:
    """Check workspace and port, then serve until Ctrl-C."""
    options = _parser().parse_args()
    try:
        settings = load_settings(options.workspace)
    except ModelDeskError as error:
        sys.exit(f"error: {error.what} {error.way_out}")
    if settings.access.mode == "local" and options.address not in LOOPBACK:
        print(
            f"error: local mode has no sign-in, so it listens on loopback only, not on {options.address}. "
            "Set [access] mode to oidc or proxy in modeldesk.toml first.",
            file=sys.stderr,
        )
        sys.exit(ExitCode.REFUSED)
    if refusal := _sign_in_problem(settings):
        print(f"error: {refusal}", file=sys.stderr)
        sys.exit(ExitCode.USAGE)
    if not _is_free(options.address, options.port):
        print(
            f"error: port {options.port} is in use. Stop what runs there, or choose another: "
            f"make run PORT={options.port + 1}",
            file=sys.stderr,
        )
        sys.exit(ExitCode.INFRASTRUCTURE)
    os.environ["MODELDESK_WORKSPACE"] = str(options.workspace.resolve())
    settings = leading_here(settings, options.address, options.port)
    # A plain SIGTERM would end the process before what was started beside it is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    give_large_blocks_back()
    with serving(settings), telling(settings):
        _serve(options.address, options.port, settings.root / SECRETS)


def leading_here(settings: Settings, address: str, port: int) -> Settings:
    """The settings with links that lead to this server, unless they name where people reach it; for children too."""
    if "base_url" in settings.notify.model_fields_set:
        return settings
    os.environ["MODELDESK_NOTIFY__BASE_URL"] = _url(address, port)
    return load_settings(settings.root)


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _sign_in_problem(settings: Settings) -> str:
    """Why people could not sign in as the settings say; '' when they can."""
    if settings.access.mode == "proxy" and not settings.access.proxy_header:
        return "[access] mode is proxy, but proxy_header is not set: name the header that your proxy sets."
    if settings.access.mode != "oidc":
        return ""
    file = settings.root / SECRETS
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get("auth", {})
    except (OSError, ValueError):
        found = {}
    lacking = [key for key in ("redirect_uri", "cookie_secret") if not found.get(key)]
    if lacking:
        return f"[access] mode is oidc, but {file} lacks [auth] {', '.join(lacking)}: see 'Signing in' in the README."
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dashboard", description="Start the Model Desk dashboard."
    )
    parser.add_argument("--workspace", type=Path, default=Path(os.environ.get("MODELDESK_WORKSPACE", ".")))
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--address", default="127.0.0.1")
    return parser


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _serve(address: str, port: int, secrets: Path) -> None:
    from dashboard.asgi import app

    print(f"Model Desk: {_url(address, port)}", flush=True)
    config = {"server.port": port, "server.address": address}
    if secrets.is_file():
        config["secrets.files"] = [str(secrets)]
    app.run(config=config)


if __name__ == "__main__":
    main()
