"""Negotiations over leases, as the independent checker sees them.

It keeps every offer of both parties and decides by looking at all of them, as the market need not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analytics.checker.parts import CLAIMS_RULES, Fields, Held, need, remember
from analytics.checker.prices import Lease

if TYPE_CHECKING:
    from analytics.checker.books import Book

DAY_MS, ROUND_MS_MIN, ROUNDS_MAX = 24 * 3600 * 1000, 50, 256
WAIT_MS_MAX, AGAIN_MS, SPURNED_MAX = 5 * 60 * 1000, 3600 * 1000, 64
"""Of claims: how long one waits for the holder, how long its root waits then, and how many roots a lease remembers."""
TALKED_MAX = 1_024
"""Negotiations that ended and are remembered."""
DEALS = (
    ["HoldCaptured", "CreditsTransferred", "LeaseEnded", "SlotReserved"],
    ["CfpOpened", "BidPlaced", "HoldResized"],
)
"""The parts of a deal: one that is settled at once, and one that is called for."""
Offer = tuple[tuple[int, ...], int]
"""Options and price, micro-credits."""


@dataclass(slots=True)
class Talk:
    """A negotiation: the holder is party 0, the buyer party 1. `named` is the best price of each party for each
    combination of options."""

    award: bytes
    parties: tuple[bytes, bytes]
    monotonic: bool
    counts: tuple[int, ...]
    """How many options each issue has."""
    rounds_max: int
    round_ms: int
    still_max: int
    until_ms: int
    round: int = 0
    still: int = 0
    cap_ucr: int = 0
    task: str = ""
    pass_hash: bytes = bytes(32)
    claimed: bool = False
    """The buyer has opened it: the holder joins."""
    named: list[dict[tuple[int, ...], int]] = field(default_factory=lambda: [{}, {}])
    last: list[Offer | None] = field(default_factory=lambda: [None, None])
    sealed: list[Offer | None] = field(default_factory=lambda: [None, None])
    deal: Offer | None = None
    """What the record at hand agrees on."""
    parts: list[str] = field(default_factory=list)
    """What of the deal that record has done."""
    over: str = ""
    """How it has to end in the record at hand, where that follows from its rounds."""

    def better(self, side: int, price_ucr: int, than_ucr: int) -> bool:
        """Whether the other party likes a price more."""
        return price_ucr < than_ucr if side == 0 else price_ucr > than_ucr


def from_plain(plain: list[Any]) -> dict[bytes, Talk]:
    """From one market of canonical state bytes."""
    return dict(map(_from_plain, plain))


def _from_plain(d: list[Any]) -> tuple[bytes, Talk]:
    ident, award, protocol, issues, rounds_max, round_ms, still_max, until_ms, round_, still, *rest = d
    cap_ucr, task, pass_hash, sides, claimed = rest
    talk = Talk(
        award=bytes.fromhex(award),
        parties=(bytes.fromhex(sides[0][0]), bytes.fromhex(sides[1][0])),
        monotonic=protocol == "MONOTONIC",
        counts=tuple(len(options) for _, options in issues),
        rounds_max=rounds_max,
        round_ms=round_ms,
        still_max=still_max,
        until_ms=until_ms,
        round=round_,
        still=still,
        cap_ucr=cap_ucr,
        task=task,
        pass_hash=bytes.fromhex(pass_hash),
        claimed=claimed,
    )
    for side, (_, stands, last, sealed) in enumerate(sides):
        talk.named[side] = {tuple(options): price_ucr for options, price_ucr in stands}
        talk.last[side] = None if last is None else (tuple(last[0]), last[1])
        talk.sealed[side] = None if sealed is None else (tuple(sealed[0]), sealed[1])
    return bytes.fromhex(ident), talk


def held_by_award(book: Book, award: bytes) -> Held:
    """The lease that is bargained over."""
    found = [pool.leases[award] for pool in book.pools.values() if award in pool.leases]
    need(len(found) == 1, f"there is a lease {award.hex()}")
    return found[0]


def find(book: Book, e: Fields) -> Talk:
    """The negotiation of an event."""
    need(e["negotiation"] in book.talks, f"negotiation {e['negotiation'].hex()} goes on")
    return book.talks[e["negotiation"]]


def open_talk(book: Book, e: Fields, source: Fields) -> None:
    """A holder asks an account to bargain."""
    need(e["negotiation"] == source["command"], "a negotiation has its command's id")
    held = held_by_award(book, e["award"])
    need(held.account == e["holder"], "the holder of a lease bargains over it")
    welcome(book, e, held, source["at_ms"])
    need(source["at_ms"] < held.lease.end_ms, "a lease that is over is nobody's to sell")
    need(e["counterpart"] in book.accounts, f"account {e['counterpart'].hex()} exists")
    need(e["counterpart"] not in (e["holder"], book.bank), "nobody bargains with itself or the bank")
    need(e["award"] not in book.purchases.works, "the units of work are nobody's to sell")
    free = all(talk.award != e["award"] for talk in book.talks.values())
    need(free, "a lease is bargained for once at a time")
    need(e["award"] not in book.resales, "a lease is sold on once at a time")
    need(1 <= e["rounds_max"] <= ROUNDS_MAX and 0 <= e["still_rounds_max"] <= e["rounds_max"], "rounds are in limits")
    in_limits = e["round_ms"] >= ROUND_MS_MIN and e["round_ms"] * (e["rounds_max"] + 1) <= DAY_MS
    need(in_limits, "a negotiation takes a day at most")
    counts = tuple(len(issue["options"]) for issue in e["issues"])
    need(all(count >= 2 for count in counts), "each issue has two options or more")
    until_ms = source["at_ms"] + e["round_ms"]
    terms = (e["rounds_max"], e["round_ms"], e["still_rounds_max"], until_ms)
    parties = (e["holder"], e["counterpart"])
    book.talks[e["negotiation"]] = Talk(e["award"], parties, e["protocol"] == "MONOTONIC", counts, *terms)


def welcome(book: Book, e: Fields, held: Held, now_ms: int) -> None:
    """Whoever bargains over a lease is not spurned any more; nor is who has waited for long enough."""
    root = book.accounts[e["counterpart"]].root if e["counterpart"] in book.accounts else ""
    over = [name for name, until_ms in held.spurned.items() if now_ms >= until_ms or name == root]
    for name in over:
        del held.spurned[name]


def spurn(book: Book, talk: Talk, now_ms: int) -> None:
    """A claim ends that its holder has not joined: its root claims this lease again in an hour."""
    if not (talk.claimed and talk.round == 0 and book.version >= CLAIMS_RULES):
        return
    spurned = held_by_award(book, talk.award).spurned
    spurned[book.accounts[talk.parties[1]].root] = now_ms + AGAIN_MS
    if len(spurned) > SPURNED_MAX:
        del spurned[next(iter(spurned))]


def join(book: Book, e: Fields, source: Fields) -> None:
    """The counterpart begins to bargain."""
    talk = find(book, e)
    need(talk.round == 0 and source["at_ms"] < talk.until_ms, "who is asked joins once, in its time")
    need(e["account"] == talk.parties[0 if talk.claimed else 1], "who is asked joins")
    need((e["cap_ucr"] == 0) if talk.claimed else (e["cap_ucr"] > 0), "a cap is something, and a buyer's")
    if not talk.claimed:
        talk.cap_ucr, talk.task, talk.pass_hash = e["cap_ucr"], e["task"], e["pass_hash"]
    _next(talk, source)


def offer(book: Book, e: Fields, source: Fields) -> None:
    """A party's offer of a round."""
    talk = find(book, e)
    book.policy.offer(e)
    need(e["account"] in talk.parties, "only the two parties offer")
    side = talk.parties.index(e["account"])
    need(0 < e["round"] == talk.round and source["at_ms"] < talk.until_ms, "an offer comes in its round")
    options, price_ucr = tuple(e["options"]), e["price_ucr"]
    known = len(options) == len(talk.counts) and all(0 <= o < n for o, n in zip(options, talk.counts, strict=True))
    need(known, "an offer names one option of each issue")
    need(price_ucr > 0 and (side == 0 or price_ucr <= talk.cap_ucr), "a buyer offers what it has set aside")
    if talk.monotonic:
        need(talk.sealed[side] is None, "a party offers once in a round")
        stands = talk.named[side].get(options)
        need(stands is None or not talk.better(side, stands, price_ucr), "nothing is taken back")
        talk.sealed[side] = (options, price_ucr)
        return
    need(side == (talk.round + 1) % 2 and talk.round <= talk.rounds_max, "parties take turns")
    talk.last[side] = (options, price_ucr)
    _next(talk, source)


