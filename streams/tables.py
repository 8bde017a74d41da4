"""Faust's manager of tables, without its wait: we have no tables (docs/decisions/0001), and every restart would pay
for it."""

from __future__ import annotations

from faust.tables import TableManager


class NoTables(TableManager):
    """Faust sleeps for a second here, so that tables can be defined first; that was half of a restart."""

    async def on_start(self) -> None:
        """Go on at once with the subscription, which waits for this."""
        await self._update_channels()
        await self.recovery.start()
