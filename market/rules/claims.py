"""Claims: whoever wants a lease that another account holds opens the negotiation itself (docs/negotiations.md).

What it would pay at most is held from then on. The holder joins, leaves, or lets the time to join run out; it may also
bargain with somebody else instead, so that a claim keeps no lease from being sold.
"""

from __future__ import annotations

from contractnet.messages import Code, Event, NegotiationOutcome
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.names import NAME_BYTES_MAX
from market import limits
from market.bargaining import BUYER, Negotiation
from market.rejection import Rejection, require
from market.rules import contracts, negotiations
from market.rules.context import Context, check_amount, check_name
from market.state import State


def claim_lease(ctx: Context, command: c.ClaimLease) -> list[Event]:
    """An account asks the holder of a lease to bargain over it."""
    buyer, state = ctx.need_sender(), ctx.state
    require(not ctx.is_bank, Code.NOT_PERMITTED, "the bank does not bargain")
    lease = state.leases.get(command.award)
    if lease is None or ctx.at_ms >= lease.ends_at_ms:
        raise Rejection(Code.UNKNOWN_LEASE)
    require(buyer.id != lease.account, Code.BAD_COUNTERPART, "it holds the lease")
    require(lease.award not in state.works, Code.OUT_OF_SEQUENCE, "the lease is for work")
    negotiations.check_terms(command)
    _need_free(state, lease.award)
    claims = [n for n in state.negotiations.values() if n.claimed]
    mine = sum(n.parties[BUYER].account == buyer.id for n in claims)
    require(mine < limits.NEGOTIATIONS_PER_HOLDER_MAX, Code.LIMIT_REACHED, "claims of the account")
    require(len(claims) < limits.CLAIMS_MAX, Code.LIMIT_REACHED, "claims")
    require(negotiations.bargains(state) < limits.NEGOTIATIONS_MAX, Code.LIMIT_REACHED, "negotiations")
    check_amount(command.cap_ucr)
    check_name("task", command.task, NAME_BYTES_MAX, empty=True)
    negotiations.need_cap(state, buyer, command.cap_ucr)
    return [
        negotiations.opened(ctx, command, lease, buyer.id),
        e.LeaseClaimed(
            negotiation=ctx.command_id,
            account=buyer.id,
            cap_ucr=command.cap_ucr,
            task=command.task,
            pass_hash=command.pass_hash,
        ),
        negotiations.cap_held(ctx.command_id, buyer, command.cap_ucr),
    ]


def open_negotiation_9(ctx: Context, command: c.OpenNegotiation) -> list[Event]:
    """As before; not over a lease that is called for. A claim on it that waits for the holder ends."""
    lease = contracts.own_lease(ctx, command.award)
    waiting = waiting_on(ctx.state, lease.award)
    counterpart = negotiations.counterpart(ctx, command, lease)
    negotiations.check_terms(command)
    if waiting is None:
        _need_free(ctx.state, lease.award)
    negotiations.check_mine(ctx.state, lease.account)
    bargains = negotiations.bargains(ctx.state) - (waiting is not None)
    require(bargains < limits.NEGOTIATIONS_MAX, Code.LIMIT_REACHED, "negotiations")
    left = [] if waiting is None else negotiations.conflict(waiting, NegotiationOutcome.LEFT)
    return [*left, negotiations.opened(ctx, command, lease, counterpart)]


def waiting_on(state: State, award: bytes) -> Negotiation | None:
    """The claim on a lease that its holder has not answered."""
    ident = state.bargained.get(award)
    negotiation = None if ident is None else state.negotiations[ident]
    return negotiation if negotiation is not None and negotiation.claimed and negotiation.round == 0 else None


def _need_free(state: State, award: bytes) -> None:
    """Reject a second negotiation over a lease, and one over a lease that is called for."""
    require(award not in state.bargained and award not in state.resales, Code.LEASE_IN_NEGOTIATION)
