"""What agents may see of a record's entries. A pure function, so that an audit can repeat every byte."""

from __future__ import annotations

from collections.abc import Iterable

from contractnet.messages import ZERO_ID, Code, Entry, Event, Notice, Source, Winner
from contractnet.messages import events as e
from contractnet.messages import notices as n


def notices_of(entries: Iterable[Entry]) -> list[Notice]:
    """The notices that the entries of one record give rise to, in order.

    Before a CFP closes they tell that it opened, and nothing of its bids. A receipt names a command id and a code.
    """
    notices: list[Notice] = []
    winners: dict[bytes, list[Winner]] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, e.AwardMade):
            winners.setdefault(event.cfp, []).append(Winner(event.award, event.price_ucr))
        elif isinstance(event, e.CfpClosed):
            won = tuple(winners.pop(event.cfp, ()))
            notices.append(n.CfpSettled(cfp=event.cfp, outcome=event.outcome, winners=won))
        else:
            notice = _receipt(entry.source, event) or _public(entry.source, event)
            if notice is not None:
                notices.append(notice)
    return notices


def _receipt(source: Source, event: Event) -> Notice | None:
    if source.command == ZERO_ID:
        return None
    if isinstance(event, e.CommandAccepted):
        return n.Receipt(source.command, Code.ACCEPTED)
    if isinstance(event, e.CommandRejected | e.CommandRepeated):
        return n.Receipt(source.command, event.code)
    if isinstance(event, e.CommandUnreadable):
        return n.Receipt(source.command, Code.UNREADABLE)
    return None


def _public(source: Source, event: Event) -> Notice | None:
    if isinstance(event, e.CfpOpened):
        return n.CfpAnnounced(
            cfp=event.cfp,
            direction=event.direction,
            pool=event.pool,
            units=event.units,
            duration_ms=event.duration_ms,
            slots=event.slots,
            reserve_price_ucr=event.reserve_price_ucr,
            pricing=event.pricing,
            opened_at_ms=source.at_ms,
            closes_at_ms=event.closes_at_ms,
        )
    if isinstance(event, e.SlotReserved):
        return n.LeaseGranted(
            award=event.award,
            pool=event.pool,
            units=event.units,
            starts_at_ms=event.starts_at_ms,
            ends_at_ms=event.ends_at_ms,
            token_offset=source.offset,
            token_index=source.index,
            pass_hash=event.pass_hash,
        )
    if isinstance(event, e.LeaseEnded):
        return n.LeaseRevoked(award=event.award, pool=event.pool, ended_at_ms=source.at_ms)
    if isinstance(event, e.PoolCreated | e.PoolResized):
        return n.PoolAnnounced(pool=event.pool, units=event.units)
    if isinstance(event, e.MarketOpened):
        return n.MarketAnnounced(genesis_hash=event.genesis_hash, operator_key=event.operator_key)
    return None
