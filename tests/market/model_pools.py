"""The model's pools of units."""

from __future__ import annotations

from contractnet.messages import commands as c
from tests.market.model_parts import UNITS_MAX, Books, Row, good_text


class Pools(Books):
    """What tests/market/model.py knows of them. Capacity is found by scanning all leases."""

    def peak(self, pool: str, start: int, end: int | None, leases: list[Row]) -> int:
        """Most units in use in an interval, by looking at one instant after the other."""
        mine = [x for x in leases if x["pool"] == pool]
        instants = [start, *(x["start"] for x in mine if x["start"] > start and (end is None or x["start"] < end))]
        peak: int = max(sum(x["units"] for x in mine if x["start"] <= t < x["end"]) for t in instants)
        return peak

    def _CreatePool(self, command: c.CreatePool) -> None:
        self.need(self.sender == self.bank, "NOT_PERMITTED")
        self.need(good_text(command.name), "BAD_NAME")
        self.need(command.name not in self.pools, "NAME_TAKEN")
        self.need(command.owner in self.accounts, "UNKNOWN_ACCOUNT")
        self.need(1 <= command.units <= UNITS_MAX, "BAD_UNITS")
        self.need(len(self.pools) < self.limits["pools"], "LIMIT_REACHED")
        if not self.bad:
            self.pools[command.name] = {"owner": command.owner, "units": command.units}

    def _ResizePool(self, command: c.ResizePool) -> None:
        self.need(1 <= command.units <= UNITS_MAX, "BAD_UNITS")
        if self.need(command.pool in self.pools, "UNKNOWN_POOL"):
            pool = self.pools[command.pool]
            self.need(self.sender in (pool["owner"], self.bank), "NOT_OWNER")
            peak = self.peak(command.pool, self.now, None, list(self.leases.values()))
            self.need(peak <= command.units, "CAPACITY_RESERVED")
            pool["units"] = pool["units"] if self.bad else command.units
