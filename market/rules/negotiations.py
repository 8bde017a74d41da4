"""Bargaining over a lease: monotonic concession and alternating offers (docs/negotiations.md).

The market enforces who offers when, that nothing is taken back, rounds and deadlines, and it settles a deal like an
award: the lease and the credits move in one step. Whether an offer is a good one is the parties' business.
"""

from __future__ import annotations

from contractnet.messages import (
    Code,
    Event,
    LeaseEnd,
    NegotiationOutcome,
    NegotiationProtocol,
    Offer,
    PostingReason,
)
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.names import NAME_BYTES_MAX
from market import limits
from market.account import Account
from market.bargaining import BUYER, HOLDER, Made, Negotiation, agreement, concedes, takes_back
from market.rejection import Rejection, require
from market.rules import budgets, contracts, resales
from market.rules.accounts import check_credit
from market.rules.context import Context, check_amount, check_name, check_range
from market.state import Lease, State

Side = int


def open_negotiation(ctx: Context, command: c.OpenNegotiation) -> list[Event]:
    """The holder of a lease asks an account to bargain over it."""
    lease = contracts.own_lease(ctx, command.award)
    asked = counterpart(ctx, command, lease)
    check_terms(command)
    require(lease.award not in ctx.state.bargained, Code.LEASE_IN_NEGOTIATION)
    check_mine(ctx.state, lease.account)
    require(bargains(ctx.state) < limits.NEGOTIATIONS_MAX, Code.LIMIT_REACHED, "negotiations")
    return [opened(ctx, command, lease, asked)]


def counterpart(ctx: Context, command: c.OpenNegotiation, lease: Lease) -> bytes:
    """Who is asked: another account, and not the bank."""
    asked = ctx.account(command.counterpart).id
    require(asked not in (lease.account, ctx.state.bank), Code.BAD_COUNTERPART)
    return asked


def check_mine(state: State, holder: bytes) -> None:
    """Reject one more negotiation of a holder that has as many as it may, with calls for leases that it sells on."""
    mine = sum(n.parties[HOLDER].account == holder and not n.claimed for n in state.negotiations.values())
    mine += sum(state.cfps[cfp].manager == holder for cfp in state.resales.values())
    require(mine < limits.NEGOTIATIONS_PER_HOLDER_MAX, Code.LIMIT_REACHED, "negotiations of the holder")


def bargains(state: State) -> int:
    """How many negotiations there are, with calls for leases that were bargained for."""
    return len(state.negotiations) + len(state.resales)


def check_terms(command: c.OpenNegotiation | c.ClaimLease) -> None:
    """Reject terms that no negotiation has."""
    require(command.protocol is not NegotiationProtocol.UNSPECIFIED, Code.UNKNOWN_VALUE, "protocol")
    _check_issues(command)
    check_range(Code.BAD_ROUNDS, "rounds", command.rounds_max, 1, limits.ROUNDS_MAX)
    check_range(Code.BAD_ROUNDS, "still rounds", command.still_rounds_max, 0, command.rounds_max)
    longest_ms = limits.CFP_OPEN_MS_MAX // (command.rounds_max + 1)
    check_range(Code.BAD_DURATION, "round", command.round_ms, limits.ROUND_MS_MIN, longest_ms)


def opened(ctx: Context, command: c.OpenNegotiation | c.ClaimLease, lease: Lease, buyer: bytes) -> Event:
    """A new negotiation over a lease, whoever asks for it."""
    return e.NegotiationOpened(
        negotiation=ctx.command_id,
        award=lease.award,
        holder=lease.account,
        counterpart=buyer,
        protocol=command.protocol,
        issues=command.issues,
        rounds_max=command.rounds_max,
        round_ms=command.round_ms,
        still_rounds_max=command.still_rounds_max,
    )


def join(ctx: Context, command: c.JoinNegotiation) -> list[Event]:
    """The counterpart begins to bargain; the most that it can pay is held, as for a bid."""
    negotiation, side = _party(ctx, command.negotiation)
    account = ctx.need_sender()
    _need_asked(ctx, negotiation, side)
    check_amount(command.cap_ucr)
    check_name("task", command.task, NAME_BYTES_MAX, empty=True)
    need_cap(ctx.state, account, command.cap_ucr)
    return [_joined(negotiation, command, account.id), cap_held(negotiation.id, account, command.cap_ucr)]


