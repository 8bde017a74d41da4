"""What accounts of one budget root have in common in rankings, as the independent checker sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.checker.parts import IDENTITIES_RULES, Account, Cfp
from analytics.checker.prices import Lots, lots_of

if TYPE_CHECKING:
    from analytics.checker.books import Book

FULL_WEIGHT = 1000
"""Of whoever the bank has given no other."""


def note(book: Book, account: Account) -> None:
    """An account may have another weight than the full one."""
    if len(account.weights) > 1:
        book.weighed.setdefault(account.root, {})[account.name] = account


def weight_of(book: Book, ident: bytes, epoch: int) -> int:
    """What an account counts by, by the weights of when so many had changed: its own; later the least of its root's."""
    account = book._account(ident)
    if book.version < IDENTITIES_RULES:
        return account.weight_after(epoch)
    others = book.weighed.get(account.root, {}).values()
    return min([FULL_WEIGHT, *(other.weight_after(epoch) for other in others)])


def draw(book: Book, ident: bytes, cfp: Cfp, head: bytes) -> dict[bytes, Lots]:
    """The lots of all that have answered a CFP; `head` is the chain head before the record that settles it."""
    told_apart = book.version >= IDENTITIES_RULES
    accounts = {bid.account for bid in cfp.bids.values()}
    return {a: lots_of(head, ident, a, book.accounts[a].root if told_apart else None) for a in accounts}
