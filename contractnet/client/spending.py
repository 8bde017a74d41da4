"""What a caller holds of a wallet while it spends."""

from __future__ import annotations

from contractnet.client.holdings import Part
from contractnet.errors import CommandUnsendableError


class Spending:
    """Tokens that are set aside for one call, or for several that belong together."""

    def __init__(self, pool: str, task: str, parts: list[Part]) -> None:
        self.pool = pool
        self.task = task
        self.tokens = sum(part.tokens for part in parts)
        """How many were set aside."""
        self.spent = 0
        """How many were used, as `used` said."""
        self.calls = 0
        self.throttled_calls = 0
        self.parts = parts

    def used(self, tokens: int) -> None:
        """So many tokens were really used by a call that was answered; more than one call add up."""
        if type(tokens) is not int or tokens < 0:
            raise CommandUnsendableError(f"tokens used are a whole number of at least 0, not {tokens!r}")
        self.spent += tokens
        self.calls += 1

    def throttled(self) -> None:
        """A call was answered 429: it used nothing, and the market learns of it."""
        self.calls += 1
        self.throttled_calls += 1
