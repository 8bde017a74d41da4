"""One market's books from canonical state bytes, for the independent checker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics import checker_negotiations as bargains
from analytics.checker_parts import Account, Bid, Cfp, Fields, Held, Key, Pool
from analytics.checker_prices import Lease

if TYPE_CHECKING:
    from analytics.checker_books import Book


def load(book: Book, m: Fields) -> None:
    """Fill empty books."""
    for ident, name, project, _, _, balance_ucr, _, _, weights in m["accounts"]:
        account = Account(balance_ucr, 0, [(e, w) for e, w in weights], name, project)
        book.add_account(bytes.fromhex(ident), account)
    book.budgets.load(m["budgets"])
    for public, account, revoked, floor, expires_at_ms, seen in m["keys"]:
        owner = None if account is None else bytes.fromhex(account)
        book.keys[bytes.fromhex(public)] = Key(owner, revoked, {s for s, _, _ in seen}, floor, expires_at_ms)
    for name, owner, units in m["pools"]:
        book.pools[name] = Pool(bytes.fromhex(owner), units)
    unresolved = dict(m["holds"])
    for ident, manager, _, pool, units, duration, slots, reserve, pricing, closes, epoch, *rest in m["cfps"]:
        cfp = Cfp(bytes.fromhex(manager), pool, units, duration, slots, reserve, pricing, closes, epoch)
        book.cfps[bytes.fromhex(ident)] = cfp
        bids, (cfp.decide_ms, cfp.until_ms, given, refused), invited = rest
        cfp.invited = set(map(bytes.fromhex, invited))
        cfp.given = {bytes.fromhex(bid): price_ucr for bid, price_ucr in given}
        cfp.refused = set(map(bytes.fromhex, refused))
        for bid, account, price, weight, delay, task, pass_hash, withdrawn in bids:
            owner = bytes.fromhex(account)
            placed = Bid(owner, price, weight, delay, task, bytes.fromhex(pass_hash), withdrawn)
            cfp.bids[bytes.fromhex(bid)] = placed
            if not withdrawn:
                cfp.bidders.add(owner)
            if bid in unresolved:
                book.holds[bytes.fromhex(bid)] = (owner, unresolved[bid])
                book.accounts[owner].held_ucr += unresolved[bid]
            elif bytes.fromhex(bid) not in cfp.given:
                cfp.declined.add(bytes.fromhex(bid))
    book.groups.load(m["groups"], {bid: row for cfp in book.cfps.values() for bid, row in cfp.bids.items()})
    for award, pool, units, account, starts, ends in m["leases"]:
        held = Held(bytes.fromhex(account), Lease(starts, ends, units))
        book.pools[pool].lock(bytes.fromhex(award), held)
    book.talks = bargains.from_plain(m["negotiations"])
    for ident, talk in book.talks.items():
        if ident.hex() in unresolved:
            book.holds[ident] = (talk.parties[1], talk.cap_ucr)
            book.accounts[talk.parties[1]].held_ucr += talk.cap_ucr
