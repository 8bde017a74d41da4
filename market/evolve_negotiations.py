"""How the events of negotiations change a market: the part of `evolve` that is theirs."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from contractnet.messages import Event, NegotiationProtocol, Offer, Source
from contractnet.messages import events as e
from market import limits
from market.bargaining import BUYER, Negotiation, Party, open_up
from market.state import State


def _opened(state: State, source: Source, event: e.NegotiationOpened) -> None:
    assert event.negotiation not in state.negotiations
    free = event.award not in state.bargained and event.award not in state.resales
    assert free, "a lease is bargained for once at a time"
    lease = state.leases[event.award]
    assert lease.account == event.holder
    # Whom the holder asks itself need not wait; a claimant does not any more.
    asked = state.accounts[event.counterpart].budget_root
    lease.vain = {root: until for root, until in lease.vain.items() if until > source.at_ms and root != asked}
    negotiation = Negotiation(
        id=event.negotiation,
        award=event.award,
        protocol=event.protocol,
        issues=event.issues,
        rounds_max=event.rounds_max,
        round_ms=event.round_ms,
        still_rounds_max=event.still_rounds_max,
        parties=(Party(event.holder), Party(event.counterpart)),
        until_ms=source.at_ms + event.round_ms,
    )
    state.add_negotiation(negotiation)
    heapq.heappush(state.agenda, (negotiation.until_ms, negotiation.id))


def _claimed(state: State, source: Source, event: e.LeaseClaimed) -> None:
    negotiation = state.negotiations[event.negotiation]
    assert (negotiation.round, negotiation.cap_ucr) == (0, 0), "a claim is made as it is opened"
    assert event.account == negotiation.parties[BUYER].account
    negotiation.cap_ucr, negotiation.task, negotiation.pass_hash = event.cap_ucr, event.task, event.pass_hash
    negotiation.claimed = True
    if state.rules_version >= limits.CLAIM_WAIT_RULES_VERSION and negotiation.round_ms > limits.CLAIM_WAIT_MS_MAX:
        negotiation.until_ms = source.at_ms + limits.CLAIM_WAIT_MS_MAX
        heapq.heappush(state.agenda, (negotiation.until_ms, negotiation.id))


def _joined(state: State, source: Source, event: e.NegotiationJoined) -> None:
    negotiation = state.negotiations[event.negotiation]
    assert negotiation.round == 0, "who is asked joins once"
    assert event.account == negotiation.joiner.account
    if not negotiation.claimed:
        negotiation.cap_ucr, negotiation.task, negotiation.pass_hash = event.cap_ucr, event.task, event.pass_hash
    negotiation.round = 1
    _next_end(state, negotiation, source)


def _offer_made(state: State, source: Source, event: e.OfferMade) -> None:
    negotiation = state.negotiations[event.negotiation]
    assert event.round == negotiation.round
    assert source.at_ms < negotiation.until_ms, "an offer counts in its round only"
    side = negotiation.side_of(event.account)
    assert side is not None
    party, offer = negotiation.parties[side], Offer(event.options, event.price_ucr)
    if negotiation.protocol is NegotiationProtocol.MONOTONIC:
        assert party.sealed is None, "a party offers once in a round"
        party.sealed = offer
        return
    assert side == negotiation.turn
    party.last = offer
    negotiation.round += 1
    _next_end(state, negotiation, source)


def _offers_opened(state: State, source: Source, event: e.OffersOpened) -> None:
    negotiation = state.negotiations[event.negotiation]
    assert event.round == negotiation.round
    open_up(negotiation)
    _next_end(state, negotiation, source)


def _next_end(state: State, negotiation: Negotiation, source: Source) -> None:
    before_ms, negotiation.until_ms = negotiation.until_ms, source.at_ms + negotiation.round_ms
    if negotiation.until_ms == before_ms:
        return  # at the same millisecond as before: it is on the agenda
    item = (negotiation.until_ms, negotiation.id)
    # It is there as well where a holder joins in the very millisecond of a claim that would wait for less than a round.
    if not (negotiation.claimed and negotiation.round == 1 and item in state.agenda):
        heapq.heappush(state.agenda, item)
    state.trim_agenda()


def _closed(state: State, source: Source, event: e.NegotiationClosed) -> None:
    negotiation = state.negotiations.pop(event.negotiation)
    if negotiation.claimed and negotiation.round == 0 and state.rules_version >= limits.CLAIM_WAIT_RULES_VERSION:
        _not_joined(state, negotiation, source.at_ms)
    resolved = negotiation.id not in state.holds or negotiation.id in state.bids
    assert resolved, "a negotiation's hold is resolved when it ends, or backs the bid of its deal"
    del state.bargained[negotiation.award]
    state.negotiated[negotiation.id] = None
    if len(state.negotiated) > limits.NEGOTIATIONS_REMEMBERED:
        del state.negotiated[next(iter(state.negotiated))]
    state.trim_agenda()


def _not_joined(state: State, negotiation: Negotiation, at_ms: int) -> None:
    """The root of a claim that nobody joined waits with its next one on this lease, however the claim ended."""
    vain = state.leases[negotiation.award].vain
    vain[state.accounts[negotiation.parties[BUYER].account].budget_root] = at_ms + limits.CLAIM_AGAIN_MS
    if len(vain) > limits.CLAIMS_REMEMBERED_PER_LEASE:
        del vain[next(iter(vain))]


NEGOTIATION_CHANGES: dict[type[Event], Callable[[State, Source, Any], None]] = {
    e.NegotiationOpened: _opened,
    e.LeaseClaimed: _claimed,
    e.NegotiationJoined: _joined,
    e.OfferMade: _offer_made,
    e.OffersOpened: _offers_opened,
    e.NegotiationClosed: _closed,
}
