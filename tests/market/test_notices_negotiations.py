"""What the parties of a negotiation are told, and what everybody else reads meanwhile."""

from __future__ import annotations

from contractnet.codec import decode_notice, encode
from contractnet.messages import Code, Issue, NegotiationOutcome, NegotiationProtocol, Notice, Offer
from contractnet.messages import commands as c
from contractnet.messages import notices as n
from contractnet.sealing import LENGTH_BYTES, pad
from market import limits
from market.notices_negotiations import PROPOSED_BUCKET_BYTES, ROUND_BUCKET_BYTES
from tests.market.cases_negotiations import WHEN, joined, negotiation
from tests.market.test_notices_decisions import opened, record_of
from tests.market.town import Town, key_pair, small_town

ANN, BOB = key_pair("ann"), key_pair("bob")


def proposed() -> tuple[Town, bytes, list[bytes]]:
    """Ann, who holds a lease, has asked bob; the notices of that record."""
    town, ids = small_town("ann", "bob", "cat")
    cfp = town.cfp(duration_ms=600_000)
    lease = town.bid(cfp, "ann", 50).id
    town.settle(cfp)
    answer = town.send(negotiation(lease, ids["bob"], issues=(WHEN,)), ANN)
    return town, answer.id, record_of(town, answer)


def public(values: list[bytes]) -> list[Notice]:
    """What everybody can read."""
    return [notice for notice in map(decode_notice, values) if not isinstance(notice, n.SealedNotice)]


def opening(price_ucr: int, option: int, cap_ucr: int) -> tuple[Town, list[bytes], list[bytes]]:
    """Bob joins with a cap and offers; the bytes of all notices before the round opens, and when it does."""
    town, talk, sealed = proposed()
    sealed = sealed + record_of(town, town.send(joined(talk, cap_ucr), BOB))
    sealed += record_of(town, town.send(c.MakeOffer(talk, 1, (option,), price_ucr), BOB))
    return town, sealed, record_of(town, town.send(c.MakeOffer(talk, 1, (0,), 900), ANN))


def test_offers_are_sealed_until_the_round_opens() -> None:
    """Whatever bob offers and sets aside, all bytes are the same before; then both read both offers, and nobody else
    learns more than that two notices of one size came."""
    town, before, at_opening = opening(20, 0, 500)
    other, same, later = opening(499, 1, 500)
    assert before == same
    assert before == opening(20, 0, 777)[1], "the cap is told to nobody"
    assert list(map(len, at_opening)) == list(map(len, later))
    assert [type(notice) for notice in public(at_opening)] == [n.Receipt]
    for name in ("ann", "bob"):
        (told,) = opened(town, at_opening, name)
        assert isinstance(told, n.RoundBegan)
        assert (told.round, told.offers) == (2, (Offer((0,), 900), Offer((0,), 20)))
        (told,) = opened(other, later, name)
        assert isinstance(told, n.RoundBegan)
        assert told.offers[1] == Offer((1,), 499)
    assert opened(town, at_opening, "cat") == []


def test_a_proposal_is_for_the_two() -> None:
    """Holder and counterpart learn the terms; the public a receipt."""
    town, talk, values = proposed()
    assert [type(notice) for notice in public(values)] == [n.Receipt]
    for name in ("ann", "bob"):
        (told,) = opened(town, values, name)
        assert isinstance(told, n.NegotiationProposed)
        assert (told.negotiation, told.holder_name, told.pool, told.issues) == (talk, "ann", "gpu", (WHEN,))
    assert opened(town, values, "cat") == []


def test_a_deal_tells_the_public_of_the_lease_only() -> None:
    """The lease changes hands in public, under a new token; price and parties are told to the two."""
    town, talk, _ = proposed()
    town.send(joined(talk, 500), BOB)
    town.send(c.MakeOffer(talk, 1, (1,), 300), ANN)
    answer = town.send(c.MakeOffer(talk, 1, (1,), 300), BOB)
    values = record_of(town, answer)
    kinds = [type(notice) for notice in public(values)]
    assert kinds == [n.Receipt, n.LeaseRevoked, n.LeaseGranted]
    for name in ("ann", "bob"):
        told = opened(town, values, name)
        ends = [notice for notice in told if isinstance(notice, n.NegotiationEnded)]
        assert [(x.outcome, x.options, x.price_ucr) for x in ends] == [(NegotiationOutcome.DEAL, (1,), 300)]
        assert [type(notice) for notice in told if notice not in ends] == [n.BalanceChanged]
    sealed = [notice for notice in map(decode_notice, values) if isinstance(notice, n.SealedNotice)]
    assert len(sealed) == limits.SEALED_PER_CLOSE_MIN + 2


def test_the_longest_notices_have_the_size_of_all() -> None:
    """Names of 64 bytes, all issues and the largest numbers fit into the one size of a proposal, and of a round."""
    account, many = bytes([255]) * 16, tuple(chr(0x100 + i) for i in range(64))
    issues = tuple(Issue(f"{i}" * 64, many) for i in range(limits.ISSUES_MAX))
    assert sum(len(text.encode()) for i in issues for text in (i.name, *i.options)) <= limits.ISSUES_BYTES_MAX
    far_ms, day_ms = 2**42, 24 * 3600 * 1000
    proposal = n.NegotiationProposed(
        account, account, account, account, "x" * 64, account, "x" * 64, 10**6, far_ms, far_ms,
        NegotiationProtocol.MONOTONIC, issues, 256, day_ms, 256, far_ms,
    )  # fmt: skip
    wanted = n.LeaseWanted(
        account, account, account, account, account, "x" * 64, "x" * 64, 10**6, far_ms, far_ms,
        NegotiationProtocol.MONOTONIC, issues, 256, day_ms, 256, far_ms,
    )  # fmt: skip
    for largest_terms in (proposal, wanted):
        assert LENGTH_BYTES + len(encode(largest_terms)) <= PROPOSED_BUCKET_BYTES
    largest = Offer((63,) * limits.ISSUES_MAX, 10**15)
    began = n.RoundBegan(account, account, 257, far_ms, (largest, largest))
    ended = n.NegotiationEnded(account, account, NegotiationOutcome.LEASE_ENDED, largest.options, 10**15)
    for notice in (began, ended):
        assert len(pad(encode(notice), ROUND_BUCKET_BYTES)) == ROUND_BUCKET_BYTES


def test_a_refusal_to_bargain_is_told() -> None:
    """The counterpart leaves without having joined: both learn that, and no credits are mentioned."""
    town, talk, _ = proposed()
    answer = town.send(c.LeaveNegotiation(talk), BOB)
    assert answer.code is Code.ACCEPTED
    values = record_of(town, answer)
    told = [opened(town, values, name) for name in ("ann", "bob")]
    assert all(isinstance(x, n.NegotiationEnded) and x.outcome is NegotiationOutcome.LEFT for (x,) in told)
