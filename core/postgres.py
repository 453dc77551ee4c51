"""How long PostgreSQL is waited for: to answer at all, and for a connection that has gone silent."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

PATIENCE = {
    "connect_timeout": 4,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""libpq's settings; seconds, but the last in milliseconds. A query may take as long as it needs."""


def patient(url: str) -> str:
    """A PostgreSQL URL with :data:`PATIENCE`, except what it says itself; any other URL as it is."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgres"):
        return url
    said = parse_qs(parts.query)
    added = "&".join(f"{name}={value}" for name, value in PATIENCE.items() if name not in said)
    return parts._replace(query="&".join(filter(None, (parts.query, added)))).geturl()