def join_9(ctx: Context, command: c.JoinNegotiation) -> list[Event]:
    """As before; the holder of a lease that is claimed joins with nothing, as the claim's cap is held."""
    found = ctx.state.negotiations.get(command.negotiation)
    if found is None or not found.claimed:
        return join(ctx, command)
    negotiation, side = _party(ctx, command.negotiation)
    _need_asked(ctx, negotiation, side)
    check_range(Code.BAD_AMOUNT, "cap", command.cap_ucr, 0, 0)
    check_name("task", command.task, NAME_BYTES_MAX, empty=True)
    return [_joined(negotiation, command, ctx.need_sender().id)]


def _need_asked(ctx: Context, negotiation: Negotiation, side: Side) -> None:
    """Reject whoever is not asked, and an answer that comes too late."""
    asked = negotiation.parties[side] is negotiation.joiner and negotiation.round == 0
    require(asked, Code.OUT_OF_TURN, f"the {'holder' if negotiation.claimed else 'counterpart'} joins, once")
    require(ctx.at_ms < negotiation.until_ms, Code.NEGOTIATION_CLOSED, "it is too late to join")


def _joined(negotiation: Negotiation, command: c.JoinNegotiation, account: bytes) -> Event:
    return e.NegotiationJoined(
        negotiation=negotiation.id,
        account=account,
        cap_ucr=command.cap_ucr,
        task=command.task,
        pass_hash=command.pass_hash,
    )


def need_cap(state: State, buyer: Account, cap_ucr: int) -> None:
    """Reject a cap that the buyer cannot hold."""
    check_credit(buyer, cap_ucr)
    budgets.check_room(state, buyer, cap_ucr)


def cap_held(negotiation: bytes, buyer: Account, cap_ucr: int) -> Event:
    """The most that a buyer can pay is held."""
    return e.HoldPlaced(hold=negotiation, account=buyer.id, amount_ucr=cap_ucr, cfp=negotiation)


def make_offer(ctx: Context, command: c.MakeOffer) -> list[Event]:
    """A party's offer of the round. Of monotonic concession it stays sealed until the other's is there as well."""
    negotiation, side = _party(ctx, command.negotiation)
    _check_round(ctx, negotiation, command.round, negotiation.round)
    offer = Offer(command.options, command.price_ucr)
    _check_offer(negotiation, side, offer)
    party = negotiation.parties[side]
    made = e.OfferMade(
        negotiation=negotiation.id,
        round=negotiation.round,
        account=party.account,
        options=offer.options,
        price_ucr=offer.price_ucr,
    )
    if negotiation.protocol is NegotiationProtocol.ALTERNATING:
        require(negotiation.round <= negotiation.rounds_max, Code.OUT_OF_TURN, "after the last round: accept or leave")
        require(side == negotiation.turn, Code.OUT_OF_TURN, "it is the other's turn")
        return [made]
    require(party.sealed is None, Code.OUT_OF_TURN, "it has offered in this round")
    require(not takes_back(party, side, offer), Code.NOT_MONOTONIC, f"{party.stands.get(offer.options)} stands")
    other = negotiation.parties[1 - side].sealed
    if other is None:
        return [made]
    return [made, *_opened(ctx.state, negotiation, (offer, other) if side == HOLDER else (other, offer), ctx.at_ms)]


def accept_offer(ctx: Context, command: c.AcceptOffer) -> list[Event]:
    """A party takes the other's offer (alternating offers): the deal."""
    negotiation, side = _party(ctx, command.negotiation)
    require(negotiation.protocol is NegotiationProtocol.ALTERNATING, Code.WRONG_PROTOCOL)
    _check_round(ctx, negotiation, command.round, negotiation.round - 1)
    offer = negotiation.parties[1 - negotiation.turn].last
    if offer is None or side != negotiation.turn:
        raise Rejection(Code.OUT_OF_TURN, "it is not this party's to accept")
    fits = offer.price_ucr <= negotiation.cap_ucr
    require(fits, Code.ABOVE_CAP, f"{offer.price_ucr}, of {negotiation.cap_ucr} set aside")
    return _deal(ctx.state, negotiation, offer, negotiation.round - 1, ctx.at_ms)


