"""Who is told of granted tokens: their account alone, and how many are told says nothing of how many bought."""

from __future__ import annotations

from collections.abc import Sequence

from contractnet.messages import Entry
from contractnet.messages import events as e
from contractnet.messages import notices as n
from contractnet.messages.private import Private
from market import limits
from market.state import State

GRANT_BUCKET_BYTES = 256
"""Every notice of a grant has this size: names and amounts do not tell."""


def grants_told(entries: Sequence[Entry], state: State) -> tuple[dict[bytes, Private], int]:
    """What accounts learn of their grants, and how many notices a record seems to have at least."""
    told: dict[bytes, Private] = {}
    least = 0
    for entry in entries:
        event = entry.event
        if not isinstance(event, e.TokensGranted):
            continue
        key = state.accounts[event.account].inbox_key
        assert key is not None, "the bank is granted nothing"
        terms = (event.tokens, event.paid_ucr, event.expires_at_ms, event.system)
        notice = n.GrantShown(event.account, event.grant, event.pool, event.order, *terms)
        told[event.grant] = Private(key, notice, GRANT_BUCKET_BYTES)
        least = max(least, 0 if event.system else limits.SEALED_PER_CLOSE_MIN)
    return told, least
