"""Why commands about negotiations are rejected (refusals.py)."""

from __future__ import annotations

from analytics.checker.case import Case
from analytics.checker.limits import (
    DAY_MS,
    MONEY_MAX,
    Refusal,
    any_of,
    bad_names,
    no_account,
    no_name,
    no_value,
    out_of,
)
from analytics.checker.negotiations import ROUND_MS_MIN, ROUNDS_MAX, Talk, held_by_award
from analytics.checker.refusals_bids import is_for_work, no_lease, not_own_lease

TALKS_MAX, TALKS_PER_HOLDER_MAX, TALKS_PER_ROOT_MAX = 1_000, 64, 500
CLAIMS_MAX, CLAIMS_PER_ROOT_MAX = 500, 250
ISSUES_MAX, OPTIONS_MAX, ISSUES_BYTES_MAX = 4, 64, 1_024


def _texts(case: Case) -> list[str]:
    return [text for issue in case.command.issues for text in (issue.name, *issue.options)]


def bad_issues(case: Case) -> bool:
    """Issues and their options have different names, and there are so many."""
    issues = case.command.issues
    if len(issues) > ISSUES_MAX or len({issue.name for issue in issues}) < len(issues):
        return True
    if any(not 2 <= len(set(i.options)) == len(i.options) <= OPTIONS_MAX for i in issues):
        return True
    return sum(len(text.encode()) for text in _texts(case)) > ISSUES_BYTES_MAX


def bad_rounds(case: Case) -> bool:
    """Numbers of rounds are in limits."""
    c = case.command
    return not (1 <= c.rounds_max <= ROUNDS_MAX and 0 <= c.still_rounds_max <= c.rounds_max)


def bad_round_ms(case: Case) -> bool:
    """All rounds, with the time to join, take a day at most."""
    c = case.command
    return bool(c.round_ms < ROUND_MS_MIN or c.round_ms * (c.rounds_max + 1) > DAY_MS)


def bad_counterpart(case: Case) -> bool:
    """Nobody bargains with itself or the bank."""
    return case.command.counterpart in (case.sender, case.book.bank)


def gives_way(case: Case, talk: Talk) -> bool:
    """Whether a negotiation is a claim that waits for the sender, who opens another one over the same lease."""
    waits = talk.claimed and talk.round == 0
    return waits and case.kind == "OpenNegotiation" and talk.award == case.command.award


def in_talks(case: Case) -> bool:
    """Somebody bargains over the lease, or it is sold on."""
    award = case.command.award
    held_up = any(talk.award == award and not gives_way(case, talk) for talk in case.book.talks.values())
    return held_up or award in case.book.resales


def too_many_talks(case: Case) -> bool:
    """There are as many as there may be, with the calls that came of some, or the sender has opened as many; claims are
    half of all at most."""
    talks, calls = case.book.talks.values(), [case.book.cfps[cfp] for cfp in case.book.resales.values()]
    others = sum(not gives_way(case, talk) for talk in talks)
    if others + len(calls) >= TALKS_MAX:
        return True
    openers = [talk.parties[1 if talk.claimed else 0] for talk in talks if talk.award != case.command.award]
    if case.of_root([*openers, *(cfp.manager for cfp in calls)]) >= TALKS_PER_ROOT_MAX:
        return True
    if case.kind == "ClaimLease":
        claims = [talk.parties[1] for talk in talks if talk.claimed]
        if case.of_root(claims) >= CLAIMS_PER_ROOT_MAX:
            return True
        return sum(buyer == case.sender for buyer in claims) >= TALKS_PER_HOLDER_MAX or len(claims) >= CLAIMS_MAX
    mine = sum(talk.parties[0] == case.sender and not talk.claimed for talk in talks)
    return mine + sum(cfp.manager == case.sender for cfp in calls) >= TALKS_PER_HOLDER_MAX


def too_soon(case: Case) -> bool:
    """A claim of the sender's budget root on this lease was not joined a while ago."""
    if case.lease is None or case.account is None:
        return False
    return case.at_ms < case.lease.spurned.get(case.account.root, case.at_ms)


def own_lease(case: Case) -> bool:
    """Nobody claims what it has."""
    return case.lease is not None and case.lease.account == case.sender


def unknown(case: Case) -> bool:
    """There is none, and none that ended of late."""
    return case.talk is None and case.command.negotiation not in case.book.talked


def closed(case: Case) -> bool:
    """It has ended, its lease is over, or it is too late to join."""
    talk = case.talk
    if talk is None:
        return case.command.negotiation in case.book.talked
    over = case.at_ms >= held_by_award(case.book, talk.award).lease.end_ms
    return over or (case.kind == "JoinNegotiation" and case.at_ms >= talk.until_ms)


def no_party(case: Case) -> bool:
    """Two others bargain."""
    return case.talk is not None and case.sender not in case.talk.parties


def joins_wrongly(case: Case) -> bool:
    """Who is asked joins, once."""
    talk = case.talk
    return talk is not None and (talk.round != 0 or case.sender != talk.parties[0 if talk.claimed else 1])


def cap_ucr(case: Case) -> int:
    """What a joining needs: nothing where the lease is claimed."""
    return 0 if case.talk is not None and case.talk.claimed else int(case.command.cap_ucr)