def leave(ctx: Context, command: c.LeaveNegotiation) -> list[Event]:
    """A party ends it, at any time: the conflict deal."""
    negotiation, _ = _party(ctx, command.negotiation)
    return conflict(negotiation, NegotiationOutcome.LEFT)


def release_lease_6(ctx: Context, command: c.ReleaseLease) -> list[Event]:
    """As before; nobody bargains over a lease that was given back."""
    return lease_over(ctx.state, contracts.release_lease(ctx, command), command.award)


def lease_over(state: State, events: list[Event], award: bytes) -> list[Event]:
    """The events of the end of a lease, with that of the negotiation over it."""
    ident = state.bargained.get(award)
    if ident is None:
        return events
    return [*conflict(state.negotiations[ident], NegotiationOutcome.LEASE_ENDED), *events]


def expire(state: State, negotiation: Negotiation, at_ms: int) -> list[Event]:
    """A round's time is over, or that to join: who has not offered stands still, or it is the end."""
    monotonic = negotiation.protocol is NegotiationProtocol.MONOTONIC
    if negotiation.round == 0 or not monotonic:
        return conflict(negotiation, NegotiationOutcome.EXPIRED)
    holder, buyer = negotiation.parties
    return _opened(state, negotiation, (holder.sealed, buyer.sealed), at_ms)


def _check_issues(command: c.OpenNegotiation | c.ClaimLease) -> None:
    names = [issue.name for issue in command.issues]
    require(len(names) <= limits.ISSUES_MAX, Code.BAD_ISSUES, f"{len(names)} issues")
    require(len(set(names)) == len(names), Code.BAD_ISSUES, "two issues have one name")
    texts = list(names)
    for issue in command.issues:
        options = len(issue.options)
        check_range(Code.BAD_ISSUES, "options", options, 2, limits.OPTIONS_MAX)
        require(len(set(issue.options)) == options, Code.BAD_ISSUES, "two options have one name")
        texts += issue.options
    for text in texts:
        check_name("issue or option", text)
    size = sum(len(text.encode()) for text in texts)
    require(size <= limits.ISSUES_BYTES_MAX, Code.BAD_ISSUES, f"their names have {size} bytes")


def _party(ctx: Context, ident: bytes) -> tuple[Negotiation, Side]:
    """A negotiation that has not ended, and which of its parties the sender is."""
    account = ctx.need_sender()
    negotiation = ctx.state.negotiations.get(ident)
    if negotiation is None:
        raise Rejection(Code.NEGOTIATION_CLOSED if ident in ctx.state.negotiated else Code.UNKNOWN_NEGOTIATION)
    side = negotiation.side_of(account.id)
    if side is None:
        raise Rejection(Code.NOT_A_PARTY)
    over = ctx.at_ms >= ctx.state.leases[negotiation.award].ends_at_ms
    require(not over, Code.NEGOTIATION_CLOSED, "the lease is over")
    return negotiation, side


def _check_round(ctx: Context, negotiation: Negotiation, said: int, now: int) -> None:
    """Reject what is meant for another round than `now`, or comes when its time is over."""
    require(negotiation.round > 0, Code.OUT_OF_TURN, "the counterpart has not joined")
    require(said >= now, Code.ROUND_OVER, f"round {said} is over, now {now}")
    require(said == now, Code.OUT_OF_TURN, f"round {said} has not begun, now {now}")
    require(ctx.at_ms < negotiation.until_ms, Code.ROUND_OVER, f"until {negotiation.until_ms}, now {ctx.at_ms}")


def _check_offer(negotiation: Negotiation, side: Side, offer: Offer) -> None:
    fits = len(offer.options) == len(negotiation.issues)
    known = fits and all(0 <= o < len(i.options) for o, i in zip(offer.options, negotiation.issues, strict=True))
    require(known, Code.BAD_OFFER)
    check_amount(offer.price_ucr)
    cap = negotiation.cap_ucr
    require(side == HOLDER or offer.price_ucr <= cap, Code.ABOVE_CAP, f"{offer.price_ucr}, of {cap} set aside")


