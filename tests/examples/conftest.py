"""The fixtures of the client's tests, for programs."""

from __future__ import annotations

from tests.client.conftest import market_broker, referee

__all__ = ["market_broker", "referee"]
