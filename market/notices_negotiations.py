"""What the parties of a negotiation are told: each the same, in notices of one size that only they can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contractnet.messages import Entry, Event, NegotiationProtocol, Notice
from contractnet.messages import events as e
from contractnet.messages import notices as n
from contractnet.messages.private import Private
from market.bargaining import BUYER, HOLDER, Negotiation
from market.state import State

ROUND_BUCKET_BYTES = 128
"""Every round and every end has this size, whatever was offered."""
PROPOSED_BUCKET_BYTES = 2048
"""Every proposal to bargain has this size, whatever its issues are."""


def negotiations_told(entries: Sequence[Entry], state: State) -> list[Private]:
    """The notices of one record, `state` being that after it: two for each that opened, went on or ended.

    An offer of monotonic concession alone tells nothing: it is sealed until the round opens.
    """
    told: list[Private] = []
    for entry in entries:
        event = entry.event
        if isinstance(event, e.NegotiationOpened):
            negotiation = state.negotiations[event.negotiation]
            told += _wanted(state, negotiation) if negotiation.claimed else _proposed(state, negotiation)
        elif isinstance(event, e.NegotiationClosed):
            told += _ended(state, event)
        elif isinstance(event, e.NegotiationJoined | e.OfferMade | e.OffersOpened):
            told += _began(state, event)
    return told


def _proposed(state: State, negotiation: Negotiation) -> list[Private]:
    holder, buyer = (party.account for party in negotiation.parties)
    terms = {**_terms(state, negotiation), "holder_name": state.accounts[holder].name}
    notices = (n.NegotiationProposed(account=account, **terms) for account in (holder, buyer))
    return [_private(state, notice.account, notice, PROPOSED_BUCKET_BYTES) for notice in notices]


def _wanted(state: State, negotiation: Negotiation) -> list[Private]:
    """As many notices of the same size as a proposal has, so that nobody else can tell a claim from one."""
    holder, buyer = (party.account for party in negotiation.parties)
    terms = {**_terms(state, negotiation), "counterpart_name": state.accounts[buyer].name}
    notices = (n.LeaseWanted(account=account, **terms) for account in (holder, buyer))
    return [_private(state, notice.account, notice, PROPOSED_BUCKET_BYTES) for notice in notices]


def _terms(state: State, negotiation: Negotiation) -> dict[str, Any]:
    """What both kinds of notices say of a negotiation that is asked for."""
    holder, buyer = (party.account for party in negotiation.parties)
    lease = state.leases[negotiation.award]
    return {
        "negotiation": negotiation.id,
        "award": lease.award,
        "holder": holder,
        "counterpart": buyer,
        "pool": lease.pool,
        "units": lease.units,
        "starts_at_ms": lease.starts_at_ms,
        "ends_at_ms": lease.ends_at_ms,
        "protocol": negotiation.protocol,
        "issues": negotiation.issues,
        "rounds_max": negotiation.rounds_max,
        "round_ms": negotiation.round_ms,
        "still_rounds_max": negotiation.still_rounds_max,
        "joins_until_ms": negotiation.until_ms,
    }


def _began(state: State, event: Event) -> list[Private]:
    """The next round, unless the same record ended the negotiation."""
    assert isinstance(event, e.NegotiationJoined | e.OfferMade | e.OffersOpened)
    negotiation = state.negotiations.get(event.negotiation)
    if negotiation is None:
        return []
    offers = [party.last for party in negotiation.parties]
    if negotiation.protocol is NegotiationProtocol.ALTERNATING:
        offers = [offers[1 - negotiation.turn]]
    elif isinstance(event, e.OfferMade):
        return []
    standing = tuple(offer for offer in offers if offer is not None)
    return [
        _private(
            state,
            account,
            n.RoundBegan(account, negotiation.id, negotiation.round, negotiation.until_ms, standing),
            ROUND_BUCKET_BYTES,
        )
        for account in (negotiation.parties[HOLDER].account, negotiation.parties[BUYER].account)
    ]


def _ended(state: State, event: e.NegotiationClosed) -> list[Private]:
    return [
        _private(
            state,
            account,
            n.NegotiationEnded(account, event.negotiation, event.outcome, event.options, event.price_ucr),
            ROUND_BUCKET_BYTES,
        )
        for account in (event.holder, event.counterpart)
    ]


def _private(state: State, account: bytes, notice: Notice, bucket_bytes: int) -> Private:
    key = state.accounts[account].inbox_key
    assert key is not None, "the bank does not bargain"
    return Private(key, notice, bucket_bytes)
