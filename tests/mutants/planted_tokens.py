"""Bugs planted by hand in token pools: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import DIRECTED, Mutant

POOL, CLEARING = "market/tokens.py", "market/clearing.py"
RULES, DUE = "market/rules/tokens.py", "market/rules/clearings.py"
EVOLVE, SNAPSHOT, NOTICES = "market/evolve_tokens.py", "market/snapshot_tokens.py", "market/notices_tokens.py"
PURE, TOLD = "tests/market/test_clearing.py", "tests/market/test_notices_tokens.py"

TOKEN_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "the bucket overflows",
        POOL,
        "return min(self.terms.burst_tokens * PARTS, self.level + self.rate * (at_ms - self.at_ms))",
        "return self.level + self.rate * (at_ms - self.at_ms)",
        "after a quiet hour a pool grants an hour's tokens at once",
        (PURE,),
    ),
    Mutant(
        "fractions of tokens are lost",
        POOL,
        "        self.level, self.at_ms = self.level_at(at_ms), at_ms\n",
        "        self.level, self.at_ms = self.level_at(at_ms) // PARTS * PARTS, at_ms\n",
        "a pool that is looked at often refills slowly",
        (PURE,),
    ),
    Mutant(
        "clearings sell the reserve",
        POOL,
        "max(0, self.tokens_at(at_ms) - self.terms.reserve_tokens)",
        "self.tokens_at(at_ms)",
        "System agents starve",
        (DIRECTED,),
    ),
    Mutant(
        "a surcharge for what is bought now",
        POOL,
        "500 * self.recent.get(root, 0) // total if total else 0",
        "500 * self.recent.get(root, 0) // total if not total else 0",
        "there is no surcharge at all",
        (PURE,),
    ),
    Mutant(
        "ties go by account",
        CLEARING,
        "hashlib.sha256(head + pool + ask.root.encode()).digest()",
        "hashlib.sha256(head + pool + ask.order.account).digest()",
        "whoever has more accounts wins more ties",
        (PURE,),
    ),
    Mutant(
        "accounts are bidders",
        CLEARING,
        "        if other.root != ask.root and bought:\n",
        "        if other.order.account != ask.order.account and bought:\n",
        "a root with two accounts raises its own price",
        (DIRECTED,),
    ),
    Mutant(
        "VCG never ends",
        CLEARING,
        "many = len(wanted) >= UNIFORM_ROOTS_MIN",
        "many = len(wanted) > UNIFORM_ROOTS_MIN",
        "ten roots do not get one price",
        (PURE,),
    ),
    Mutant(
        "a large root does not matter",
        CLEARING,
        "small = all(tokens * UNIFORM_SHARES <= supply for tokens in wanted.values())",
        "small = all(tokens <= supply for tokens in wanted.values())",
        "one price, although a root can lower it by asking for less",
        (PURE,),
    ),
    Mutant(
        "winners pay their limit",
        CLEARING,
        "taken * max(least, other.effective)",
        "taken * max(least, ask.effective)",
        "lying about what tokens are worth gains",
        (PURE,),
    ),
    Mutant(
        "what nobody wants is free",
        CLEARING,
        "    return total + bought * least\n",
        "    return total\n",
        "the reserve price holds only where others compete",
        (PURE,),
    ),
    Mutant(
        "anybody draws",
        RULES,
        "    require(account.system, Code.NOT_SYSTEM)\n",
        "",
        "the reserve is everybody's, and free",
        (DIRECTED,),
    ),
    Mutant(
        "a grant is used twice",
        RULES,
        "    require(command.tokens <= left, Code.GRANT_SPENT",
        "    require(command.tokens <= grant.tokens, Code.GRANT_SPENT",
        "reports say more than was granted",
        (DIRECTED,),
    ),
    Mutant(
        "one liar slows everybody",
        RULES,
        "    return account.system or len(complaining) >= needed\n",
        "    return account.system or len(complaining) >= 1\n",
        "an agent halves the rate of a pool that it competes for",
        (DIRECTED,),
    ),
    Mutant(
        "a rate is halved by every report",
        RULES,
        "    if pool.interval(pool.throttled_at_ms) == pool.interval(at_ms):\n        return False\n",
        "",
        "a burst of 429s stops a pool for minutes",
        (DIRECTED,),
    ),
    Mutant(
        "a rate stays lowered",
        DUE,
        "    rises = _rises(pool, at_ms)\n",
        "    rises: list[Event] = []\n",
        "a pool never recovers",
        (DIRECTED,),
    ),
    Mutant(
        "a budget is spent twice",
        DUE,
        "        reserved[budget.id] += worth_ucr\n",
        "        reserved[budget.id] += 0\n",
        "two accounts of a project both buy for what is left",
        (DIRECTED,),
    ),
    Mutant(
        "orders do not expire",
        DUE,
        "    expired = [order for order in pool.orders.values() if order.expires_at_ms <= at_ms]\n",
        "    expired: list[Order] = []\n",
        "a crashed agent buys for ever",
        (DIRECTED,),
    ),
    Mutant(
        "grants are kept for ever",
        EVOLVE,
        "    for ident in pool.drop_over(source.at_ms):\n"
        "        del state.token_grants[ident]\n"
        "    pool.forget_some()\n",
        "    pool.forget_some()\n",
        "the state grows without a bound",
        (PURE, "tests/market/test_tokens.py"),
    ),
    Mutant(
        "a restart forgets what was used",
        SNAPSHOT,
        "return [g.id.hex(), g.account.hex(), g.root, g.tokens, g.expires_at_ms, g.used]",
        "return [g.id.hex(), g.account.hex(), g.root, g.tokens, g.expires_at_ms, 0]",
        "a grant is used again after a restart",
        (DIRECTED, "tests/market/test_tokens.py"),
    ),
    Mutant(
        "how many bought is told",
        NOTICES,
        "least = max(least, 0 if event.system else limits.SEALED_PER_CLOSE_MIN)",
        "least = 0",
        "the number of notices tells how many accounts were granted tokens",
        (TOLD,),
    ),
)