def opened(book: Book, e: Fields, source: Fields) -> None:
    """The offers of a round open: both are there, or its time is over."""
    talk = find(book, e)
    need(talk.monotonic and 0 < e["round"] == talk.round, "the offers of the round open")
    both = None not in talk.sealed
    need(both if source["cause"] == "COMMAND" else source["at_ms"] >= talk.until_ms, "offers open together")
    need(both or talk.round > 1, "both parties open")
    conceded = False
    for side, made in enumerate(talk.sealed):
        if made is not None:
            stands = talk.named[side].get(made[0])
            conceded |= stands is None or talk.better(side, made[1], stands)
            talk.named[side][made[0]] = made[1]
            talk.last[side] = made
    talk.still = 0 if conceded else talk.still + 1
    crossed = [o for o, asked_ucr in talk.named[0].items() if asked_ucr <= talk.named[1].get(o, 0)]
    over = source["at_ms"] >= held_by_award(book, talk.award).lease.end_ms
    if over or (crossed and too_late(book, talk, source)):
        talk.over = "LEASE_ENDED"
    elif crossed:
        mine = talk.sealed[1]
        options = mine[0] if mine is not None and mine[0] in crossed else crossed[0]
        talk.deal, talk.over = (options, (talk.named[0][options] + talk.named[1][options]) // 2), "DEAL"
    elif talk.still > talk.still_max:
        talk.over = "STANDSTILL"
    elif talk.round == talk.rounds_max:
        talk.over = "EXPIRED"
    talk.sealed = [None, None]
    _next(talk, source)


def _next(talk: Talk, source: Fields) -> None:
    talk.round += 1
    talk.until_ms = source["at_ms"] + talk.round_ms


def agreed(book: Book, ident: bytes, source: Fields) -> Offer:
    """The deal of a negotiation: what crossed, or the other's offer that the party whose turn it is accepts."""
    talk = book.talks[ident]
    if talk.deal is None:
        need(not talk.monotonic and source["cause"] == "COMMAND", "a deal follows from offers that cross")
        need(talk.round > 1 and source["at_ms"] < talk.until_ms, "an offer is accepted in its time")
        talk.deal, talk.over = talk.last[talk.round % 2], "DEAL"
    need(talk.deal is not None and talk.deal[1] <= talk.cap_ucr, "a buyer pays what it has set aside")
    assert talk.deal is not None
    return talk.deal


def too_late(book: Book, talk: Talk, source: Fields) -> bool:
    """Whether a call for the lease would not end before the lease does."""
    end_ms = held_by_award(book, talk.award).lease.end_ms
    return bool(book.resale_ms and source["at_ms"] + book.resale_ms >= end_ms)


def do(talk: Talk, part: str) -> None:
    """One part of a deal, in order."""
    talk.parts.append(part)
    order = next((parts for parts in DEALS if parts[0] == talk.parts[0]), [])
    need(talk.parts == order[: len(talk.parts)], f"{part} has its place in a deal, once")


def capture(book: Book, e: Fields, source: Fields) -> None:
    """The buyer's hold pays."""
    talk, (_, price_ucr) = book.talks[e["hold"]], agreed(book, e["hold"], source)
    do(talk, "HoldCaptured")
    need(not book.resale_ms, "a deal is called for")
    same = (e["account"], e["captured_ucr"], e["captured_ucr"] + e["released_ucr"])
    need(same == (talk.parties[1], price_ucr, talk.cap_ucr), "the agreed price is captured")


def pay(book: Book, e: Fields) -> None:
    """The buyer pays the holder."""
    need(e["award"] in book.talks, "a deal is paid where it is made")
    talk = book.talks[e["award"]]
    do(talk, "CreditsTransferred")
    assert talk.deal is not None
    same = (e["debit"], e["credit"], e["amount_ucr"], e["task"])
    need(same == (talk.parties[1], talk.parties[0], talk.deal[1], talk.task), "a deal is paid by the buyer")
    book.budgets.pay(talk.parties[1], e["amount_ucr"])


def give_up(book: Book, award: bytes, held: Held, pool: str) -> None:
    """The holder's lease ends by a deal."""
    talk = next((talk for talk in book.talks.values() if talk.award == award), None)
    need(talk is not None, "a lease is sold where it is bargained for")
    assert talk is not None
    do(talk, "LeaseEnded")
    book.resold[award] = (pool, held)


def take_over(book: Book, e: Fields, source: Fields) -> None:
    """What is left of it is the buyer's."""
    talk = book.talks[e["award"]]
    do(talk, "SlotReserved")
    pool, held = book.resold.pop(talk.award)
    lease = Lease(max(source["at_ms"], held.lease.start_ms), held.lease.end_ms, held.lease.units)
    same = (e["pool"], e["units"], e["account"], e["starts_at_ms"], e["ends_at_ms"], e["pass_hash"])
    wanted = (pool, lease.units, talk.parties[1], lease.start_ms, lease.end_ms, talk.pass_hash)
    need(same == wanted, "the buyer has what was left of the lease")
    book.pools[pool].lock(e["award"], Held(talk.parties[1], lease))


def close(book: Book, e: Fields, source: Fields) -> None:
    """The end: what its rounds led to, or what a party or the lease brought about."""
    talk, outcome = find(book, e), e["outcome"]
    at_ms, by_time = source["at_ms"], source["cause"] == "DUE"
    need((e["holder"], e["counterpart"]) == talk.parties, "an end names the parties")
    bids = e["negotiation"] in book.cfp_of
    need(e["negotiation"] not in book.holds or bids, "a negotiation's hold is resolved, or backs the bid of its deal")
    if talk.over:
        need(outcome == talk.over, f"the outcome of the rounds is {talk.over}")
    elif outcome == "EXPIRED":
        need(by_time and at_ms >= talk.until_ms, "a negotiation expires when its time is over")
        need(not talk.monotonic or talk.round == 0 or (talk.round == 1 and None in talk.sealed), "who is silent stands")
    elif outcome == "LEFT":
        need(not by_time, "a party leaves by a command")
    else:
        need(outcome == "LEASE_ENDED", "without a round's end there is no other outcome")
        # What is accepted too late for a call ends what was bargained for before the lease does.
        late = not by_time and not talk.monotonic and too_late(book, talk, source)
        book.ending = None if late else talk.award
    need((outcome == "DEAL") == (talk.parts in DEALS), "a deal is made in one step, and nothing else is")
    options, price_ucr = talk.deal if outcome == "DEAL" and talk.deal is not None else ((), 0)
    need((tuple(e["options"]), e["price_ucr"]) == (options, price_ucr), "an end names the deal")
    need(e["rounds"] == max(0, talk.round - 1), "the number of rounds is right")
    spurn(book, talk, at_ms)
    del book.talks[e["negotiation"]]
    remember(book.talked, e["negotiation"], TALKED_MAX)


def end_command(book: Book) -> None:
    """What a round leads to lies in its own record, and a lease ends with what is bargained over it."""
    need(not any(talk.over or talk.parts for talk in book.talks.values()), "a round's outcome lies in its record")
    backed = all(ident in book.holds for ident, talk in book.talks.items() if talk.cap_ucr)
    need(backed, "a cap is held")
    need(book.ending is None, "a negotiation ends with its lease")
    need(not book.resold, "a lease that was sold has a holder")


STEPS: dict[str, Callable[[Book, Fields, Fields], None]] = {
    "NegotiationOpened": open_talk,
    "NegotiationJoined": join,
    "OfferMade": offer,
    "OffersOpened": opened,
    "NegotiationClosed": close,
}
