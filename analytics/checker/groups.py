"""Groups of bids as the independent checker sees them: added up anew after each record that touched them."""

from __future__ import annotations

from dataclasses import dataclass, field

from analytics.checker import decisions
from analytics.checker.parts import Bid, Cfp, Fields, need

BIDS_PER_GROUP_MAX = 32
REMEMBERED_MAX = 16
"""Groups of an account that have won something and have no open bid."""

GroupId = tuple[bytes, bytes]
Holds = dict[bytes, tuple[bytes, int]]


@dataclass(slots=True)
class Group:
    """`bids` are the open ones, in order of arrival."""

    wins_max: int
    wins: int = 0
    bids: dict[bytes, Bid] = field(default_factory=dict)


@dataclass(slots=True)
class Groups:
    """The groups of a market by account and id. Those without open bids come in order of their ends."""

    by_id: dict[GroupId, Group] = field(default_factory=dict)
    of_bid: dict[bytes, GroupId] = field(default_factory=dict)
    newest: dict[bytes, Bid] = field(default_factory=dict)
    """The bid that was placed last."""
    _touched: dict[GroupId, None] = field(default_factory=dict)

    def load(self, rows: list[list[object]], bids: dict[bytes, Bid]) -> None:
        """From canonical state."""
        for account, ident, wins_max, wins, members in rows:
            assert isinstance(account, str)
            assert isinstance(ident, str)
            assert isinstance(wins_max, int)
            assert isinstance(wins, int)
            assert isinstance(members, list)
            key, names = (bytes.fromhex(account), bytes.fromhex(ident)), list(map(bytes.fromhex, members))
            self.by_id[key] = Group(wins_max, wins, {name: bids[name] for name in names})
            self.of_bid.update(dict.fromkeys(names, key))

    def plain(self) -> dict[GroupId, tuple[int, int, list[bytes]]]:
        """What can be compared."""
        return {key: (group.wins_max, group.wins, list(group.bids)) for key, group in self.by_id.items()}

    def may_hold(self, bid: Bid, e: Fields) -> bool:
        """Whether a new hold is of its bid's price, or of nothing in a group."""
        return bool(e["amount_ucr"] == bid.price_ucr or (e["amount_ucr"] == 0 and e["hold"] in self.of_bid))

    def join(self, e: Fields, source: Fields, holds: Holds) -> None:
        """The bid that was just placed belongs to a group."""
        bid = self.newest.get(e["bid"])
        fresh = e["bid"] == source["command"] and e["bid"] not in holds and e["bid"] not in self.of_bid
        need(fresh and bid is not None and bid.account == e["account"], "a bid is grouped when it is placed")
        assert bid is not None
        key = (e["account"], e["group"])
        group = self.by_id.setdefault(key, Group(e["wins_max"]))
        need(1 <= group.wins_max == e["wins_max"] <= BIDS_PER_GROUP_MAX, "a group never changes how many may win")
        need(group.wins < group.wins_max, "a group that has won enough takes no bids")
        group.bids[e["bid"]] = bid
        need(len(group.bids) <= BIDS_PER_GROUP_MAX, "a group has not too many open bids")
        self.of_bid[e["bid"]] = key
        self._touched[key] = None

    def resize(self, e: Fields, holds: Holds) -> int:
        """A hold of a group's bid is its price or 0 from now on; by how much it is more."""
        need(e["hold"] in self.of_bid and e["hold"] in holds, "the hold of a group's open bid is resized")
        account, before_ucr = holds[e["hold"]]
        key = self.of_bid[e["hold"]]
        price_ucr, amount_ucr = self.by_id[key].bids[e["hold"]].price_ucr, e["amount_ucr"]
        need(
            account == e["account"] and {before_ucr, amount_ucr} == {0, price_ucr}, "a bid holds its price, or nothing"
        )
        holds[e["hold"]] = (account, amount_ucr)
        self._touched[key] = None
        change_ucr: int = amount_ucr - before_ucr
        return change_ucr

    def drop(self, cfp: Cfp, e: Fields, source: Fields) -> None:
        """A bid drops, as its group has won enough."""
        bid, key = cfp.bids[e["bid"]], self.of_bid.get(e["bid"])
        need(key is not None and not bid.withdrawn, "a live bid of a group drops")
        assert key is not None
        need(self.by_id[key].wins == self.by_id[key].wins_max, "bids drop when their group has won enough")
        bid.withdrawn = True
        cfp.declined.add(e["bid"])
        cfp.bidders.remove(bid.account)
        if cfp.until_ms and not decisions.choosable(cfp):
            cfp.until_ms = source["at_ms"]

    def leave(self, bid: bytes, *, won: bool) -> None:
        """A bid's hold is resolved."""
        key = self.of_bid.pop(bid, None)
        if key is None:
            return
        group = self.by_id[key]
        del group.bids[bid]
        group.wins += won
        self._touched[key] = None
        if not group.bids:
            # To the end, in order of their ends.
            del self.by_id[key]
            if group.wins:
                self.by_id[key] = group
                ended = [other for other, row in self.by_id.items() if other[0] == key[0] and not row.bids]
                if len(ended) > REMEMBERED_MAX:
                    del self.by_id[ended[0]]

    def end(self, holds: Holds) -> None:
        """The record has no more events: the groups that it touched hold what their best bids could pay together."""
        for key in self._touched:
            group = self.by_id.get(key)
            if group is None:
                continue
            left = group.wins_max - group.wins
            need(left >= 0, "a group wins no more often than it may")
            best = sorted(group.bids, key=lambda bid: -group.bids[bid].price_ucr)
            for place, bid in enumerate(best):
                wanted = group.bids[bid].price_ucr if place < left else 0
                need(holds[bid][1] == wanted, f"bid {bid.hex()} of a group holds {wanted}")
            need(
                left > 0 or all(bid.withdrawn for bid in group.bids.values()),
                "a group that has won enough drops its bids",
            )
        self._touched.clear()
