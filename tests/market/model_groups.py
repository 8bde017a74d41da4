"""The model's groups of bids: what a group holds is added up when it is asked for, and nothing is kept of it."""

from __future__ import annotations

from contractnet.messages import commands as c
from tests.market.model_parts import Books, Row

GroupId = tuple[bytes | None, bytes]


class Groups(Books):
    """What tests/market/model.py knows of them. A bid's row has `group` (None: it is alone) and `number`, its place
    among all bids; a group's row `max`, `wins`, and the place of its end among all ends."""

    ends: int
    groups: dict[GroupId, Row]

    def members(self, account: bytes | None, group: bytes) -> list[Row]:
        """The open bids of a group, in order of arrival."""
        mine = [bid for bid in self.bids_of(account) if bid["group"] == group and not bid["done"]]
        return sorted(mine, key=lambda bid: bid["number"])

    def hold(self, bid: Row) -> int:
        """What one open bid holds: its price, if fewer than may still win are before it."""
        price: int = bid["price"]
        if bid["group"] is None:
            return int(bid.get("holds", price))
        group = self.groups[bid["account"], bid["group"]]
        before = [(-b["price"], b["number"]) for b in self.members(bid["account"], bid["group"])]
        return price if sum(b < (-price, bid["number"]) for b in before) < group["max"] - group["wins"] else 0

    def held_by_bids(self, account: bytes | None) -> int:
        """What an account's bids hold."""
        return sum(self.hold(bid) for bid in self.bids_of(account) if not bid["done"])

    def needed(self, command: c.PlaceBid) -> int:
        """How much more is held with a bid, after the rules of its group."""
        if command.group is None and command.wins_max == 0:
            return command.price_ucr
        if not self.need(self.version >= 6, "UNKNOWN_RULES"):
            return 0
        if not self.need(
            command.group is not None and 1 <= command.wins_max <= self.limits["bids_per_group"], "BAD_GROUP"
        ):
            return 0
        assert command.group is not None
        group = self.groups.get((self.sender, command.group), {"max": command.wins_max, "wins": 0})
        self.need(group["max"] == command.wins_max, "GROUP_DIFFERS")
        self.need(group["wins"] < group["max"], "GROUP_WON")
        prices = [bid["price"] for bid in self.members(self.sender, command.group)]
        self.need(len(prices) < self.limits["bids_per_group"], "LIMIT_REACHED")
        left = group["max"] - group["wins"]
        more: int = sum(sorted([*prices, command.price_ucr])[-left:]) - sum(sorted(prices)[-left:]) if left else 0
        return more

    def join(self, command: c.PlaceBid) -> None:
        """A bid was placed."""
        if command.group is not None:
            row = self.groups.setdefault((self.sender, command.group), {"max": command.wins_max, "wins": 0})
            row["end"] = None

    def won(self, bid: Row) -> None:
        """A bid has won."""
        if bid["group"] is not None:
            self.groups[bid["account"], bid["group"]]["wins"] += 1

    def sweep(self, at: int) -> None:
        """After bids were settled: groups that have won enough drop the rest, and those without bids end."""
        for (account, ident), group in list(self.groups.items()):
            bids = self.members(account, ident)
            for bid in bids if group["wins"] == group["max"] else []:
                bid["done"] = not bid["withdrawn"]
                bid["withdrawn"] = True
                self._less_to_choose(bid, at)
            if all(bid["done"] for bid in bids) and group["end"] is None:
                group["end"] = self.ends = self.ends + 1
                if not group["wins"]:
                    del self.groups[account, ident]
        for account in self.accounts:
            ended = [(row["end"], key) for key, row in self.groups.items() if key[0] == account and row["end"]]
            for _, key in sorted(ended)[: -self.limits["groups"]]:
                del self.groups[key]

    def _less_to_choose(self, bid: Row, at: int) -> None:
        """A manager with nothing left to choose has no more time."""
        for cfp in self.cfps.values():
            left = [b for b in cfp["bids"] if not b["withdrawn"] and not b["done"] and b["price"] >= cfp["reserve"]]
            if bid["done"] and bid in cfp["bids"] and cfp["until"] and not left:
                cfp["until"] = at
