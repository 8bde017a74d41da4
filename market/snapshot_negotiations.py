"""The part of a snapshot that holds negotiations."""

from __future__ import annotations

from typing import Any

from contractnet.messages import Issue, NegotiationProtocol, Offer
from market.bargaining import Negotiation, Party


def dump_negotiation(n: Negotiation) -> list[Any]:
    """As JSON has it."""
    head = [n.id.hex(), n.award.hex(), str(n.protocol), [[i.name, i.options] for i in n.issues]]
    terms = [n.rounds_max, n.round_ms, n.still_rounds_max, n.until_ms, n.round, n.still_rounds]
    return [*head, *terms, n.cap_ucr, n.task, n.pass_hash.hex(), [_dump_party(p) for p in n.parties], n.claimed]


def load_negotiation(d: list[Any]) -> Negotiation:
    """The same again."""
    ident, award, protocol, issues, rounds_max, round_ms, still_max, until_ms, round_, still, *rest = d
    cap_ucr, task, pass_hash, (holder, buyer), claimed = rest
    return Negotiation(
        id=bytes.fromhex(ident),
        award=bytes.fromhex(award),
        protocol=NegotiationProtocol(protocol),
        issues=tuple(Issue(name, tuple(options)) for name, options in issues),
        rounds_max=rounds_max,
        round_ms=round_ms,
        still_rounds_max=still_max,
        parties=(_load_party(holder), _load_party(buyer)),
        until_ms=until_ms,
        round=round_,
        still_rounds=still,
        cap_ucr=cap_ucr,
        task=task,
        pass_hash=bytes.fromhex(pass_hash),
        claimed=claimed,
    )


def _dump_party(p: Party) -> list[Any]:
    stands = [[options, price_ucr] for options, price_ucr in p.stands.items()]
    return [p.account.hex(), stands, _dump_offer(p.last), _dump_offer(p.sealed)]


def _load_party(d: list[Any]) -> Party:
    account, stands, last, sealed = d
    named = {tuple(options): price_ucr for options, price_ucr in stands}
    return Party(bytes.fromhex(account), named, _load_offer(last), _load_offer(sealed))


def _dump_offer(offer: Offer | None) -> list[Any] | None:
    return None if offer is None else [offer.options, offer.price_ucr]


def _load_offer(d: list[Any] | None) -> Offer | None:
    return None if d is None else Offer(tuple(d[0]), d[1])