def bad_cap(case: Case) -> bool:
    """A cap is a buyer's, and something."""
    if case.talk is not None and case.talk.claimed:
        return bool(case.command.cap_ucr != 0)
    return not 1 <= case.command.cap_ucr <= MONEY_MAX


def _side(case: Case, talk: Talk) -> int:
    return 0 if case.sender == talk.parties[0] else 1


def _now(case: Case, talk: Talk) -> int:
    """The round that a command of this kind is about."""
    return talk.round if case.kind == "MakeOffer" else talk.round - 1


def out_of_turn(case: Case) -> bool:
    """The round has not begun, or it is the other's turn."""
    talk = case.talk
    if talk is None:
        return False
    if talk.round == 0 or case.command.round > _now(case, talk):
        return True
    side, turn = _side(case, talk), (talk.round - 1) % 2
    if case.kind == "AcceptOffer":
        return not talk.monotonic and (side != turn or talk.last[1 - turn] is None)
    if talk.monotonic:
        return talk.sealed[side] is not None
    return talk.round > talk.rounds_max or side != turn


def round_over(case: Case) -> bool:
    """The round is over, or its time is."""
    talk = case.talk
    return talk is not None and (case.command.round < _now(case, talk) or case.at_ms >= talk.until_ms)


def bad_offer(case: Case) -> bool:
    """One option of each issue."""
    talk, options = case.talk, case.command.options
    if talk is None:
        return False
    known = len(options) == len(talk.counts) and all(0 <= o < n for o, n in zip(options, talk.counts, strict=True))
    return not known


def above_cap(case: Case) -> bool:
    """More than the buyer has set aside."""
    talk = case.talk
    if talk is None:
        return False
    if case.kind == "MakeOffer":
        return _side(case, talk) == 1 and case.command.price_ucr > talk.cap_ucr
    last = talk.last[talk.round % 2]
    return last is not None and last[1] > talk.cap_ucr


def taken_back(case: Case) -> bool:
    """The party has offered the same at a better price."""
    talk = case.talk
    if talk is None or not talk.monotonic:
        return False
    side = _side(case, talk)
    stands_ucr = talk.named[side].get(case.command.options)
    return stands_ucr is not None and talk.better(side, stands_ucr, case.command.price_ucr)


PARTY: dict[str, Refusal] = {"UNKNOWN_NEGOTIATION": unknown, "NEGOTIATION_CLOSED": closed, "NOT_A_PARTY": no_party}
ROUND: dict[str, Refusal] = {**PARTY, "OUT_OF_TURN": out_of_turn, "ROUND_OVER": round_over, "ABOVE_CAP": above_cap}

OPENING: dict[str, Refusal] = {
    "UNKNOWN_LEASE": no_lease,
    "OUT_OF_SEQUENCE": is_for_work,
    "UNKNOWN_VALUE": no_value("protocol"),
    "BAD_ISSUES": bad_issues,
    "BAD_NAME": lambda case: bad_names(_texts(case)),
    "BAD_ROUNDS": bad_rounds,
    "BAD_DURATION": bad_round_ms,
    "LEASE_IN_NEGOTIATION": in_talks,
    "LIMIT_REACHED": too_many_talks,
}

REFUSALS: dict[str, dict[str, Refusal]] = {
    "OpenNegotiation": {
        **OPENING,
        "NOT_OWNER": not_own_lease,
        "UNKNOWN_ACCOUNT": no_account("counterpart"),
        "BAD_COUNTERPART": bad_counterpart,
    },
    "ClaimLease": {
        **OPENING,
        "NOT_PERMITTED": lambda case: case.is_bank,
        "LIMIT_REACHED": any_of(too_many_talks, too_soon),
        "BAD_COUNTERPART": own_lease,
        "BAD_NAME": lambda case: bad_names(_texts(case)) or no_name("task", empty=True)(case),
        "BAD_AMOUNT": out_of(("cap_ucr", 1, MONEY_MAX)),
        "INSUFFICIENT_CREDIT": lambda case: case.lacks(case.command.cap_ucr),
        "BUDGET_EXCEEDED": lambda case: case.overruns(case.command.cap_ucr),
    },
    "JoinNegotiation": {
        **PARTY,
        "OUT_OF_TURN": joins_wrongly,
        "BAD_AMOUNT": bad_cap,
        "BAD_NAME": no_name("task", empty=True),
        "INSUFFICIENT_CREDIT": lambda case: case.lacks(cap_ucr(case)),
        "BUDGET_EXCEEDED": lambda case: cap_ucr(case) > 0 and case.overruns(cap_ucr(case)),
    },
    "MakeOffer": {
        **ROUND,
        "BAD_OFFER": bad_offer,
        "BAD_AMOUNT": out_of(("price_ucr", 1, MONEY_MAX)),
        "NOT_MONOTONIC": taken_back,
        "INSUFFICIENT_CREDIT": lambda case: case.lacks(case.book.policy.fee_ucr),
    },
    "AcceptOffer": {**ROUND, "WRONG_PROTOCOL": lambda case: case.talk is not None and case.talk.monotonic},
    "LeaveNegotiation": PARTY,
}