def _opened(state: State, negotiation: Negotiation, made: Made, at_ms: int) -> list[Event]:
    """The offers of a round open together: a deal, the next round, or the conflict deal."""
    if negotiation.round == 1 and None in made:
        return conflict(negotiation, NegotiationOutcome.EXPIRED)
    opened = e.OffersOpened(negotiation=negotiation.id, round=negotiation.round)
    if at_ms >= state.leases[negotiation.award].ends_at_ms:
        return [opened, *conflict(negotiation, NegotiationOutcome.LEASE_ENDED, negotiation.round)]
    deal = agreement(negotiation.parties, made)
    if deal is not None:
        return [opened, *_deal(state, negotiation, deal, negotiation.round, at_ms)]
    conceded = any(concedes(party, side, made[side]) for side, party in enumerate(negotiation.parties))
    if not conceded and negotiation.still_rounds == negotiation.still_rounds_max:
        return [opened, *conflict(negotiation, NegotiationOutcome.STANDSTILL, negotiation.round)]
    if negotiation.round == negotiation.rounds_max:
        return [opened, *conflict(negotiation, NegotiationOutcome.EXPIRED, negotiation.round)]
    return [opened]


def _deal(state: State, negotiation: Negotiation, offer: Offer, rounds: int, at_ms: int) -> list[Event]:
    """The parties agree: the lease moves in one step, or the operator has it called for at the agreed price first. A
    lease that ends before such a call does is nobody's to sell any more."""
    lease = state.leases[negotiation.award]
    closed = _closed(negotiation, NegotiationOutcome.DEAL, rounds, offer)
    if not state.resale_call_ms:
        return _settled(state, negotiation, lease, offer.price_ucr, at_ms, closed)
    if at_ms + state.resale_call_ms >= lease.ends_at_ms:
        return conflict(negotiation, NegotiationOutcome.LEASE_ENDED, rounds)
    return [*resales.called(state, negotiation, lease, offer.price_ucr, at_ms), closed]


def _settled(
    state: State, negotiation: Negotiation, lease: Lease, price_ucr: int, at_ms: int, closed: Event
) -> list[Event]:
    """One step: payment, capture, and what is left of the lease is the buyer's, under a token of its own."""
    holder, buyer = negotiation.parties
    account = state.accounts[buyer.account]
    return [
        e.HoldCaptured(
            hold=negotiation.id,
            account=account.id,
            captured_ucr=price_ucr,
            released_ucr=negotiation.cap_ucr - price_ucr,
        ),
        e.CreditsTransferred(
            debit=account.id,
            credit=holder.account,
            amount_ucr=price_ucr,
            reason=PostingReason.DEAL,
            agent=account.name,
            project=account.project,
            task=negotiation.task,
            pool=lease.pool,
            cfp=None,
            award=negotiation.id,
            memo="",
        ),
        e.LeaseEnded(award=lease.award, pool=lease.pool, reason=LeaseEnd.RESOLD),
        e.SlotReserved(
            award=negotiation.id,
            pool=lease.pool,
            units=lease.units,
            account=account.id,
            starts_at_ms=max(at_ms, lease.starts_at_ms),
            ends_at_ms=lease.ends_at_ms,
            pass_hash=negotiation.pass_hash,
        ),
        closed,
        *budgets.warnings(state, [(account.id, price_ucr)]),
    ]


def conflict(negotiation: Negotiation, outcome: NegotiationOutcome, rounds: int | None = None) -> list[Event]:
    """The conflict deal: the lease stays where it is, and what was held is free."""
    events: list[Event] = []
    if negotiation.cap_ucr:
        buyer = negotiation.parties[BUYER].account
        events.append(e.HoldReleased(hold=negotiation.id, account=buyer, amount_ucr=negotiation.cap_ucr))
    rounds = max(0, negotiation.round - 1) if rounds is None else rounds
    return [*events, _closed(negotiation, outcome, rounds, Offer((), 0))]


def _closed(negotiation: Negotiation, outcome: NegotiationOutcome, rounds: int, offer: Offer) -> Event:
    holder, buyer = negotiation.parties
    return e.NegotiationClosed(
        negotiation=negotiation.id,
        holder=holder.account,
        counterpart=buyer.account,
        outcome=outcome,
        rounds=rounds,
        options=offer.options,
        price_ucr=offer.price_ucr,
    )
