"""The model's decay from rules version 9 on: all balances that there ever were are kept, and averages added up anew."""

from __future__ import annotations

from itertools import pairwise

from tests.market.model_parts import Books, Row


class Decay(Books):
    """What tests/market/model.py knows of averages and of what is owed."""

    past: list[tuple[int, dict[bytes, int]]]
    """Instants, and all balances from each one on."""
    instant: int
    budgets: dict[bytes, Row]

    def remember(self) -> None:
        """A record is over."""
        balances = {ident: row["balance"] for ident, row in self.accounts.items()}
        if not self.past or balances != self.past[-1][1]:
            self.past.append((self.instant, balances))

    def had(self, account: bytes, start: int, end: int) -> int:
        """Credits times time: what the records before this one say."""
        last = (max(end, self.past[-1][0]), self.past[-1][1])
        steps = pairwise([*self.past, last])
        return sum(
            now.get(account, 0) * max(0, min(end, until) - max(start, since)) for (since, now), (until, _) in steps
        )

    def asked(self, row: Row, account: bytes, free: int) -> int:
        """The decay that the end of a window asks for."""
        if self.version < 9:
            return int(free * row["decay"] // 1000)
        area = self.had(account, max(row["start"], row["counts"]), row["end"])
        return int(self.accounts[account]["owed"] + area * row["decay"] // (row["window"] * 1000))

    def counts_from(self, old: Row | None, row: Row) -> int:
        """From when on the balances of a budget's accounts count."""
        alike = old is not None and all(old[name] == row[name] for name in ("window", "offset"))
        return int(old["counts"]) if old is not None and alike and old["decay"] and row["decay"] else self.now

    def activated(self, before: int) -> None:
        """Other rules hold."""
        if before < 9:
            for row in self.budgets.values():
                row["counts"] = self.now
