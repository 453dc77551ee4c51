"""Signing in for real: an OpenID Connect provider on loopback, and a proxy that names the person in a header."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.deploy.haproxy import binary
from tests.oidc_provider import Provider, running_provider
from tests.ports import free_port, wait_for
from tests.release_workspace import MODEL, Stories, make_stories

expect.set_options(timeout=20_000)
WORDS = "correct horse battery staple"
LEA = {"sub": "1", "email": "lea@clinic.example", "email_verified": True, "name": "Lea Lead"}
GRANT = '[[access.grants]]\nuser = "{user}"\nrole = "{role}"\n'


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as found:
        yield found


def with_access(stories: Stories, access: str, *grants: str) -> None:
    """Rewrite the workspace's settings: another mode, and these grants beside the demo users'."""
    file = stories.root / "modeldesk.toml"
    text = re.sub(r"\[access\]\n(?:\w.*\n)*", "", file.read_text().split("# grants\n")[0])
    file.write_text(f"{text}[access]\n{access}\n# grants\n{''.join(grants)}")


def test_oidc(tmp_path: Path, provider: Provider, serve: Callable[..., str], open_tab) -> None:
    """A deep link survives the sign-in; the record names the person; a right that is taken away is gone at once."""
    stories = make_stories(tmp_path / "ws")
    found = stories.ask()
    approver = GRANT.format(user="lea@clinic.example", role="approver")
    with_access(stories, 'mode = "oidc"', approver)
    port = free_port()
    (stories.root / "secrets.toml").write_text(provider.secrets_toml(f"http://127.0.0.1:{port}"))
    provider.person = LEA
    tab = open_tab(serve(stories.root, port=port))
    tab.base = f"http://127.0.0.1:{port}"
    page = tab.open(f"/request?id={found.request_id}")
    assert found.request_id not in tab.text(), "nothing is shown before the sign-in"
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("h1")).to_have_text(f"{MODEL} v2 to production")
    assert f"id={found.request_id}" in page.url
    expect(page.get_by_text("Lea Lead").first).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New passphrase, at least 12 characters").fill(WORDS)
    dialog.get_by_label("The same again").fill(WORDS)

    with_access(stories, 'mode = "oidc"', GRANT.format(user="lea@clinic.example", role="viewer"))
    dialog.get_by_role("button", name="Sign approval").click()
    expect(page.get_by_text(re.compile("'approve' needs|needs approver")).first).to_be_visible()
    assert stories.state(found.request_id).has == 0

    with_access(stories, 'mode = "oidc"', approver)
    tab.open(f"/request?id={found.request_id}")
    page.get_by_role("button", name="Approve").click()
    dialog.get_by_label("Passphrase").fill(WORDS)
    dialog.get_by_role("button", name="Sign approval").click()
    expect(page.get_by_text("Signed.", exact=True)).to_be_visible()
    signature = stories.state(found.request_id).request.signatures[0]
    assert (signature.by.name, signature.by.source, signature.event.printed_name) == (
        "lea@clinic.example", "oidc", "Lea Lead",
    )  # fmt: skip

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    provider.person = {"sub": "2", "email": "eve@elsewhere.example", "email_verified": True, "name": "Eve"}
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Eve has no role here.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    provider.person = LEA | {"sub": "3", "email_verified": False, "name": "Not Lea"}
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Not Lea has no role here.")).to_be_visible()


PROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
frontend front
    bind 127.0.0.1:{port}
    http-request set-header X-Remote-User lea
    default_backend desk
backend desk
    server desk 127.0.0.1:{target}
"""


def test_proxy_header(tmp_path: Path, serve: Callable[..., str], open_tab) -> None:
    """The name comes from the proxy's header alone: whoever comes around the proxy is nobody."""
    stories = make_stories(tmp_path / "ws")
    found = stories.ask()
    approver = GRANT.format(user="lea", role="approver")
    with_access(stories, 'mode = "proxy"\nproxy_header = "X-Remote-User"', approver)
    direct = serve(stories.root)
    port = free_port()
    (tmp_path / "proxy.cfg").write_text(PROXY.format(port=port, target=direct.rsplit(":", 1)[1]))
    proxy = subprocess.Popen([str(binary()), "-f", str(tmp_path / "proxy.cfg")], stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz")
        tab = open_tab(f"http://127.0.0.1:{port}")
        page = tab.open(f"/request?id={found.request_id}")
        expect(page.locator("h1")).to_have_text(f"{MODEL} v2 to production")
        expect(page.get_by_text(re.compile(r"\blea$")).first).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_be_enabled()
        around = open_tab(direct)
        around.open(f"/request?id={found.request_id}")
        expect(around.page.get_by_text("The proxy did not say who you are")).to_be_visible()
        assert MODEL not in around.text()
    finally:
        proxy.terminate()
        proxy.wait(10)
