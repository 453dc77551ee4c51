"""Who is still missing under a request: a policy may ask for an approval of each of several groups.

One person fills one place, however many groups they belong to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.settings import Settings


def groups_of(settings: Settings, name: str) -> tuple[str, ...]:
    """The groups that the settings put a person into."""
    return next((user.groups for user in settings.access.users if user.name == name), ())


def missing_groups(wanted: Mapping[str, int], signers: Sequence[Collection[str]]) -> tuple[str, ...]:
    """The places that nobody fills, each by its group's name; ``signers`` are the groups of each signer.

    As many places are filled as can be: a signer of two groups takes the one that others cannot (a maximum
    matching, found by augmenting paths after Kuhn, 1955).
    """
    places = [group for group, count in sorted(wanted.items()) for _ in range(count)]
    taken: dict[int, int] = {}

    def seated(signer: int, tried: set[int]) -> bool:
        for place, group in enumerate(places):
            if group in signers[signer] and place not in tried:
                tried.add(place)
                if place not in taken or seated(taken[place], tried):
                    taken[place] = signer
                    return True
        return False

    for signer in range(len(signers)):
        seated(signer, set())
    return tuple(group for place, group in enumerate(places) if place not in taken)
