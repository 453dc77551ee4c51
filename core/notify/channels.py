"""Sending one message to one channel: a signed JSON webhook, or whatever Apprise knows."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping

from core.errors import BadSettings, Unavailable
from core.settings import ChannelSection

TIMEOUT_S = 5
SIGNATURE_HEADER = "X-ModelDesk-Signature"


def send(channel: ChannelSection, message: Mapping[str, str]) -> None:
    """Deliver ``message`` (title, body, link, kind, model, id). Raises Unavailable with the reason."""
    if channel.url.startswith(("http://", "https://")):
        _post(channel, message)
    else:
        _apprise(channel, message)


def signature(secret: str, body: bytes) -> str:
    """HMAC-SHA-256 of the body as sent, in the header's form ``sha256=<hex>``."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _post(channel: ChannelSection, message: Mapping[str, str]) -> None:
    import httpx

    body = json.dumps(message, sort_keys=True, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"}
    if channel.secret_variable:
        headers[SIGNATURE_HEADER] = signature(_secret(channel), body)
    try:
        response = httpx.post(channel.url, content=body, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise Unavailable(f"{channel.name} did not answer ({type(error).__name__}).") from error
    if response.status_code >= 300:
        raise Unavailable(f"{channel.name} answered {response.status_code}.")


def _secret(channel: ChannelSection) -> str:
    secret = os.environ.get(channel.secret_variable or "")
    if not secret:
        raise BadSettings(
            f"The channel {channel.name} signs with {channel.secret_variable}, which is not set.",
            "Set that environment variable where the deliveries are made.",
        )
    return secret


def _apprise(channel: ChannelSection, message: Mapping[str, str]) -> None:
    import apprise

    sender = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    if not sender.add(channel.url):
        raise BadSettings(
            f"The URL of channel {channel.name} is none that Apprise knows.",
            "Use an http(s) webhook or an Apprise URL such as slack://, msteams://, mailtos:// or pagerduty://.",
        )
    if not sender.notify(title=message["title"], body=f"{message['body']}\n{message['link']}"):
        raise Unavailable(f"{channel.name} did not take the message.")
