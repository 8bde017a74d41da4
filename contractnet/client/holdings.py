"""What a wallet holds: grants, what of them is set aside, what was used, and what beyond them. No clock, no I/O.

Tokens that expire first are spent first. What is set aside before a grant's end may be used after it: a call that was
begun in time counts, and the market takes reports of a grant until a minute after its end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from contractnet.client.grants import Grant


@dataclass(slots=True)
class Part:
    """So many tokens of one grant, set aside for one caller."""

    grant: bytes
    tokens: int


@dataclass(slots=True)
class Use:
    """What is to be reported of one grant for one task."""

    tokens: int = 0
    calls: int = 0
    throttled: int = 0


@dataclass(slots=True)
class _Held:
    grant: Grant
    left: int


@dataclass(slots=True)
class Holdings:
    """The tokens of one pool. `expired` counts tokens that nobody used in time."""

    expired: int = 0
    uses: dict[tuple[bytes, str], Use] = field(default_factory=dict)
    """By grant and task, since they were taken out by `take_uses`."""
    _held: list[_Held] = field(default_factory=list)
    _seen: dict[bytes, None] = field(default_factory=dict)
    _debts: deque[tuple[str, int]] = field(default_factory=deque)

    def add(self, grant: Grant, now_ms: int) -> None:
        """One more grant; a repeated one counts once. Debts are paid of it first."""
        if grant.id in self._seen:
            return
        self._remember(grant.id)
        if grant.expires_at_ms <= now_ms:
            self.expired += grant.tokens
            return
        held = _Held(grant, grant.tokens)
        while self._debts and held.left:
            task, owed = self._debts.popleft()
            paid = min(owed, held.left)
            held.left -= paid
            self._note(grant.id, task).tokens += paid
            if owed > paid:
                self._debts.appendleft((task, owed - paid))
        self._held.append(held)
        self._held.sort(key=lambda one: one.grant.expires_at_ms)

    def free(self, now_ms: int) -> int:
        """Tokens that may be set aside now."""
        self._drop_over(now_ms)
        return sum(held.left for held in self._held)

    @property
    def debt(self) -> int:
        """Tokens that were used and not granted yet."""
        return sum(tokens for _, tokens in self._debts)

    def set_aside(self, tokens: int, now_ms: int) -> list[Part] | None:
        """Take tokens for a caller, those that expire first first; None where there are not so many."""
        return self._take(tokens) if tokens <= self.free(now_ms) else None

    def give_back(self, parts: list[Part], now_ms: int) -> None:
        """Nothing of them was used: they may be spent again until their grant's end."""
        held_of = {held.grant.id: held for held in self._held}
        for part in parts:
            held = held_of.get(part.grant)
            if held is None or held.grant.expires_at_ms <= now_ms:
                self.expired += part.tokens
            else:
                held.left += part.tokens

    def settle(self, parts: list[Part], used: int, task: str, now_ms: int) -> None:
        """`used` tokens were, whatever was set aside: give back the rest, or take more, and owe what is not there."""
        for part in parts:
            taken = min(part.tokens, used)
            used -= taken
            self._note(part.grant, task).tokens += taken
            part.tokens -= taken
        if used:
            more = self._take(min(used, self.free(now_ms)))
            for part in more:
                self._note(part.grant, task).tokens += part.tokens
            owed = used - sum(part.tokens for part in more)
            if owed:
                self._debts.append((task, owed))
        self.give_back([part for part in parts if part.tokens], now_ms)

    def note_calls(self, grant: bytes, task: str, calls: int, throttled: int) -> None:
        """Calls that were made on a grant, and how many of them were answered 429."""
        use = self._note(grant, task)
        use.calls += calls
        use.throttled += throttled

    def take_uses(self) -> dict[tuple[bytes, str], Use]:
        """What is to be reported now; from then on it is the caller's."""
        uses, self.uses = self.uses, {}
        return {key: use for key, use in uses.items() if use.tokens or use.calls}

    def _take(self, tokens: int) -> list[Part]:
        parts: list[Part] = []
        for held in self._held:
            taken = min(held.left, tokens)
            if taken:
                held.left -= taken
                tokens -= taken
                parts.append(Part(held.grant.id, taken))
        return parts

    def _note(self, grant: bytes, task: str) -> Use:
        return self.uses.setdefault((grant, task), Use())

    def _drop_over(self, now_ms: int) -> None:
        # Sorted by their end.
        while self._held and self._held[0].grant.expires_at_ms <= now_ms:
            self.expired += self._held.pop(0).left

    def _remember(self, ident: bytes) -> None:
        self._seen[ident] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]


SEEN_MAX = 4_096
"""How many ids of grants are remembered, so that one that is told twice counts once."""
