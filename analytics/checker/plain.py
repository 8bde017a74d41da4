"""One market's books from canonical state bytes, for the independent checker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analytics.checker import negotiations as bargains
from analytics.checker.deposits import hold_of
from analytics.checker.parts import Account, Bid, Cfp, Fields, Held, Key, Pool, Terms
from analytics.checker.prices import Lease

if TYPE_CHECKING:
    from analytics.checker.books import Book


def load(book: Book, m: Fields) -> None:
    """Fill empty books."""
    for ident, name, project, root, _, balance_ucr, _, _, weights, system, owed_ucr in m["accounts"]:
        account = Account(balance_ucr, 0, [(e, w) for e, w in weights], name, project, root, owed_ucr)
        book.add_account(bytes.fromhex(ident), account)
        book.tokens.system |= {bytes.fromhex(ident)} if system else set()
    book.tokens.load(m["token_pools"])
    book.budgets.load(m["budgets"])
    book.policy.load(m["policy"])
    book.deposits.permille, book.deposits.floor_ucr = m["deposit"], m.get("deposit_floor", 0)
    book.resale_ms = m["resale_call"]
    for public, account, revoked, floor, expires_at_ms, seen in m["keys"]:
        owner = None if account is None else bytes.fromhex(account)
        used = {sequence: (bytes.fromhex(tag), code) for sequence, tag, code in seen}
        book.keys[bytes.fromhex(public)] = Key(owner, revoked, used, floor, expires_at_ms)
    for name, owner, units in m["pools"]:
        book.pools[name] = Pool(bytes.fromhex(owner), units)
    book.purchases.load(m["works"])
    held = {bytes.fromhex(hold): amount_ucr for hold, amount_ucr in m["holds"]}
    owners = {hold: account for hold, (account, _) in book.purchases.backed().items()}
    for row in m["cfps"]:
        _load_cfp(book, row, held, owners)
    book.closed = {bytes.fromhex(cfp): None for cfp, _ in m["closed"]}
    book.talks = bargains.from_plain(m["negotiations"])
    book.talked = dict.fromkeys(map(bytes.fromhex, m["negotiated"]))
    owners |= {ident: talk.parties[1] for ident, talk in book.talks.items()}
    book.groups.load(m["groups"], {bid: row for cfp in book.cfps.values() for bid, row in cfp.bids.items()})
    for hold, amount_ucr in held.items():
        book.holds[hold] = (owners[hold], amount_ucr)
        book.accounts[owners[hold]].held_ucr += amount_ucr
    for award, pool, units, account, starts, ends, *vain in m["leases"]:
        lease = Held(bytes.fromhex(account), Lease(starts, ends, units), dict(*vain))
        book.pools[pool].lock(bytes.fromhex(award), lease)


def _load_cfp(book: Book, row: list[Any], held: dict[bytes, int], owners: dict[bytes, bytes]) -> None:
    ident, manager, direction, *sale = row
    *head, bids, (decide_ms, until_ms, given, refused), invited, terms, (opened_ms, *deposit), resale = sale
    cfp = Cfp(bytes.fromhex(manager), *head)
    cfp.decide_ms, cfp.until_ms, cfp.buys = decide_ms, until_ms, direction == "BUY"
    book.cfps[bytes.fromhex(ident)] = cfp
    cfp.given = {bytes.fromhex(bid): price_ucr for bid, price_ucr in given}
    cfp.refused = set(map(bytes.fromhex, refused))
    cfp.invited = set(map(bytes.fromhex, invited))
    cfp.terms = None if terms is None else Terms(*terms)
    cfp.opened_ms, (cfp.deposit_permille, cfp.deposit_floor_ucr) = opened_ms, (*deposit, 0)[:2]
    if resale is not None:
        cfp.resale = bytes.fromhex(resale)
        book.resales[cfp.resale] = bytes.fromhex(ident)
    owners[bytes.fromhex(ident)] = cfp.manager
    if cfp.deposit_permille:
        book.deposits.stand(bytes.fromhex(ident), cfp)
        owners[hold_of(bytes.fromhex(ident), cfp)] = cfp.manager
    for bid, account, price, weight, delay, task, pass_hash, withdrawn, pool, *times in bids:
        number, owner = bytes.fromhex(bid), bytes.fromhex(account)
        cfp.bids[number] = Bid(owner, price, weight, delay, task, bytes.fromhex(pass_hash), withdrawn, pool, *times)
        owners[number] = owner
        book.count_bid(bytes.fromhex(ident), number, owner)
        if not withdrawn:
            cfp.bidders.add(owner)
        if number not in held and number not in cfp.given:
            cfp.declined.add(number)
