"""One comment under a pull request that is replaced, not repeated: found again by its hidden marker."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.errors import BadInput, BadSettings, Unavailable

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10
_PAGE = 100
_MARKER = re.compile(r"<!-- model-desk:[^>\n]+ -->")
_PULL = re.compile(r"refs/pull/(\d+)/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The comments of one pull or merge request: where they are listed and added, and one of them is changed."""

    comments: str
    one: str
    headers: Mapping[str, str] = field(repr=False)
    change: str = "PATCH"


@dataclass(frozen=True, slots=True)
class Posted:
    """What was done: ``updated``, ``created`` or ``unchanged``, and where it can be read."""

    action: str
    url: str


def place_of(environment: Mapping[str, str] = os.environ) -> Place | None:
    """The pull request that this job runs for; None when it runs for none. Raises BadSettings without a token."""
    if environment.get("GITHUB_ACTIONS"):
        return _github(environment)
    if environment.get("GITLAB_CI"):
        return _gitlab(environment)
    return None


def post(place: Place, body: str) -> Posted:
    """Replace the comment with the same marker by ``body``, or add it.

    Raises BadInput for a body without a marker, and Unavailable: a comment that was not posted is a failure.
    """
    marker = _MARKER.match(body)
    if marker is None:
        raise BadInput("The text does not begin with a Model Desk marker.", "Post what `report` has written.")
    import httpx

    with httpx.Client(headers=dict(place.headers), timeout=TIMEOUT_S, follow_redirects=True) as client:
        own = next((one for one in _all(client, place) if one["body"].startswith(marker[0])), None)
        if own is None:
            return _posted("created", _send(client, "POST", place.comments, body))
        if own["body"].strip() == body.strip():
            return _posted("unchanged", own)
        return _posted("updated", _send(client, place.change, place.one.format(id=own["id"]), body))


def _github(environment: Mapping[str, str]) -> Place | None:
    pull = _PULL.match(environment.get("GITHUB_REF", ""))
    if pull is None:
        return None
    base = environment.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
    issues = f"{base}/repos/{environment['GITHUB_REPOSITORY']}/issues"
    headers = {
        "Authorization": f"Bearer {_token(environment, 'GITHUB_TOKEN')}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return Place(comments=f"{issues}/{pull[1]}/comments", one=f"{issues}/comments/{{id}}", headers=headers)


def _gitlab(environment: Mapping[str, str]) -> Place | None:
    number = environment.get("CI_MERGE_REQUEST_IID")
    if not number:
        return None
    base, project = environment["CI_API_V4_URL"].rstrip("/"), environment["CI_PROJECT_ID"]
    notes = f"{base}/projects/{project}/merge_requests/{number}/notes"
    headers = {"PRIVATE-TOKEN": _token(environment, "GITLAB_TOKEN")}
    return Place(comments=notes, one=f"{notes}/{{id}}", headers=headers, change="PUT")


def _token(environment: Mapping[str, str], name: str) -> str:
    token = environment.get(name)
    if not token:
        raise BadSettings(f"{name} is not set, so no comment can be posted.", "Pass it to this step alone.")
    return token


def _all(client: httpx.Client, place: Place) -> Iterator[dict[str, Any]]:
    page = 1
    while True:
        found = _answer(client, "GET", place.comments, params={"per_page": _PAGE, "page": page})
        yield from found
        if len(found) < _PAGE:
            return
        page += 1


def _send(client: httpx.Client, method: str, url: str, body: str) -> dict[str, Any]:
    return _answer(client, method, url, json={"body": body})


def _answer(client: httpx.Client, method: str, url: str, **request: Any) -> Any:
    import httpx

    try:
        answer = client.request(method, url, **request)
        if answer.is_success:
            return answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Unavailable(f"The comment was not posted ({type(error).__name__}).", "Try again.") from error
    raise Unavailable(
        f"The comment was not posted: HTTP {answer.status_code}.",
        "Does the token have the right to write comments (pull-requests: write, or scope api)?",
    )


def _posted(action: str, comment: Mapping[str, Any]) -> Posted:
    return Posted(action, str(comment.get("html_url") or comment.get("id") or ""))
